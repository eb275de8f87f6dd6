/**
 * Preimage records (contract 2.1): what the manager learns on its own, durable and sent at once to every
 * required monitor of the channel that can claim with it. Pure knowledge: it adds claims only, so it is
 * recorded whatever state the channel is in, and once per channel and hash.
 */
import {
  hashOfPreimage,
  type ChannelId,
  type PaymentHash,
  type Preimage,
  type SourceKey,
} from "@farwatch/protocol/ids";
import type { ManagerInput } from "../input.js";
import type { ManagerView } from "../draft.js";
import { rowKeys, type InboundRow, type PreimageRow } from "../rows.js";
import type { Work } from "../work.js";

/** Effects: the record, sent when it is on disk. A record that exists stays as it is. */
export function recordPreimage(
  work: Work,
  channelId: ChannelId,
  preimage: Preimage,
  sourceKey: SourceKey | undefined,
): void {
  const paymentHash = hashOfPreimage(preimage);
  const key = rowKeys.preimage({ channelId, paymentHash });
  if (work.draft.preimage.get(key) !== undefined) return;
  const createdAtMs = work.context.nowMs;
  const row = { channelId, paymentHash, preimage, sourceKey, durableOn: [], createdAtMs };
  work.draft.preimage.put(key, row);
  const channel = work.draft.channel.get(channelId);
  if (channel !== undefined) work.effects.push({ kind: "sendPreimage", channel, record: row });
}

/** A monitor has them. Unknown ones and repeats change nothing. */
export function preimagesStored(
  work: Work,
  { monitorKey, storeId, records }: Extract<ManagerInput, { kind: "preimagesStored" }>,
): void {
  for (const record of records) {
    const key = rowKeys.preimage(record);
    const row = work.draft.preimage.get(key);
    if (row === undefined) continue;
    if (row.durableOn.some((at) => at.monitorKey === monitorKey && at.storeId === storeId))
      continue;
    const others = row.durableOn.filter((at) => at.monitorKey !== monitorKey);
    work.draft.preimage.put(key, { ...row, durableOn: [...others, { monitorKey, storeId }] });
    work.touched.add(record.channelId);
  }
}

/**
 * True when every required monitor of the channel said that it has the preimage, in the store it has now:
 * what a lost store had is sent again.
 */
export function isPreimageDurable(
  view: Pick<ManagerView, "channel" | "preimage" | "receipt">,
  channelId: ChannelId,
  paymentHash: PaymentHash,
): boolean {
  const row = view.preimage.get(rowKeys.preimage({ channelId, paymentHash }));
  const channel = view.channel.get(channelId);
  if (row === undefined || channel === undefined) return false;
  return channel.requiredMonitors.every((monitor) => {
    const now = view.receipt.get(rowKeys.receipt(monitor, channelId))?.storeId;
    const has = row.durableOn.find(({ monitorKey }) => monitorKey === monitor);
    return has !== undefined && (now === undefined || now === has.storeId);
  });
}

/**
 * False once claims took every inbound HTLC of this hash out of the channel: only a monitor that had the
 * preimage could store those removals, and it may drop the preimage with the HTLCs. A record that came
 * after a fail, or is of no HTLC that we know, stays wanted.
 */
export function isRecordWanted(
  { inbound }: Pick<ManagerView, "inbound">,
  record: Pick<PreimageRow, "channelId" | "paymentHash">,
): boolean {
  const rows = inbound.select("record", rowKeys.preimage(record));
  const isGone = ({ settled, removedBy, lost }: InboundRow): boolean =>
    settled && removedBy !== undefined && !lost;
  return rows.length === 0 || !rows.every(isGone);
}
