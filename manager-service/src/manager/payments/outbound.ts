/**
 * Our own payments: pending, then sent or failed, never both. A part exists from the accepted
 * counterparty commitment that carries its source; the node decides about retries, so PaymentFailed is
 * told only when the node closed the payment, no part is alive and no preimage is known.
 */
import type { CommitmentHtlc, PaymentPartSource } from "@farwatch/protocol/channel";
import type { PaymentId, Preimage, SourceKey } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import { resettle } from "../acks.js";
import type { ManagerInput } from "../input.js";
import type { ChannelRow, OutboundRef, PartRow } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { paymentOf, retract, tell, toldItem, type Work } from "../work.js";

type Registered = Extract<ManagerInput, { kind: "paymentRegistered" }>;

export function registerPayment(work: Work, registered: Registered): Result<void, Refusal> {
  const { nodeKey, paymentId, paymentHash, totalMsat } = registered;
  const known = work.draft.payment.get(paymentId);
  if (known !== undefined) {
    const same =
      known.nodeKey === nodeKey &&
      known.paymentHash === paymentHash &&
      known.totalMsat === totalMsat;
    return same
      ? ok(undefined)
      : err(
          refuse("updateConflict", "the payment id is registered with other content", {
            field: "payment_id",
          }),
        );
  }
  work.draft.payment.put(paymentId, {
    paymentId,
    paymentHash,
    totalMsat,
    nodeKey,
    state: "pending",
    closedReason: undefined,
    preimage: undefined,
  });
  return ok(undefined);
}

/** Records the parts that a new counterparty commitment brings. */
export function addParts(
  work: Work,
  row: ChannelRow,
  htlcs: readonly CommitmentHtlc[],
  field: string,
): Result<void, Refusal> {
  const before = new Set(row.counterparty.outbound.map(({ sourceKey }) => sourceKey));
  for (const [index, htlc] of htlcs.entries()) {
    const { source } = htlc;
    if (source === undefined || before.has(source.sourceKey)) continue;
    const at = `${field}.htlcs[${index}].source`;
    if (source.origin.kind !== "own") {
      return err(
        refuse("unimplemented", `outbound HTLCs of kind ${source.origin.kind} come later`, {
          field: at,
        }),
      );
    }
    const added = addPart(work, row, htlc, source.sourceKey, source.origin.part, at);
    if (!added.ok) return added;
  }
  return ok(undefined);
}

function addPart(
  work: Work,
  row: ChannelRow,
  htlc: CommitmentHtlc,
  sourceKey: SourceKey,
  part: PaymentPartSource,
  field: string,
): Result<void, Refusal> {
  const payment = work.draft.payment.get(part.paymentId);
  if (payment?.nodeKey !== row.nodeKey || payment.paymentHash !== htlc.paymentHash) {
    return err(
      refuse("malformed", "register the payment, with this hash, before its first part", { field }),
    );
  }
  if (payment.closedReason !== undefined || payment.state === "failed") {
    return err(refuse("malformed", "the payment was closed: it takes no more parts", { field }));
  }
  if (work.draft.part.get(sourceKey) !== undefined) {
    return err(refuse("malformed", "source_key was used before", { field }));
  }
  const { paymentId, partKey, pathSummary } = part;
  work.draft.part.put(sourceKey, {
    sourceKey,
    paymentId,
    partKey,
    pathSummary,
    channelId: row.channelId,
    amountMsat: htlc.amountMsat,
    state: "alive",
  });
  return ok(undefined);
}

/** PaymentPathSuccessful when a claimed part leaves the last un-revoked commitment (contract 2.26). */
export function partsLeft(work: Work, row: ChannelRow, revoked: readonly OutboundRef[]): void {
  const still = new Set(row.counterparty.outbound.map(({ sourceKey }) => sourceKey));
  for (const { sourceKey } of revoked) {
    const part = work.draft.part.get(sourceKey);
    if (still.has(sourceKey) || part?.state !== "claimed") continue;
    const { paymentId, partKey, pathSummary } = part;
    const { paymentHash } = paymentOf(work, paymentId);
    tell(work, row.nodeKey, semanticKeys.pathSuccessful(sourceKey), {
      kind: "paymentPathSuccessful",
      paymentId,
      paymentHash,
      partKey,
      pathSummary,
    });
  }
}

/**
 * A claim wins over everything not yet handled: failures the node has not handled are taken back. One
 * it did handle cannot be; the node is told both and alarmed, because the money moved.
 */
export function partClaimed(work: Work, part: PartRow, preimage: Preimage): readonly string[] {
  const payment = paymentOf(work, part.paymentId);
  const { paymentId, paymentHash, nodeKey, totalMsat } = payment;
  const sentKey = semanticKeys.paymentSent(paymentId);
  work.draft.part.put(part.sourceKey, { ...part, state: "claimed" });
  for (const key of [
    semanticKeys.pathFailed(part.sourceKey),
    semanticKeys.paymentFailed(paymentId),
  ]) {
    retract(work, key);
    resettle(work, key);
  }
  if (toldItem(work, semanticKeys.paymentFailed(paymentId))?.handled === true) {
    tell(work, nodeKey, semanticKeys.alarm("claimAfterFailure", paymentId), {
      kind: "alarm",
      code: "claimAfterFailure",
      text: "a payment that was reported failed was claimed after all",
      channelId: part.channelId,
    });
  }
  work.draft.payment.put(paymentId, { ...payment, state: "sent", preimage });
  tell(work, nodeKey, sentKey, {
    kind: "paymentSent",
    paymentId,
    paymentHash,
    preimage,
    amountMsat: totalMsat,
  });
  return [sentKey];
}

export function partFailed(work: Work, part: PartRow, reason: HtlcFailReason): readonly string[] {
  const payment = paymentOf(work, part.paymentId);
  // After a claim of this part, or a result of the payment, a failure says nothing new.
  if (part.state === "claimed") return [];
  if (part.state === "alive") work.draft.part.put(part.sourceKey, { ...part, state: "failed" });
  if (payment.state === "sent") return [];
  const failedKey = semanticKeys.pathFailed(part.sourceKey);
  tell(work, payment.nodeKey, failedKey, {
    kind: "paymentPathFailed",
    paymentId: part.paymentId,
    paymentHash: payment.paymentHash,
    partKey: part.partKey,
    pathSummary: part.pathSummary,
    reason,
  });
  failIfOver(work, part.paymentId);
  const over = paymentOf(work, part.paymentId).state === "failed";
  return over ? [failedKey, semanticKeys.paymentFailed(part.paymentId)] : [failedKey];
}

/** The node closed the payment: by ClosePayment, or as its answer to PaymentPathFailed. */
export function closePayment(work: Work, id: PaymentId, reason: string): Result<void, Refusal> {
  const payment = work.draft.payment.get(id);
  if (payment === undefined) {
    return err(refuse("malformed", "no such payment", { field: "payment_id" }));
  }
  if (payment.closedReason === undefined) {
    work.draft.payment.put(id, { ...payment, closedReason: reason });
  }
  failIfOver(work, id);
  return ok(undefined);
}

function failIfOver(work: Work, id: PaymentId): void {
  const payment = paymentOf(work, id);
  const { closedReason, preimage, state } = payment;
  const alive = work.draft.part.select("payment", id).some((part) => part.state === "alive");
  if (state !== "pending" || closedReason === undefined || alive || preimage !== undefined) return;
  work.draft.payment.put(id, { ...payment, state: "failed" });
  tell(work, payment.nodeKey, semanticKeys.paymentFailed(id), {
    kind: "paymentFailed",
    paymentId: id,
    paymentHash: payment.paymentHash,
    reason: must(closedReason, "checked above"),
  });
}
