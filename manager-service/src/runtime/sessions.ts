/**
 * OpenNodeSession: compares what the node holds with what was accepted, per channel. A node that is
 * behind must not sign anything on that channel: its state is revoked (contract section 1).
 */
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import {
  Role,
  Verdict,
  type ChannelVerdict as WireVerdict,
  type NodeChannel as WireNodeChannel,
  type OpenNodeSessionRequest,
  type OpenNodeSessionResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { must } from "@farwatch/protocol/assert";
import { channelId, updateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { Tables } from "../manager/draft.js";
import type { NodeChannel } from "../manager/input.js";
import type { Role as RowRole } from "../manager/rows.js";
import { verdictsOf, type ChannelVerdict } from "../manager/sessions.js";
import type { ManagerDeps } from "./deps.js";
import type { NodePrincipal, SessionId } from "./manager-host.js";
import type { RunStep } from "./run-step.js";
import { ownedInbound } from "./views.js";

const SESSION_ID_BYTES = 16;

const ROLES: ReadonlyMap<Role, RowRole> = new Map([
  [Role.MANAGER_RESOLVES, "managerResolves"],
  [Role.NODE_RESOLVES, "nodeResolves"],
  [Role.OBSERVE, "observe"],
]);

/** The caller has checked shapes and lengths. Errors: unknownRole, notYourChannel, fenced. */
export async function openNodeSession(
  deps: ManagerDeps,
  tables: Tables,
  run: RunStep,
  { nodeKey }: NodePrincipal,
  request: OpenNodeSessionRequest,
): Promise<Result<OpenNodeSessionResponse, Refusal>> {
  const role = ROLES.get(request.role);
  if (role === undefined) return err(refuse("unknownRole", "no such role"));
  if (toHex(request.nodeKey) !== nodeKey) {
    return err(refuse("notYourChannel", "node_key is not the one of this certificate"));
  }
  const { nodeEpoch } = request;
  const channels = request.channels.map(readNodeChannel);
  const newSessionId = toHex(deps.randomBytes(SESSION_ID_BYTES));
  const isLdk = request.ldkVersion !== undefined;
  const named = { nodeKey, channels, isLdk };
  const opening = run({ kind: "sessionOpened", role, nodeEpoch, newSessionId, ...named });
  // Decided by now: a newer session may replace this one before its commit ends.
  const session = tables.session.get(nodeKey);
  const found = verdictsOf(tables, named).map(writeVerdict);
  const owned = ownedInbound(tables, nodeKey);
  const opened = await opening;
  if (!opened.ok) return opened;
  const { sessionId } = must(session, "session row");
  return ok({
    sessionId: Buffer.from(fromHex(sessionId)),
    channels: found,
    ownedInbound: [...owned],
  });
}

export function checkSession(
  tables: Tables,
  who: NodePrincipal,
  session: SessionId,
): Refusal | undefined {
  const current = tables.session.get(who.nodeKey);
  if (current === undefined) return refuse("sessionNotOpen", "open a session first");
  return current.sessionId === session ? undefined : replacedBy(current.nodeEpoch);
}

export const replacedBy = (epoch: bigint): Refusal =>
  refuse("fenced", "a newer session replaced this one", { current_epoch: String(epoch) });

const readNodeChannel = (channel: WireNodeChannel): NodeChannel => ({
  channelId: channelId(toHex(channel.channelId)),
  lastUpdateId: updateId(channel.lastUpdateId),
  holderNumber: channel.holderCommitmentNumber,
  counterpartyNumber: channel.counterpartyCommitmentNumber,
  revokedCommitments: channel.revokedCommitments,
});

const VERDICTS: Readonly<Record<ChannelVerdict["verdict"], Verdict>> = {
  inSync: Verdict.IN_SYNC,
  nodeAhead: Verdict.NODE_AHEAD,
  nodeBehind: Verdict.NODE_BEHIND,
  closed: Verdict.CLOSED,
  unknown: Verdict.UNKNOWN,
};

const writeVerdict = (verdict: ChannelVerdict): WireVerdict => ({
  channelId: Buffer.from(fromHex(verdict.channelId)),
  acceptedId: verdict.acceptedId,
  durableId: verdict.durableId,
  headHash: Buffer.from(fromHex(verdict.headHash ?? "")),
  verdict: VERDICTS[verdict.verdict],
  behindBy: verdict.behindBy,
});
