/**
 * J3: a monitor event arrives, at least once. It is recorded with everything that follows from it in one
 * commit (contract 2.10). Seen before: nothing new. Same subject from another monitor: the rules below
 * are idempotent per fact (part state, closed channel, semantic key), so it is processed without effect
 * and acked on its own monitor.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { eventId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ManagerInput } from "../input.js";
import { rowKeys, type InboxRow } from "../rows.js";
import { receiptRow } from "../updates/receipts.js";
import { alarm, channelOf, type Work } from "../work.js";
import { processClosed } from "./channel-closed.js";
import { mustHold, processHtlc } from "./htlc-event.js";
import { processDiscard, processOvertaken, processSpendable } from "./outputs.js";
import { relay } from "./relay.js";

type Received = Extract<ManagerInput, { kind: "monitorEvent" }>;

/** Errors: channelUnknown. */
export function receiveEvent(work: Work, event: Received): Refusal | undefined {
  const { monitorKey, channelId } = event;
  const channel = work.draft.channel.get(channelId);
  if (channel === undefined) {
    return refuse("channelUnknown", "an event of a channel this manager does not know", {
      channel_id: channelId,
    });
  }
  const key = rowKeys.inbox(event);
  const known = work.draft.inbox.get(key);
  noteRecorded(work, event, channel.nodeKey);
  work.touched.add(channelId);
  if (known?.eventHash === event.eventHash) return undefined;
  if (known !== undefined) replace(work, event, channel.nodeKey);
  const joined = work.draft.inbox
    .select("subject", event.subjectKey)
    .some((other) => other.monitorKey !== monitorKey);
  const { kind: _kind, ...fields } = event;
  const row: InboxRow = { ...fields, joined, state: "held", waitsFor: [] };
  work.draft.inbox.put(key, mustHold(work, row) ? row : { ...row, ...process(work, row) });
  return undefined;
}

/**
 * A store restored from a backup gives ids again (contract 2.9). What the older event told is in the domain
 * rows; it is no longer in that store, so no ack of it can arrive, and what caused it comes again. The new
 * one is an event like any other: refusing it could lose a preimage.
 */
function replace(work: Work, event: Received, nodeKey: string): void {
  const { monitorKey, channelId, eventId: id } = event;
  work.draft.ack.delete(rowKeys.inbox(event));
  const text =
    `monitor ${monitorKey} told event ${id} of channel ${channelId} again with other content: its store ` +
    `is an older copy; the new event counts`;
  const about = `${monitorKey}/${channelId}/${id}/${event.eventHash}`;
  alarm(work, nodeKey, "eventReplaced", about, text, channelId);
}

/** Also of a known event: where a store was restored, what it tells again counts anew. */
function noteRecorded(work: Work, event: Received, nodeKey: string): void {
  const { monitorKey, storeId, channelId, eventId: id } = event;
  const row = receiptRow(work, monitorKey, storeId, channelId);
  const expected = eventId(row.recordedEventId + 1n);
  if (id < expected) return;
  if (id > expected) gapAlarm(work, event, nodeKey, expected);
  const { ackedElsewhere: gone } = row;
  const isLast = gone !== undefined && id >= gone.after && id < gone.upTo;
  const recordedEventId = isLast ? gone.upTo : id;
  work.draft.receipt.put(rowKeys.receipt(monitorKey, channelId), { ...row, recordedEventId });
}

/** Events of a (store, channel) are gapless: missing ones were acked by an older copy of our store. */
function gapAlarm(work: Work, event: Received, nodeKey: string, expected: bigint): void {
  const { monitorKey, channelId, eventId: id } = event;
  const text = `events ${expected} to ${id - 1n} of channel ${channelId} never arrived from monitor ${monitorKey}`;
  alarm(work, nodeKey, "eventGap", `${monitorKey}/${channelId}/${id}`, text, channelId);
}

/** What the event leads to, by the role of the channel's node; called once per event. */
export function process(work: Work, row: InboxRow): Pick<InboxRow, "state" | "waitsFor"> {
  const { body } = row;
  const resolved = resolve(work, row);
  const { role } = channelOf(work, row.channelId);
  if (role === "managerResolves" || resolved.state === "stuck") return resolved;
  // Wallet facts are user events in every role.
  if (body.kind === "spendableOutputs") return resolved;
  return { state: "waiting", waitsFor: relay(work, row, role) };
}

function resolve(work: Work, row: InboxRow): Pick<InboxRow, "state" | "waitsFor"> {
  const { body } = row;
  switch (body.kind) {
    case "htlcEvent":
      return processHtlc(work, row, body);
    case "holderForceClosed":
    case "commitmentTxConfirmed":
      processClosed(work, row.channelId, body);
      return { state: "waiting", waitsFor: [] };
    case "spendableOutputs":
      return { state: "waiting", waitsFor: processSpendable(work, row, body) };
    case "discardFunding":
      return { state: "waiting", waitsFor: processDiscard(work, row, body) };
    case "penaltyOvertaken":
      return { state: "waiting", waitsFor: processOvertaken(work, row, body) };
    default:
      return assertNever(body);
  }
}
