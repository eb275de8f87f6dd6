/**
 * When an event may be acked: one predicate over durable rows (persistent-events 2J, 3.8.6). The intent
 * is a row of the same commit as what justifies it, so "ack sent" always implies "effect durable".
 *
 *   own claim          PaymentSent handled
 *   own failure        PaymentPathFailed handled, and PaymentFailed too when this part caused it
 *   close, spend       the commit that stores the closed channel and its ChannelClosed item
 *   spendable, discard their item handled
 *   nothing to do      the commit that recorded it
 */
import { rowKeys, type InboxRow } from "./rows.js";
import { toldItem, type Work } from "./work.js";

/** Sets what the row's ack waits for; with nothing left to wait for, it becomes an intent. */
export function settle(work: Work, row: InboxRow, waitsFor: readonly string[]): void {
  const open = waitsFor.filter((key) => toldItem(work, key)?.handled === false);
  if (open.length > 0) {
    work.draft.inbox.put(rowKeys.inbox(row), { ...row, state: "waiting", waitsFor: open });
    return;
  }
  const key = rowKeys.inbox(row);
  const { monitorKey, storeId, channelId, eventId, eventHash } = row;
  const ack = { monitorKey, storeId, channelId, eventId, eventHash };
  work.draft.inbox.put(key, { ...row, state: "ackable", waitsFor: [] });
  work.draft.ack.put(key, ack);
  work.effects.push({ kind: "sendAck", ack });
}

/** An item was handled, retracted or changed: the rows that wait for it are looked at again. */
export function resettle(work: Work, semanticKey: string): void {
  for (const row of work.draft.inbox.select("waitsFor", semanticKey)) {
    settle(work, row, row.waitsFor);
  }
}

export function confirmAcks(work: Work, inboxKeys: readonly string[]): void {
  for (const key of inboxKeys) {
    const row = work.draft.inbox.get(key);
    work.draft.ack.delete(key);
    if (row !== undefined) work.draft.inbox.put(key, { ...row, state: "acked" });
  }
}

/** One sentence for ListPendingEvents. */
export function whyNotAcked(row: InboxRow): string {
  switch (row.state) {
    case "held":
      return "the update that caused this failure is not durable on every required monitor";
    case "waiting":
      return `the node has not handled ${row.waitsFor.join(", ")}`;
    case "ackable":
      return "the ack is stored and on its way to the monitor";
    case "acked":
      return "acked";
  }
}
