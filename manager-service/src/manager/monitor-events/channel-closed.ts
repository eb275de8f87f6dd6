/**
 * The channel is over: a monitor decided to broadcast, or saw the funding output spent. The first such
 * event closes it, tells ChannelClosed once and commands the node to stop using it; later ones, from any monitor, only need their ack. The
 * ack waits for the commit that stores both (contract 2.18), so it waits for no item.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import type { ChannelId, Txid } from "@farwatch/protocol/ids";
import { pathSucceeded } from "../payments/outbound.js";
import { semanticKeys, type ClosureReason } from "../user-event.js";
import { changeChannel, channelOf, tell, withdraw, type Work } from "../work.js";

type Closing = Extract<MonitorEventBody, { kind: "holderForceClosed" | "commitmentTxConfirmed" }>;

interface Closure {
  readonly reason: ClosureReason;
  readonly closingTxid: Txid;
  readonly text: string;
}

export function processClosed(work: Work, channelId: ChannelId, body: Closing): void {
  const { closed, nodeKey, spliceTxids } = channelOf(work, channelId);
  if (closed !== undefined) return;
  // A monitor that was cut off takes a splice for a mutual close until the updates reach it.
  if (body.kind === "commitmentTxConfirmed" && spliceTxids.includes(body.txid)) return;
  const behind = work.draft.session.get(nodeKey)?.behind[channelId] !== undefined;
  const closure = body.kind === "holderForceClosed" ? broadcast(body, behind) : confirmed(body);
  changeChannel(work, channelId, { closed: closure.reason });
  work.touched.add(channelId);
  const { counterparty, counterpartyPrevious } = channelOf(work, channelId);
  for (const view of [counterparty, counterpartyPrevious]) {
    for (const { sourceKey } of view?.outbound ?? []) pathSucceeded(work, sourceKey);
  }
  const key = semanticKeys.channelClosed(channelId);
  tell(work, nodeKey, key, { kind: "channelClosed", channelId, ...closure });
  keepCloseCommand(work, channelId, true);
}

/**
 * The node must stop using a channel that is closed although it still has it open: until its own step, or
 * a session that does not name the channel, says that it did (contract section 1 "Commands", 2.18).
 */
export function keepCloseCommand(work: Work, channelId: ChannelId, nodeHasIt: boolean): void {
  const { nodeKey, closed: reason, lockedDown } = channelOf(work, channelId);
  const key = semanticKeys.closeChannel(channelId);
  if (reason === undefined || lockedDown || !nodeHasIt) withdraw(work, key);
  else tell(work, nodeKey, key, { kind: "closeChannel", channelId, reason });
}

function broadcast(
  body: Extract<Closing, { kind: "holderForceClosed" }>,
  nodeIsBehind: boolean,
): Closure {
  const closingTxid = body.commitmentTxid;
  const { reason } = body;
  switch (reason.kind) {
    case "htlcDeadline":
      return {
        reason: "htlcDeadline",
        closingTxid,
        text: `the deadline of HTLC ${reason.paymentHash} was reached`,
      };
    case "nodeRequested":
      return { reason: "holderForceClosed", closingTxid, text: reason.text };
    case "operator":
      return {
        reason: nodeIsBehind ? "outdatedNode" : "holderForceClosed",
        closingTxid,
        text: `operator: ${reason.text}`,
      };
    case "fundingReplaced":
      return {
        reason: "holderForceClosed",
        closingTxid,
        text: "a reorganisation confirmed another funding than the one that was closed",
      };
    default:
      return assertNever(reason);
  }
}

function confirmed(body: Extract<Closing, { kind: "commitmentTxConfirmed" }>): Closure {
  const closingTxid = body.txid;
  if (body.mutualClose) return { reason: "cooperative", closingTxid, text: "closed by agreement" };
  switch (body.spend) {
    case "revoked":
      return {
        reason: "counterpartyRevokedState",
        closingTxid,
        text: "the counterparty broadcast a revoked commitment",
      };
    case "holder":
      return { reason: "holderForceClosed", closingTxid, text: "our commitment confirmed" };
    case "mutual":
    case "counterparty":
    case "counterpartyPrevious":
    case "unknown":
      return {
        reason: "commitmentTxConfirmed",
        closingTxid,
        text: `the funding output was spent (${body.spend})`,
      };
    default:
      return assertNever(body.spend);
  }
}
