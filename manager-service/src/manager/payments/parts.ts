/**
 * Payment rows and their parts. A part is one HTLC of an own payment, named by its source key; a retry
 * has a new source key.
 */
import type { Msat } from "@farwatch/protocol/amount";
import type { PaymentPartSource } from "@farwatch/protocol/channel";
import type { ChannelId, PaymentHash, SourceKey } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { PartRow, PaymentRow } from "../rows.js";
import type { Work } from "../work.js";

export interface NewPart {
  readonly sourceKey: SourceKey;
  readonly source: PaymentPartSource;
  readonly channelId: ChannelId;
  readonly nodeKey: string;
  readonly paymentHash: PaymentHash;
  readonly amountMsat: Msat;
  readonly isProbe: boolean;
}

/**
 * A part that an HTLC begins. Only a pending payment that the node did not close takes one, and a source
 * begins one HTLC for ever: anything else could pay twice. Errors: malformed.
 */
export function checkNewPart(work: Work, part: NewPart): Refusal | undefined {
  const refusal = checkPart(work, part);
  if (refusal !== undefined) return refusal;
  if (work.draft.part.get(part.sourceKey) !== undefined) {
    return badSource(part, "the source was used before");
  }
  const payment = work.draft.payment.get(part.source.paymentId);
  return payment === undefined || payment.state === "pending"
    ? undefined
    : badSource(part, `the payment is ${payment.state}`);
}

/** Errors: malformed (not sent before, other node's payment, other hash, payment closed). */
export function checkPart(work: Work, part: NewPart): Refusal | undefined {
  const bad = (message: string): Refusal => badSource(part, message);
  const known = work.draft.part.get(part.sourceKey);
  if (known?.state === "notSent") return bad("HtlcNotSent named this source before");
  const payment = work.draft.payment.get(part.source.paymentId);
  if (payment === undefined) return undefined;
  if (payment.isProbe !== part.isProbe) return bad("a probe is no payment, and the reverse");
  if (payment.nodeKey !== part.nodeKey) return bad("the payment is another node's");
  if (payment.paymentHash !== part.paymentHash) return bad("the payment has another hash");
  return payment.closedReason === undefined ? undefined : bad("the payment takes no more parts");
}

const badSource = ({ sourceKey }: NewPart, message: string): Refusal =>
  refuse("malformed", message, { field: "source", source_key: sourceKey });

/** Creates the part, and its payment when nobody registered it. A known part stays as it is. */
export function addPart(work: Work, part: NewPart): void {
  const { paymentId, partKey, pathSummary } = part.source;
  if (work.draft.payment.get(paymentId) === undefined) {
    work.draft.payment.put(paymentId, {
      paymentId,
      paymentHash: part.paymentHash,
      totalMsat: undefined,
      nodeKey: part.nodeKey,
      state: "pending",
      closedReason: undefined,
      preimage: undefined,
      isProbe: part.isProbe,
    });
  }
  if (work.draft.part.get(part.sourceKey) !== undefined) return;
  const { sourceKey, channelId, amountMsat } = part;
  const row: PartRow = {
    sourceKey,
    paymentId,
    partKey,
    pathSummary,
    channelId,
    amountMsat,
    state: "alive",
  };
  work.draft.part.put(sourceKey, row);
}

export const changePayment = (
  work: Work,
  payment: PaymentRow,
  change: Partial<PaymentRow>,
): PaymentRow => {
  const row = { ...payment, ...change };
  work.draft.payment.put(row.paymentId, row);
  return row;
};

export const changePart = (work: Work, part: PartRow, state: PartRow["state"]): PartRow => {
  const row = { ...part, state };
  work.draft.part.put(row.sourceKey, row);
  return row;
};
