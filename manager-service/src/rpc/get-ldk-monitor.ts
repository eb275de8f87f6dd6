/**
 * GetLdkMonitor: `start`, then LDK's updates in chunks. A chunk is read when the transport has taken the one
 * before, so a channel's whole log is never in memory, however long it is.
 */
import type { ServerWritableStream } from "@grpc/grpc-js";
import { fixedHex, readWith } from "@farwatch/protocol/convert/reader";
import {
  ManagerServiceService as Service,
  type GetLdkMonitorRequest,
  type GetLdkMonitorResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, updateId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { LdkMonitorSource, NodePrincipal } from "../runtime/manager-host.js";
import { admitSession, type RpcContext } from "./admission.js";
import { refusalOf } from "./backstop.js";
import { MAX_LDK_CHUNK_BYTES, MAX_REQUEST_BYTES } from "./limits.js";
import { bounded, type Received } from "./received.js";
import { StreamWriter } from "./stream-writer.js";
import type { Rpc } from "./unary.js";

type Call = ServerWritableStream<Received<GetLdkMonitorRequest>, GetLdkMonitorResponse>;
type Writer = StreamWriter<GetLdkMonitorResponse>;

const RPC = Service.getLdkMonitor.path;

export const getLdkMonitor = (context: RpcContext): Rpc => ({
  definition: bounded(Service.getLdkMonitor, MAX_REQUEST_BYTES),
  handler(call: Call): void {
    const writer: Writer = new StreamWriter<GetLdkMonitorResponse>(call);
    const forget = context.track((refusal) => writer.end(refusal));
    for (const event of ["cancelled", "close"]) call.on(event, () => writer.abandon());
    serve(context, call, writer)
      .then(
        (refusal) => writer.end(refusal),
        (error: unknown) => writer.end(refusalOf(error, RPC, context.log)),
      )
      .finally(forget);
  },
});

/** Resolves when all is sent, or with why it is not. */
async function serve(
  context: RpcContext,
  call: Call,
  writer: Writer,
): Promise<Refusal | undefined> {
  const admitted = admitSession(context, call);
  if (!admitted.ok) return admitted.error;
  if (!call.request.ok) return call.request.error;
  const source = await sourceOf(context, admitted.value.who, call.request.value);
  if (!source.ok) return source.error;
  const { start, updates } = source.value;
  await writer.write({ part: { $case: "start", value: start } });
  await writeUpdates(writer, updates);
  return undefined;
}

function sourceOf({ host }: RpcContext, who: NodePrincipal, request: GetLdkMonitorRequest) {
  const id = readWith(() => channelId(fixedHex(request.channelId, 32, "channel_id")));
  return id.ok ? host.ldkMonitor(who, id.value, updateId(request.told)) : id;
}

async function writeUpdates(writer: Writer, updates: LdkMonitorSource["updates"]): Promise<void> {
  let chunk: Buffer[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    const value = { updates: chunk };
    chunk = [];
    size = 0;
    if (value.updates.length > 0) await writer.write({ part: { $case: "updates", value } });
  };
  for await (const update of updates) {
    if (writer.ended) return;
    if (size + update.length > MAX_LDK_CHUNK_BYTES) await flush();
    chunk.push(Buffer.from(update));
    size += update.length;
  }
  await flush();
}
