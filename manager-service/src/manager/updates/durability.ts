/**
 * Durable: every required monitor has persisted it and the manager holds the receipts (contract, head).
 * Completed: durable, and every event up to each monitor's watermark is recorded (contract section 1).
 */
import { eventId, type UpdateId } from "@farwatch/protocol/ids";
import type { ManagerView } from "../draft.js";
import { rowKeys, type ChannelRow, type Completion, type ReceiptRow } from "../rows.js";

type Receipts = Pick<ManagerView, "receipt">;

/** One per required monitor, in their order; undefined: nothing received yet. */
export const receiptsOf = (
  view: Receipts,
  channel: ChannelRow,
): readonly (ReceiptRow | undefined)[] =>
  channel.requiredMonitors.map((monitor) =>
    view.receipt.get(rowKeys.receipt(monitor, channel.channelId)),
  );

/** Highest id that every required monitor has; undefined when one has nothing. */
export function durableId(view: Receipts, channel: ChannelRow): UpdateId | undefined {
  let lowest: UpdateId | undefined;
  for (const receipt of receiptsOf(view, channel)) {
    if (receipt?.updateId === undefined) return undefined;
    if (lowest === undefined || receipt.updateId < lowest) lowest = receipt.updateId;
  }
  return lowest;
}

export const isDurable = (view: Receipts, channel: ChannelRow, id: UpdateId): boolean =>
  (durableId(view, channel) ?? -1n) >= id;

/**
 * What may be told as completed now; undefined: nothing yet. The watermark looked at is that of each
 * monitor's newest receipt, at least as high as the one of the update itself. A closed completion
 * waits until the manager recorded why the channel closed.
 */
export function completionOf(view: Receipts, channel: ChannelRow): Completion | undefined {
  const updateId = durableId(view, channel);
  if (updateId === undefined) return undefined;
  let eventWatermark = eventId(0);
  let closed = false;
  for (const receipt of receiptsOf(view, channel)) {
    if (receipt === undefined || receipt.recordedEventId < receipt.watermark) return undefined;
    if (receipt.watermark > eventWatermark) eventWatermark = receipt.watermark;
    closed ||= receipt.afterClose;
  }
  if (closed && channel.closed === undefined) return undefined;
  return { updateId, eventWatermark, closed, itemWatermark: channel.relayedUpTo };
}

/** Accepted updates that this monitor has not acknowledged. */
export function lagOf(view: Receipts, channel: ChannelRow, receiptKey: string): bigint {
  const receipt = view.receipt.get(receiptKey);
  const has = receipt?.updateId ?? channel.firstUpdateId - 2n;
  return channel.acceptedId > has ? channel.acceptedId - has : 0n;
}
