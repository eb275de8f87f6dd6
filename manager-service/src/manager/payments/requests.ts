/** What the node asks about its own payments: register, close. */
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ManagerInput } from "../input.js";
import type { Work } from "../work.js";
import { closePayment } from "./outbound.js";

type Input<K extends ManagerInput["kind"]> = Extract<ManagerInput, { kind: K }>;

const badPayment = (message: string): Refusal =>
  refuse("malformed", message, { field: "payment_id" });

/**
 * The same id again is an answer that got lost only while nothing can have been paid under it; later it
 * would pay twice. Errors: malformed (the id is in use).
 */
export function registerPayment(
  work: Work,
  input: Input<"paymentRegistered">,
): Refusal | undefined {
  const { nodeKey, paymentId, paymentHash, totalMsat, isProbe } = input;
  const known = work.draft.payment.get(paymentId);
  if (known === undefined) {
    const fresh = { state: "pending", closedReason: undefined, preimage: undefined } as const;
    work.draft.payment.put(paymentId, {
      paymentId,
      paymentHash,
      totalMsat,
      nodeKey,
      isProbe,
      ...fresh,
    });
    return undefined;
  }
  if (known.nodeKey !== nodeKey) return badPayment("the payment id is another node's");
  if (known.isProbe !== isProbe) return badPayment("the payment id is in use");
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
