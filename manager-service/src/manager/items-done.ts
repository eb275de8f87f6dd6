/**
 * Done: the node has durably handled items. Any order; repeats and unknown ids change nothing. ABANDON as
 * the answer to PaymentPathFailed closes the payment, in the same commit.
 */
import { assertNever, must } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { commandAnswered } from "./inbound/commands.js";
import { closePayment, probeAnswered } from "./payments/outbound.js";
import { rowKeys, type ItemRow } from "./rows.js";
import type { DoneAnswer, ManagerInput } from "./input.js";
import { isCommand } from "./user-event.js";
import type { Work } from "./work.js";

/** Which answers fit which items; undefined: this one does. */
function wrongAnswer({ event }: ItemRow, { kind }: DoneAnswer): string | undefined {
  if (isCommand(event)) {
    return kind === "command" ? undefined : "a command is answered with its result";
  }
  if (event.kind === "probeResult") {
    return kind === "probe" ? undefined : "ProbeResult is answered with PROBE_OK or PROBE_FAILED";
  }
  switch (kind) {
    case "handled":
      return undefined;
    case "retrying":
    case "abandon":
      return event.kind === "paymentPathFailed"
        ? undefined
        : `${kind} answers a PaymentPathFailed only`;
    case "command":
      return "the item is no command";
    case "probe":
      return "the item is no ProbeResult";
    default:
      return assertNever(kind);
  }
}

/** Errors: malformed (an answer that is not for this kind of item). */
export function itemsDone(
  work: Work,
  input: Extract<ManagerInput, { kind: "itemsDone" }>,
): Refusal | undefined {
  for (const { itemId, answer } of input.items) {
    const key = rowKeys.item(itemId);
    const item = work.draft.item.get(key);
    if (item?.nodeKey !== input.nodeKey) continue;
    const wrong = wrongAnswer(item, answer);
    if (wrong !== undefined) {
      const details = { field: "items.answer", item_id: String(itemId) };
      return refuse("malformed", wrong, details);
    }
    if (item.handled) continue;
    if (answer.kind === "command") {
      commandAnswered(work, item, answer.result);
      continue;
    }
    work.draft.item.put(key, { ...item, handled: true });
    if (answer.kind === "probe" && item.event.kind === "probeResult") {
      probeAnswered(work, item.event, answer.succeeded);
    }
    if (answer.kind === "abandon" && item.event.kind === "paymentPathFailed") {
      const payment = must(work.draft.payment.get(item.event.paymentId), "payment of an item");
      closePayment(work, payment, answer.reason);
    }
  }
  return undefined;
}
