/** Every RPC of MonitorService and the file that answers it. */
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
} from "@grpc/grpc-js";
import type { MonitorServiceServer } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ackEvents } from "./ack-events.js";
import { buildJusticeTransaction } from "./build-justice-transaction.js";
import { broadcastHolderCommitment } from "./broadcast-holder-commitment.js";
import { unary, type RpcDeps } from "./call.js";
import { getChannel } from "./get-channel.js";
import { getCounterpartyCommitment } from "./get-counterparty-commitment.js";
import { getInfo } from "./get-info.js";
import type { Incoming, RpcName } from "./incoming.js";
import { listChannels } from "./list-channels.js";
import { listPendingEvents } from "./list-pending-events.js";
import { openSession } from "./open-session.js";
import { putPreimages } from "./put-preimages.js";
import { signBump } from "./sign-bump.js";
import { reserved, reservedStream } from "./reserved.js";
import { streamEvents } from "./stream-events.js";
import { updateChannel } from "./update-channel.js";
import { watchChannel } from "./watch-channel.js";

/** The generated interface with every request guarded (incoming.ts). */
type Guarded<Handler> =
  Handler extends handleUnaryCall<infer Request, infer Response>
    ? handleUnaryCall<Incoming<Request>, Response>
    : Handler extends handleServerStreamingCall<infer Request, infer Response>
      ? handleServerStreamingCall<Incoming<Request>, Response>
      : Handler extends handleBidiStreamingCall<infer Request, infer Response>
        ? handleBidiStreamingCall<Incoming<Request>, Response>
        : never;
export type Handlers = { readonly [Name in RpcName]: Guarded<MonitorServiceServer[Name]> };

export const handlers = (deps: RpcDeps): Handlers => ({
  openSession: unary(deps, "OpenSession", openSession),
  watchChannel: unary(deps, "WatchChannel", watchChannel),
  updateChannel: updateChannel(deps),
  putPreimages: unary(deps, "PutPreimages", putPreimages),
  streamEvents: streamEvents(deps),
  ackEvents: unary(deps, "AckEvents", ackEvents),
  broadcastHolderCommitment: unary(deps, "BroadcastHolderCommitment", broadcastHolderCommitment),
  signBump: unary(deps, "SignBump", signBump),
  getChannel: unary(deps, "GetChannel", getChannel),
  listChannels: unary(deps, "ListChannels", listChannels),
  listPendingEvents: unary(
    deps,
    "ListPendingEvents",
    listPendingEvents(() => deps.wallClockMs()),
  ),
  getCounterpartyCommitment: unary(deps, "GetCounterpartyCommitment", getCounterpartyCommitment),
  buildJusticeTransaction: unary(deps, "BuildJusticeTransaction", buildJusticeTransaction),
  getInfo: unary(deps, "GetInfo", getInfo(deps)),
  setMembers: unary(deps, "SetMembers", reserved("SetMembers")),
  retire: unary(deps, "Retire", reserved("Retire")),
  reconcile: unary(deps, "Reconcile", reserved("Reconcile")),
  snapshotChunks: reservedStream(deps, "SnapshotChunks"),
});
