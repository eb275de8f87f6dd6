/** The node has durably handled items. Any order, repeats are OK; unknown ids change nothing. */
import { resettle } from "./acks.js";
import type { DoneAnswer, ManagerInput } from "./input.js";
import { closePayment } from "./payments/outbound.js";
import { rowKeys, type ItemRow } from "./rows.js";
import type { Work } from "./work.js";

type ItemsDone = Extract<ManagerInput, { kind: "itemsDone" }>;

export function itemsDone(work: Work, done: ItemsDone): void {
  for (const { itemId, answer } of done.items) {
    const item = work.draft.item.get(rowKeys.item(itemId));
    if (item === undefined || item.nodeKey !== done.nodeKey || item.handled) continue;
    work.draft.item.put(rowKeys.item(itemId), { ...item, handled: true });
    applyAnswer(work, item, answer);
    resettle(work, item.semanticKey);
  }
}

/** Only PaymentPathFailed asks a question; any other answer to it leaves the payment pending. */
function applyAnswer(work: Work, item: ItemRow, answer: DoneAnswer): void {
  if (item.event.kind !== "paymentPathFailed" || answer.kind !== "abandon") return;
  closePayment(work, item.event.paymentId, answer.reason);
}
