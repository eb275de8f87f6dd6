/** What the node asks about its own payments: register, close, "this part was never sent". */
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { ManagerInput } from "../input.js";
import type { PartRow } from "../rows.js";
import type { Work } from "../work.js";
import { closePayment, failIfOver, tellPathFailed } from "./outbound.js";
import { addPart, changePart, checkPart } from "./parts.js";
import { must } from "@farwatch/protocol/assert";

type Input<K extends ManagerInput["kind"]> = Extract<ManagerInput, { kind: K }>;

/** BOLT 4 `temporary_channel_failure` (UPDATE|7): what a sender sees of a part that never left. */
const TEMPORARY_CHANNEL_FAILURE = 0x1000 | 7;
const NOT_SENT: HtlcFailReason = {
  cause: { kind: "local", failureCode: TEMPORARY_CHANNEL_FAILURE, data: new Uint8Array() },
  holdTime: undefined,
  attributionData: undefined,
};

const badPayment = (message: string): Refusal =>
  refuse("malformed", message, { field: "payment_id" });

/**
 * The same id again is an answer that got lost only while nothing can have been paid under it; later it
 * would pay twice. Errors: unimplemented (probe), malformed (the id is in use).
 */
export function registerPayment(
  work: Work,
  input: Input<"paymentRegistered">,
): Refusal | undefined {
  if (input.isProbe) return refuse("unimplemented", "probes are not supported yet");
  const { nodeKey, paymentId, paymentHash, totalMsat } = input;
  const known = work.draft.payment.get(paymentId);
  if (known === undefined) {
    const fresh = { state: "pending", closedReason: undefined, preimage: undefined } as const;
    work.draft.payment.put(paymentId, { paymentId, paymentHash, totalMsat, nodeKey, ...fresh });
    return undefined;
  }
  if (known.nodeKey !== nodeKey) return badPayment("the payment id is another node's");
  if (known.paymentHash !== paymentHash) return badPayment("the payment id has another hash");
  if (known.state !== "pending") return badPayment(`the payment is ${known.state}`);
  if (known.closedReason !== undefined) return badPayment("the payment takes no more parts");
  if (work.draft.part.select("payment", paymentId).length > 0) {
    return badPayment("the payment has parts");
  }
  return known.totalMsat === totalMsat
    ? undefined
    : badPayment("the payment id has another amount");
}

/** Errors: malformed (unknown payment). Closing twice is answered like the first time. */
export function requestClose(work: Work, input: Input<"paymentClosed">): Refusal | undefined {
  const payment = work.draft.payment.get(input.paymentId);
  if (payment?.nodeKey !== input.nodeKey) return badPayment("no such payment");
  closePayment(work, payment, input.reason);
  return undefined;
}

/** Errors: htlcCommitted, unimplemented (not an own payment), malformed (other payment's source). */
export function htlcNotSent(work: Work, input: Input<"htlcNotSent">): Refusal | undefined {
  const { source, nodeKey, channelId, paymentHash } = input;
  const { sourceKey, origin } = source;
  if (origin.kind !== "own") {
    return refuse("unimplemented", `HTLCs with a ${origin.kind} source are not supported`);
  }
  const known = work.draft.part.get(sourceKey);
  if (known?.state === "notSent") return undefined;
  if (known !== undefined) {
    return refuse("htlcCommitted", "an accepted update contains the HTLC: a monitor resolves it", {
      source_key: sourceKey,
    });
  }
  const { firstHopMsat: amountMsat } = origin.part;
  const named = { sourceKey, source: origin.part, channelId, nodeKey, paymentHash, amountMsat };
  const refusal = checkPart(work, named);
  if (refusal !== undefined) return refusal;
  addPart(work, named);
  const part: PartRow = must(work.draft.part.get(sourceKey), "part");
  const payment = must(work.draft.payment.get(part.paymentId), "payment");
  changePart(work, part, "notSent");
  if (payment.state === "sent") return undefined;
  tellPathFailed(work, payment, part, NOT_SENT);
  failIfOver(work, payment);
  return undefined;
}
