/**
 * An outbound HTLC is resolved (persistent-events 2E, 2F; contract 2.6). Claims act at once. A fail that
 * came from update n is held until n is durable on every required monitor: before that, the counterparty
 * commitment that still has the HTLC could be the only one another monitor knows.
 */
import type { HtlcResolution } from "@farwatch/protocol/event";
import { hashOfPreimage, type PaymentHash, type SourceKey } from "@farwatch/protocol/ids";
import { rowKeys, type InboxRow } from "../rows.js";
import { claimPart, failPart } from "../payments/outbound.js";
import { checkOwner, legOf, type NewLeg } from "../forwards/accept-leg.js";
import { claimLeg, failLeg } from "../forwards/outcomes.js";
import type { NewPart } from "../payments/parts.js";
import { isDurable } from "../updates/durability.js";
import { alarm, channelOf, type Work } from "../work.js";

type HtlcEventBody = Extract<InboxRow["body"], { kind: "htlcEvent" }>;
type Processed = Pick<InboxRow, "state" | "waitsFor">;
const STUCK: Processed = { state: "stuck", waitsFor: [] };

/** True when the event may not be acted on yet. */
export function mustHold(work: Work, row: InboxRow): boolean {
  if (row.body.kind !== "htlcEvent" || row.body.resolution.kind !== "failed") return false;
  if (row.origin.kind !== "update") return false;
  return !isDurable(work.draft, channelOf(work, row.channelId), row.origin.updateId);
}

/** Acts on an event of an own payment or a forward. One that contradicts itself or its HTLC is kept un-acked. */
export function processHtlc(work: Work, row: InboxRow, body: HtlcEventBody): Processed {
  const { nodeKey, role, dialect } = channelOf(work, row.channelId);
  const { source, resolution } = body;
  const { sourceKey } = source;
  if (resolution.kind === "claimed" && hashOfPreimage(resolution.preimage) !== body.paymentHash) {
    const text = "a claim carries a preimage of another payment hash; the event is kept";
    alarm(work, nodeKey, "preimageMismatch", sourceKey, text, row.channelId);
    return STUCK;
  }
  const { channelId } = row;
  const { paymentHash, amountMsat, userChannelId } = body;
  const htlcId = dialect === "ldk" ? undefined : body.htlcId;
  const committedHash = committedHashOf(work, sourceKey);
  if (committedHash !== undefined && committedHash !== paymentHash) {
    const text = "an event names another payment hash than its HTLC has; it is kept";
    alarm(work, nodeKey, "hashMismatch", sourceKey, text, channelId);
    return STUCK;
  }
  const leg = legOf({ channelId, nodeKey, paymentHash, amountMsat, htlcId, userChannelId }, source);
  const refusal = leg === undefined ? undefined : checkOwner(work, leg);
  if (refusal !== undefined) {
    // No update brought it in role MANAGER_RESOLVES; in the others its node has the event to itself.
    alarm(work, nodeKey, refusal.reason, sourceKey, refusal.message, channelId);
    return role === "managerResolves" ? STUCK : { state: "waiting", waitsFor: [] };
  }
  if (leg === undefined && source.origin.kind === "trampoline") {
    // Of an HTLC that no commitment had: told when its update was accepted (contract 2.12).
    if (dialect === "ldk") return { state: "waiting", waitsFor: [] };
    const text = "an event of a trampoline names no inbound HTLC; it is kept";
    alarm(work, nodeKey, "unsupportedSource", sourceKey, text, channelId);
    return STUCK;
  }
  const waitsFor =
    leg === undefined ? resolvePart(work, row, body) : resolveLeg(work, row, leg, resolution);
  return { state: "waiting", waitsFor };
}

/** undefined: an HTLC that no accepted update brought. */
function committedHashOf(work: Work, sourceKey: SourceKey): PaymentHash | undefined {
  const { draft } = work;
  const part = draft.part.get(sourceKey);
  if (part !== undefined) return draft.payment.get(part.paymentId)?.paymentHash;
  const leg = draft.leg.get(sourceKey);
  return leg === undefined ? undefined : draft.forward.get(leg.forwardKey)?.paymentHash;
}

function resolveLeg(
  work: Work,
  row: InboxRow,
  leg: NewLeg,
  resolution: HtlcResolution,
): readonly string[] {
  if (resolution.kind === "failed") return failLeg(work, leg, resolution.reason);
  const { preimage, skimmedFeeMsat, attributionData } = resolution;
  const onChain = row.origin.kind !== "update";
  return claimLeg(work, leg, { preimage, skimmedFeeMsat, attributionData, onChain });
}

function resolvePart(
  work: Work,
  row: InboxRow,
  { source, paymentHash, amountMsat, resolution }: HtlcEventBody,
): readonly string[] {
  const { origin, sourceKey } = source;
  if (origin.kind !== "own" && origin.kind !== "probe") return [];
  const { channelId } = row;
  const { nodeKey } = channelOf(work, channelId);
  const named = { sourceKey, source: origin.part, channelId, nodeKey, paymentHash, amountMsat };
  const part: NewPart = { ...named, isProbe: origin.kind === "probe" };
  return resolution.kind === "failed"
    ? failPart(work, part, resolution.reason)
    : claimPart(work, part, resolution.preimage);
}

/** Processes held fails of a channel that are durable everywhere by now. */
export function releaseHeld(
  work: Work,
  channelId: InboxRow["channelId"],
  act: (work: Work, row: InboxRow) => Processed,
): void {
  for (const row of work.draft.inbox.select("held", channelId)) {
    if (row.body.kind !== "htlcEvent" || mustHold(work, row)) continue;
    work.draft.inbox.put(rowKeys.inbox(row), { ...row, ...act(work, row) });
  }
}
