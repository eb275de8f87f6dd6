/**
 * Done: the node has durably handled items. Any order; repeats and unknown ids change nothing. ABANDON as
 * the answer to PaymentPathFailed closes the payment, in the same commit.
 */
import { must } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { closePayment } from "./payments/outbound.js";
import { rowKeys } from "./rows.js";
import type { ManagerInput } from "./input.js";
import type { Work } from "./work.js";

/** Errors: malformed (an answer to PaymentPathFailed for another item). */
export function itemsDone(
  work: Work,
  input: Extract<ManagerInput, { kind: "itemsDone" }>,
): Refusal | undefined {
  for (const { itemId, answer } of input.items) {
    const key = rowKeys.item(itemId);
    const item = work.draft.item.get(key);
    if (item?.nodeKey !== input.nodeKey) continue;
    if (answer.kind !== "handled" && item.event.kind !== "paymentPathFailed") {
      return refuse("malformed", `${answer.kind} answers a PaymentPathFailed only`, {
        field: "items.answer",
        item_id: String(itemId),
      });
    }
    if (item.handled) continue;
    work.draft.item.put(key, { ...item, handled: true });
    if (answer.kind === "abandon" && item.event.kind === "paymentPathFailed") {
      const payment = must(work.draft.payment.get(item.event.paymentId), "payment of an item");
      closePayment(work, payment, answer.reason);
    }
  }
  return undefined;
}
