/** Done: an item without an answer, or named twice, says nothing clear and is refused as a whole. */
import { fail } from "@farwatch/protocol/convert/reader";
import {
  ManagerServiceService as Service,
  type DoneItem,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ok } from "@farwatch/protocol/result";
import type { AnsweredItem } from "../runtime/manager-host.js";
import type { RpcContext } from "./admission.js";
import { MAX_DONE_ITEMS } from "./limits.js";
import { readAnswer } from "./read-answer.js";
import { shortText } from "./text.js";
import { unary, type Rpc } from "./unary.js";

export const done = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.done,
    async serve(who, { items }) {
      const unknown = await context.host.done(who, readItems(items));
      return unknown.ok ? ok({ unknownItems: [...unknown.value] }) : unknown;
    },
  });

function readItems(items: readonly DoneItem[]): readonly AnsweredItem[] {
  if (items.length > MAX_DONE_ITEMS) {
    fail("tooLarge", "items", `more than ${MAX_DONE_ITEMS} items`);
  }
  const seen = new Set<bigint>();
  return items.map(({ itemId, answer }, index) => {
    const field = `items[${index}]`;
    if (seen.has(itemId)) fail("malformed", `${field}.item_id`, "named twice");
    seen.add(itemId);
    const read = readAnswer(answer, `${field}.answer`);
    if (read.kind === "abandon") shortText(read.reason, `${field}.answer.abandon.reason`);
    return { itemId, answer: read };
  });
}
