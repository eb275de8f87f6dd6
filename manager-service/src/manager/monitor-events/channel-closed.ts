/** A monitor went on chain or saw the funding spent: the channel is closed, told once (contract 2.18). */
import type { MonitorEventBody } from "@farwatch/protocol/event";
import type { ChannelRow } from "../rows.js";
import { semanticKeys, type ClosureReason } from "../user-event.js";
import { channelOf, tell, type Work } from "../work.js";

type CloseBody = Extract<MonitorEventBody, { kind: "holderForceClosed" | "commitmentTxConfirmed" }>;

export function channelClosed(work: Work, channel: ChannelRow, body: CloseBody): void {
  const reason = closureReason(body);
  const row = channelOf(work, channel.channelId);
  if (row.closed === undefined) work.draft.channel.put(row.channelId, { ...row, closed: reason });
  tell(work, row.nodeKey, semanticKeys.channelClosed(row.channelId), {
    kind: "channelClosed",
    channelId: row.channelId,
    reason,
    closingTxid: body.kind === "holderForceClosed" ? body.commitmentTxid : body.txid,
    text: body.kind === "holderForceClosed" ? describe(body) : `${body.spend} spend confirmed`,
  });
}

function closureReason(body: CloseBody): ClosureReason {
  if (body.kind === "holderForceClosed") {
    return body.reason.kind === "htlcDeadline" ? "htlcDeadline" : "holderForceClosed";
  }
  if (body.mutualClose) return "cooperative";
  return body.spend === "revoked" ? "counterpartyRevokedState" : "commitmentTxConfirmed";
}

function describe({ reason }: Extract<CloseBody, { kind: "holderForceClosed" }>): string {
  switch (reason.kind) {
    case "htlcDeadline":
      return `the HTLC with payment hash ${reason.paymentHash} reached its deadline`;
    case "nodeRequested":
      return `the node asked for it: ${reason.text}`;
    case "operator":
      return `an operator asked for it: ${reason.text}`;
  }
}
