/**
 * OpenNodeSession: compares what the node holds with what was accepted, per channel. A node that is
 * behind must not sign anything on that channel: its state is revoked (contract section 1).
 */
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import {
  Role,
  Verdict,
  type ChannelVerdict,
  type NodeChannel,
  type OpenNodeSessionRequest,
  type OpenNodeSessionResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { must } from "@farwatch/protocol/assert";
import type { ChannelRow, Tables } from "../manager/rows.js";
import type { ManagerDeps } from "./deps.js";
import type { NodePrincipal, SessionId } from "./manager-host.js";
import type { RunStep } from "./run-step.js";

const SESSION_ID_BYTES = 16;

export async function openNodeSession(
  deps: ManagerDeps,
  tables: Tables,
  run: RunStep,
  who: NodePrincipal,
  request: OpenNodeSessionRequest,
): Promise<Result<OpenNodeSessionResponse, Refusal>> {
  if (request.role !== Role.MANAGER_RESOLVES) {
    return err(refuse("unimplemented", "only role MANAGER_RESOLVES is supported for now"));
  }
  if (toHex(request.nodeKey) !== who.nodeKey) {
    return err(refuse("notYourChannel", "node_key is not the one of this certificate"));
  }
  const known = tables.session.get(who.nodeKey);
  const sessionId =
    known?.nodeEpoch === request.nodeEpoch
      ? known.sessionId
      : toHex(deps.randomBytes(SESSION_ID_BYTES));
  const { nodeKey } = who;
  const opened = await run({
    kind: "sessionOpened",
    nodeKey,
    nodeEpoch: request.nodeEpoch,
    sessionId,
  });
  if (!opened.ok) return opened;
  return ok({
    sessionId: Buffer.from(fromHex(sessionId)),
    channels: verdicts(tables, nodeKey, request.channels),
  });
}

export function checkSession(
  tables: Tables,
  who: NodePrincipal,
  session: SessionId,
): Refusal | undefined {
  const current = tables.session.get(who.nodeKey);
  if (current === undefined) return refuse("sessionNotOpen", "open a session first");
  return current.sessionId === session
    ? undefined
    : refuse("fenced", "a newer session replaced this one", {
        current_epoch: String(current.nodeEpoch),
      });
}

function verdicts(
  tables: Tables,
  nodeKey: string,
  named: readonly NodeChannel[],
): readonly ChannelVerdict[] {
  const byId = new Map(named.map((channel) => [toHex(channel.channelId), channel]));
  const ours = tables.channel
    .keys("node", nodeKey)
    .map((key) => must(tables.channel.get(key), "channel row"));
  const unknown = named.filter(
    ({ channelId }) => !ours.some((row) => row.channelId === toHex(channelId)),
  );
  return [
    ...ours.map((row) => verdict(tables, row, byId.get(row.channelId))),
    ...unknown.map(({ channelId }) => ({
      channelId,
      acceptedId: 0n,
      durableId: 0n,
      headHash: Buffer.alloc(0),
      verdict: Verdict.UNKNOWN,
      behindBy: 0n,
    })),
  ];
}

export function durableIdOf(tables: Tables, row: ChannelRow): bigint {
  const ids = tables.receipt
    .keys("channel", row.channelId)
    .map((key) => tables.receipt.get(key)?.updateId);
  return ids.reduce<bigint>((low, id) => ((id ?? 0n) < low ? (id ?? 0n) : low), row.acceptedId);
}

function verdict(tables: Tables, row: ChannelRow, node: NodeChannel | undefined): ChannelVerdict {
  const [kind, behindBy] = compare(row, node);
  return {
    channelId: Buffer.from(fromHex(row.channelId)),
    acceptedId: row.acceptedId,
    durableId: durableIdOf(tables, row),
    headHash: Buffer.from(fromHex(row.headHash)),
    verdict: kind,
    behindBy,
  };
}

/** A channel the node does not name is one it has lost: it is behind by everything. */
function compare(row: ChannelRow, node: NodeChannel | undefined): [Verdict, bigint] {
  if (row.closed !== undefined) return [Verdict.CLOSED, 0n];
  const last = node?.lastUpdateId ?? 0n;
  if (last > row.acceptedId) return [Verdict.NODE_AHEAD, last - row.acceptedId];
  const numbersBehind =
    node === undefined ||
    node.holderCommitmentNumber < BigInt(row.holderNumber) ||
    node.counterpartyCommitmentNumber < BigInt(row.counterparty.number);
  if (last < row.acceptedId || numbersBehind) return [Verdict.NODE_BEHIND, row.acceptedId - last];
  return [Verdict.IN_SYNC, 0n];
}
