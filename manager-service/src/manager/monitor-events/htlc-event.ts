/**
 * An outbound HTLC is resolved (persistent-events 2E, 2F; contract 2.6). Claims act at once. A fail that
 * came from update n is held until n is durable on every required monitor: before that, the counterparty
 * commitment that still has the HTLC could be the only one another monitor knows.
 */
import { hashOfPreimage } from "@farwatch/protocol/ids";
import { rowKeys, type InboxRow } from "../rows.js";
import { claimPart, failPart } from "../payments/outbound.js";
import type { NewPart } from "../payments/parts.js";
import { isDurable } from "../updates/durability.js";
import { alarm, channelOf, type Work } from "../work.js";

type Processed = Pick<InboxRow, "state" | "waitsFor">;
const STUCK: Processed = { state: "stuck", waitsFor: [] };

/** True when the event may not be acted on yet. */
export function mustHold(work: Work, row: InboxRow): boolean {
  if (row.body.kind !== "htlcEvent" || row.body.resolution.kind !== "failed") return false;
  if (row.origin.kind !== "update") return false;
  return !isDurable(work.draft, channelOf(work, row.channelId), row.origin.updateId);
}

/** Acts on an event of an own payment; anything else is kept un-acked for a version that can. */
export function processHtlc(
  work: Work,
  row: InboxRow,
  body: Extract<InboxRow["body"], { kind: "htlcEvent" }>,
): Processed {
  const { nodeKey } = channelOf(work, row.channelId);
  const { origin, sourceKey } = body.source;
  if (origin.kind !== "own") {
    const text = `an event of a ${origin.kind} HTLC cannot be processed by this version; it is kept`;
    alarm(work, nodeKey, "unsupportedSource", sourceKey, text, row.channelId);
    return STUCK;
  }
  const part: NewPart = {
    sourceKey,
    source: origin.part,
    channelId: row.channelId,
    nodeKey,
    paymentHash: body.paymentHash,
    amountMsat: body.amountMsat,
  };
  const { resolution } = body;
  if (resolution.kind === "failed") {
    return { state: "waiting", waitsFor: failPart(work, part, resolution.reason) };
  }
  if (hashOfPreimage(resolution.preimage) !== body.paymentHash) {
    const text = "a claim carries a preimage of another payment hash; the event is kept";
    alarm(work, nodeKey, "preimageMismatch", sourceKey, text, row.channelId);
    return STUCK;
  }
  return { state: "waiting", waitsFor: claimPart(work, part, resolution.preimage) };
}

/** Processes held fails of a channel that are durable everywhere by now. */
export function releaseHeld(work: Work, channelId: InboxRow["channelId"]): void {
  for (const row of work.draft.inbox.select("held", channelId)) {
    if (row.body.kind !== "htlcEvent" || mustHold(work, row)) continue;
    work.draft.inbox.put(rowKeys.inbox(row), { ...row, ...processHtlc(work, row, row.body) });
  }
}
