/**
 * Receipts and what they set free: held fails, `completed`. A receipt is cumulative; an older one than
 * the newest stored changes nothing. A monitor with a new store starts from nothing.
 */
import { eventId, type ChannelId, type MonitorKey, type StoreId } from "@farwatch/protocol/ids";
import type { ManagerInput, VerifiedReceipt } from "../input.js";
import { rowKeys, type ReceiptRow } from "../rows.js";
import { alarm, changeChannel, type Work } from "../work.js";
import { completionOf } from "./durability.js";

/** The row of one monitor and channel; a fresh one when its store is new. */
export function receiptRow(
  work: Work,
  monitorKey: MonitorKey,
  storeId: StoreId,
  channelId: ChannelId,
): ReceiptRow {
  const known = work.draft.receipt.get(rowKeys.receipt(monitorKey, channelId));
  if (known?.storeId === storeId) return known;
  if (known !== undefined) {
    const nodeKey = work.draft.channel.get(channelId)?.nodeKey ?? "";
    const text = `monitor ${monitorKey} has a new store ${storeId}; it is brought up to date`;
    alarm(work, nodeKey, "storeReplaced", `${monitorKey}/${storeId}`, text);
  }
  return {
    monitorKey,
    storeId,
    channelId,
    updateId: undefined,
    updateHash: undefined,
    afterClose: false,
    watermark: eventId(0),
    recordedEventId: eventId(0),
    proof: undefined,
  };
}

export function storeReceipts(
  work: Work,
  input: Extract<ManagerInput, { kind: "receiptsStored" }>,
): void {
  for (const receipt of input.receipts) {
    const channel = work.draft.channel.get(receipt.channelId);
    if (channel === undefined) continue;
    const row = receiptRow(work, input.monitorKey, input.storeId, receipt.channelId);
    if (row.updateId !== undefined && receipt.updateId < row.updateId) continue;
    work.draft.receipt.put(
      rowKeys.receipt(input.monitorKey, receipt.channelId),
      newer(row, receipt),
    );
    work.touched.add(receipt.channelId);
  }
}

function newer(row: ReceiptRow, receipt: VerifiedReceipt): ReceiptRow {
  const { updateId, updateHash, afterClose, proof } = receipt;
  const watermark = receipt.watermark > row.watermark ? receipt.watermark : row.watermark;
  return { ...row, updateId, updateHash, afterClose, watermark, proof };
}

/** Tells the node what became complete. Cumulative and never backwards. */
export function complete(work: Work, channelId: ChannelId): void {
  const channel = work.draft.channel.get(channelId);
  if (channel === undefined) return;
  const completion = completionOf(work.draft, channel);
  if (completion === undefined) return;
  const told = channel.completed;
  if (told !== undefined && told.updateId >= completion.updateId) return;
  changeChannel(work, channelId, { completed: completion });
  work.effects.push({ kind: "completed", nodeKey: channel.nodeKey, channelId, completion });
}
