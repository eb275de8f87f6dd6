/**
 * The inbox. An event seen before (monitor, store, channel, id) changes nothing; the same subject from
 * another monitor joins: what it causes is told once, because items have semantic keys, and each
 * monitor gets its own ack (contract 2.10).
 */
import { assertNever } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { settle } from "../acks.js";
import type { ManagerInput } from "../input.js";
import { rowKeys, type ChannelRow, type InboxRow } from "../rows.js";
import { durabilityMayHaveMoved } from "../updates/receipts.js";
import { semanticKeys } from "../user-event.js";
import { tell, type Work } from "../work.js";
import { channelClosed } from "./channel-closed.js";
import { processHtlcEvent } from "./htlc-event.js";

type EventReceived = Extract<ManagerInput, { kind: "monitorEvent" }>;

export function recordEvent(work: Work, event: EventReceived): Result<void, Refusal> {
  const { channelId, monitorKey } = event;
  const channel = work.draft.channel.get(channelId);
  const receiptKey = rowKeys.receipt(monitorKey, channelId);
  const receipt = work.draft.receipt.get(receiptKey);
  if (channel === undefined || receipt === undefined) {
    return err(
      refuse("channelUnknown", "an event of a channel this monitor does not watch for us"),
    );
  }
  const known = work.draft.inbox.get(rowKeys.inbox(event));
  if (known !== undefined) {
    if (known.eventHash !== event.eventHash) {
      return err(refuse("updateConflict", "an event id came back with other bytes"));
    }
    resendAck(work, known);
    return ok(undefined);
  }
  if (event.eventId > receipt.recordedEventId) {
    const recorded = { storeId: event.storeId, recordedEventId: event.eventId };
    work.draft.receipt.put(receiptKey, { ...receipt, ...recorded });
  }
  const { kind: _kind, ...facts } = event;
  const row: InboxRow = { ...facts, state: "held", waitsFor: [] };
  work.draft.inbox.put(rowKeys.inbox(row), row);
  process(work, channel, row);
  durabilityMayHaveMoved(work, channelId);
  return ok(undefined);
}

/** The monitor still holds an event whose ack we already decided: it did not hear it. */
function resendAck(work: Work, row: InboxRow): void {
  if (row.state === "ackable" || row.state === "acked") settle(work, row, []);
}

function process(work: Work, channel: ChannelRow, row: InboxRow): void {
  const { body } = row;
  switch (body.kind) {
    case "htlcEvent":
      processHtlcEvent(work, channel, row);
      return;
    case "holderForceClosed":
    case "commitmentTxConfirmed":
      channelClosed(work, channel, body);
      settle(work, row, []);
      return;
    case "spendableOutputs": {
      const key = semanticKeys.spendable(row.subjectKey);
      const { outputs } = body;
      tell(work, channel.nodeKey, key, {
        kind: "spendableOutputs",
        channelId: channel.channelId,
        outputs,
      });
      settle(work, row, [key]);
      return;
    }
    case "discardFunding": {
      const key = semanticKeys.discard(row.subjectKey);
      const { funding } = body;
      tell(work, channel.nodeKey, key, {
        kind: "discardFunding",
        channelId: channel.channelId,
        funding,
      });
      settle(work, row, [key]);
      return;
    }
    default:
      assertNever(body);
  }
}
