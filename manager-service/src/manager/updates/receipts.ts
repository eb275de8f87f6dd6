/**
 * Receipts make updates durable: on one monitor when its receipt is stored, for the channel when every
 * required monitor's is. `completed` follows only after the events up to each monitor's watermark were
 * recorded (contract 2.5): order, never an ack, is what it waits for.
 */
import { eventId, updateId, type ChannelId, type UpdateId } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { ManagerInput } from "../input.js";
import { rowKeys, type ChannelRow, type ReceiptRow } from "../rows.js";
import { releaseHeld } from "../monitor-events/htlc-event.js";
import { channelOf, type Work } from "../work.js";

type ReceiptStored = Extract<ManagerInput, { kind: "receiptStored" }>;

export function storeReceipt(work: Work, receipt: ReceiptStored): void {
  const { monitorKey, channelId } = receipt;
  const key = rowKeys.receipt(monitorKey, channelId);
  const known = work.draft.receipt.get(key);
  if (known === undefined) return; // not a monitor of this channel
  if (known.updateId !== undefined && known.updateId > receipt.updateId) return;
  work.draft.receipt.put(key, {
    ...known,
    storeId: receipt.storeId,
    updateId: receipt.updateId,
    updateHash: receipt.updateHash,
    afterClose: receipt.afterClose,
    watermark: receipt.watermark > known.watermark ? receipt.watermark : known.watermark,
    proof: receipt.proof,
  });
  durabilityMayHaveMoved(work, channelId);
}

const receiptsOf = (work: Work, row: ChannelRow): readonly ReceiptRow[] =>
  row.requiredMonitors.map((monitor) =>
    must(work.draft.receipt.get(rowKeys.receipt(monitor, row.channelId)), "receipt row"),
  );

/** Highest id durable on every required monitor; undefined while one has nothing. */
export function durableId(receipts: readonly ReceiptRow[]): UpdateId | undefined {
  let lowest: UpdateId | undefined;
  for (const { updateId: id } of receipts) {
    if (id === undefined) return undefined;
    if (lowest === undefined || id < lowest) lowest = id;
  }
  return lowest;
}

export const isDurable = (work: Work, row: ChannelRow, id: UpdateId): boolean =>
  (durableId(receiptsOf(work, row)) ?? -1n) >= id;

/** After a receipt or an event: releases held failures and tells `completed` when it may be told. */
export function durabilityMayHaveMoved(work: Work, channelId: ChannelId): void {
  const row = channelOf(work, channelId);
  releaseHeld(work, row);
  const receipts = receiptsOf(work, row);
  const durable = durableId(receipts);
  if (durable === undefined || (row.completedId ?? -1n) >= durable) return;
  const afterClose = receipts.some((receipt) => receipt.afterClose);
  const eventsRecorded = receipts.every(
    ({ recordedEventId, watermark }) => recordedEventId >= watermark,
  );
  // A late update is completed only after the close itself was told.
  if (!eventsRecorded || (afterClose && row.closed === undefined)) return;
  work.draft.channel.put(channelId, { ...channelOf(work, channelId), completedId: durable });
  work.effects.push(completedEffect(row, receipts, durable));
}

export function completedEffect(row: ChannelRow, receipts: readonly ReceiptRow[], id: UpdateId) {
  const watermark = receipts.reduce(
    (highest, receipt) => (receipt.watermark > highest ? receipt.watermark : highest),
    eventId(0),
  );
  return {
    kind: "completed",
    nodeKey: row.nodeKey,
    channelId: row.channelId,
    updateId: updateId(id),
    eventWatermark: watermark,
    closed: row.closed !== undefined || receipts.some((receipt) => receipt.afterClose),
  } as const;
}
