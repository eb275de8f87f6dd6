/** Done: an item without an answer, or named twice, says nothing clear and is refused as a whole. */
import { fail, present } from "@farwatch/protocol/convert/reader";
import {
  CommandResult,
  ManagerServiceService as Service,
  type DoneItem,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { MAX_DONE_ITEMS } from "./limits.js";
import { shortText } from "./text.js";
import { unary, type Rpc } from "./unary.js";

export const done = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.done,
    async serve(who, { items }) {
      checkItems(items);
      const unknown = await context.host.done(who, items);
      return unknown.ok ? ok({ unknownItems: unknown.value }) : unknown;
    },
  });

function checkItems(items: readonly DoneItem[]): void {
  if (items.length > MAX_DONE_ITEMS) {
    fail("tooLarge", "items", `more than ${MAX_DONE_ITEMS} items`);
  }
  const seen = new Set<bigint>();
  for (const [index, { itemId, answer }] of items.entries()) {
    const field = `items[${index}]`;
    if (seen.has(itemId)) fail("malformed", `${field}.item_id`, "named twice");
    seen.add(itemId);
    const given = present(answer, `${field}.answer`);
    if (given.$case === "abandon") shortText(given.value.reason, `${field}.abandon.reason`);
    if (given.$case === "commandResult") checkCommandResult(given.value, field);
  }
}

function checkCommandResult(result: CommandResult, field: string): void {
  if (result < CommandResult.SENT || result > CommandResult.CHANNEL_CLOSED) {
    fail("malformed", `${field}.command_result`, "not a known result");
  }
}
