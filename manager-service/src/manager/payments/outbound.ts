/**
 * Own payments: pending, then sent or failed, never both at once (persistent-events 2F, R46 to R49).
 * A preimage wins over everything: a claim after a fail takes back what the node has not handled yet.
 * PaymentFailed needs the node's word that no more parts come, no part alive, and no preimage.
 */
import { msat, sumMsat, type Msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { Preimage, SourceKey } from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { PartRow, PaymentRow } from "../rows.js";
import { findOutbound } from "../updates/outbound-htlcs.js";
import { semanticKeys, type ProbePart, type UserEvent } from "../user-event.js";
import { alarm, tell, withdraw, type Work } from "../work.js";
import { addPart, changePart, changePayment, type NewPart } from "./parts.js";

const paymentOf = (work: Work, part: PartRow): PaymentRow =>
  must(work.draft.payment.get(part.paymentId), "payment of a part");

function partOf(work: Work, named: NewPart): PartRow {
  addPart(work, named); // known already, unless these rows were restored from an older copy
  return must(work.draft.part.get(named.sourceKey), "part");
}

const partsOf = (work: Work, payment: PaymentRow): readonly PartRow[] =>
  work.draft.part.select("payment", payment.paymentId);

/** The preimage of a part is known. Returns the items whose handling the ack waits for. */
export function claimPart(work: Work, named: NewPart, preimage: Preimage): readonly string[] {
  const part = partOf(work, named);
  claimKnownPart(work, part, preimage);
  return [semanticKeys.paymentSent(part.paymentId)];
}

/** As claimPart, of a part that an accepted update brought. */
export function claimKnownPart(work: Work, known: PartRow, preimage: Preimage): void {
  const part = changePart(work, known, "claimed");
  withdraw(work, semanticKeys.pathFailed(part.sourceKey));
  paymentSucceeded(work, paymentOf(work, part), preimage);
  pathSucceeded(work, part.sourceKey);
}

/** Emits PaymentSent once. The only effects are rows, and an alarm when PaymentFailed was handled. */
export function paymentSucceeded(work: Work, payment: PaymentRow, preimage: Preimage): void {
  if (payment.state === "sent") return;
  const { paymentId, paymentHash, nodeKey } = payment;
  if (payment.state === "failed") {
    if (withdraw(work, semanticKeys.paymentFailed(paymentId)) === "handled") {
      const text = `payment ${paymentId} was handled as failed and is now claimed: it was paid`;
      alarm(work, nodeKey, "claimAfterFailed", paymentId, text);
    }
  }
  changePayment(work, payment, { state: "sent", preimage });
  const { amountMsat, feePaidMsat } = amounts(work, payment);
  tell(work, nodeKey, semanticKeys.paymentSent(paymentId), {
    kind: "paymentSent",
    paymentId,
    paymentHash,
    preimage,
    amountMsat,
    feePaidMsat,
  });
}

/** What the payee gets, and what the parts that may still be claimed cost above it. */
function amounts(
  work: Work,
  payment: PaymentRow,
): { readonly amountMsat: Msat; readonly feePaidMsat: Msat | undefined } {
  const parts = partsOf(work, payment).filter(
    ({ state }) => state === "alive" || state === "claimed",
  );
  const paid = sumMsat(parts.map(({ amountMsat }) => amountMsat));
  const { totalMsat } = payment;
  if (totalMsat === undefined) return { amountMsat: paid, feePaidMsat: undefined };
  const known = paid >= totalMsat;
  return { amountMsat: totalMsat, feePaidMsat: known ? msat(paid - totalMsat) : undefined };
}

/** A part failed for good. Returns the items whose handling the ack waits for. */
export function failPart(work: Work, named: NewPart, reason: HtlcFailReason): readonly string[] {
  const before = partOf(work, named);
  if (before.state === "claimed" || before.state === "refunded") return [];
  if (before.state === "alive") {
    const part = changePart(work, before, "failed");
    const payment = paymentOf(work, part);
    if (payment.state === "sent") return [];
    tellPartFailed(work, payment, part, reason);
    failIfOver(work, payment);
  }
  const { sourceKey, paymentId } = before;
  return [
    semanticKeys.pathFailed(sourceKey),
    semanticKeys.paymentFailed(paymentId),
    semanticKeys.probeResult(sourceKey),
    semanticKeys.probeOutcome(sourceKey),
  ];
}

/** A commitment fails a part whose preimage the peer had shown: nothing is told, and no path succeeded. */
export function refundPart(work: Work, key: SourceKey): void {
  const part = work.draft.part.get(key);
  if (part?.state === "claimed") changePart(work, part, "refunded");
}

/** PaymentPathFailed; of a probe its raw result, which the node reads. */
export function tellPartFailed(
  work: Work,
  payment: PaymentRow,
  part: PartRow,
  reason: HtlcFailReason,
): void {
  if (payment.isProbe) {
    const { sourceKey } = part;
    const event = { kind: "probeResult", sourceKey, reason, ...probePart(payment, part) } as const;
    tell(work, payment.nodeKey, semanticKeys.probeResult(sourceKey), event);
    return;
  }
  tell(work, payment.nodeKey, semanticKeys.pathFailed(part.sourceKey), {
    kind: "paymentPathFailed",
    paymentId: payment.paymentId,
    paymentHash: payment.paymentHash,
    partKey: part.partKey,
    pathSummary: part.pathSummary,
    reason,
  });
}

const probePart = ({ paymentId, paymentHash }: PaymentRow, part: PartRow): ProbePart => ({
  paymentId,
  paymentHash,
  partKey: part.partKey,
  pathSummary: part.pathSummary,
});

type ProbeResult = Extract<UserEvent, { kind: "probeResult" }>;

/** The node read a probe's result: PROBE_OK or PROBE_FAILED. */
export function probeAnswered(work: Work, result: ProbeResult, ok: boolean): void {
  const { sourceKey, paymentId, paymentHash, partKey, pathSummary } = result;
  const payment = must(work.draft.payment.get(paymentId), "payment of a probe");
  const kind = ok ? "probeSuccessful" : "probeFailed";
  const event = { kind, paymentId, paymentHash, partKey, pathSummary } as const;
  tell(work, payment.nodeKey, semanticKeys.probeOutcome(sourceKey), event);
  closePayment(work, payment, ok ? "the probe reached its end" : "the probe failed on its way");
}

/** The node sends no more parts. An earlier reason stays. */
export function closePayment(work: Work, payment: PaymentRow, reason: string): void {
  if (payment.closedReason !== undefined) return;
  failIfOver(work, changePayment(work, payment, { closedReason: reason }));
}

/** Emits PaymentFailed once the node closed the payment and nothing can pay it any more. */
export function failIfOver(work: Work, payment: PaymentRow): void {
  const { paymentId, paymentHash, nodeKey, closedReason } = payment;
  if (payment.state !== "pending" || payment.preimage !== undefined) return;
  if (closedReason === undefined) return;
  if (partsOf(work, payment).some(({ state }) => state === "alive")) return;
  changePayment(work, payment, { state: "failed" });
  if (payment.isProbe) return;
  tell(work, nodeKey, semanticKeys.paymentFailed(paymentId), {
    kind: "paymentFailed",
    paymentId,
    paymentHash,
    reason: closedReason,
  });
}

/**
 * Emits PaymentPathSuccessful when a claimed HTLC has left the last counterparty commitment that is not
 * revoked, or its channel is closed (contract 2.26, R46).
 */
export function pathSucceeded(work: Work, key: SourceKey): void {
  const part = work.draft.part.get(key);
  if (part?.state !== "claimed") return;
  const channel = work.draft.channel.get(part.channelId);
  const open = channel !== undefined && channel.closed === undefined;
  if (open && findOutbound(channel, key) !== undefined) return;
  const payment = paymentOf(work, part);
  tell(work, payment.nodeKey, semanticKeys.pathSuccessful(key), {
    kind: "paymentPathSuccessful",
    paymentId: part.paymentId,
    paymentHash: payment.paymentHash,
    partKey: part.partKey,
    pathSummary: part.pathSummary,
  });
}
