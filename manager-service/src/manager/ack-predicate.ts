/**
 * The one rule when a monitor event may be acked (persistent-events 2J for the kinds this role knows),
 * over rows only. It is evaluated on the rows of the very transaction that stores the ack intent, so an
 * intent on disk implies that what justifies it is on disk too.
 *
 * | event | acked when |
 * |---|---|
 * | claimed, own payment | PaymentSent is handled |
 * | failed, own payment | PaymentPathFailed, and PaymentFailed if it is told, are handled |
 * | failed, after a claim or twice | at once, or with those items if they are still un-handled |
 * | holder force-closed, commitment confirmed | in the commit that stores closed and ChannelClosed |
 * | spendable outputs, discard funding | its item is handled |
 * | failed, from update n | not before n is durable on every required monitor and the above |
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { ManagerView } from "./draft.js";
import { rowKeys, type InboxRow, type ItemRow } from "./rows.js";
import type { Work } from "./work.js";

const unhandled = (view: Pick<ManagerView, "item">, semanticKey: string): ItemRow | undefined =>
  view.item.select("semantic", semanticKey).find((item) => !item.handled);

/** What the ack waits for, in one sentence; undefined: nothing, it is on its way or may go now. */
export function whyNotAcked(view: Pick<ManagerView, "item">, row: InboxRow): string | undefined {
  switch (row.state) {
    case "held": {
      const { origin } = row;
      const id = origin.kind === "update" ? origin.updateId : 0n;
      return `update ${id} is not durable on every required monitor yet`;
    }
    case "waiting": {
      const key = row.waitsFor.find((wanted) => unhandled(view, wanted) !== undefined);
      return key === undefined ? undefined : `the node has not handled ${key}`;
    }
    case "ackable":
      return undefined;
    case "stuck":
      return "this version cannot process the event; it is kept";
    default:
      return assertNever(row.state);
  }
}

/** Stores ack intents for every event that this step made ackable. */
export function storeAckIntents(work: Work): void {
  const { draft } = work;
  const rows = new Map<string, InboxRow>();
  const consider = (row: InboxRow): unknown => rows.set(rowKeys.inbox(row), row);
  const changed = draft.item.written().map(({ semanticKey }) => semanticKey);
  for (const key of [...changed, ...work.withdrawn]) {
    draft.inbox.select("waitsFor", key).forEach(consider);
  }
  draft.inbox.written().forEach(consider);
  for (const key of [...rows.keys()].sort()) {
    const row = draft.inbox.get(key);
    if (row?.state !== "waiting" || whyNotAcked(draft, row) !== undefined) continue;
    const { monitorKey, storeId, channelId, eventId, eventHash, joined } = row;
    const ack = { monitorKey, storeId, channelId, eventId, eventHash, joined };
    draft.inbox.put(key, { ...row, state: "ackable" });
    draft.ack.put(key, ack);
    work.effects.push({ kind: "sendAck", ack });
  }
}
