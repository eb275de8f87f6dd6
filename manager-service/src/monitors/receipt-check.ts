/**
 * Which receipts of a monitor are believed: the batch is signed by the pinned key for this store, each
 * header is one of the batch, and each names the hash that we hold at its id (contract 2.3). Nothing
 * else reaches the runtime, because a believed receipt releases money.
 */
import { receiptBatchFromWire } from "@farwatch/protocol/convert/receipt";
import { openReceiptBatch } from "@farwatch/protocol/envelope/open-monitor-message";
import type { Receipt } from "@farwatch/protocol/envelope/receipt";
import type { ReceiptBatch as WireReceiptBatch } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { ChannelId, Hash32, UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { ok, type Result } from "@farwatch/protocol/result";
import type { LinkContext } from "./link-context.js";
import type { MonitorReceipt } from "./monitor-link.js";

export interface OpenedReceipt extends MonitorReceipt {
  readonly tipHeight: number;
}

/** Signed and addressed to us. Errors: of the first receipt or of the batch that is not. */
export function openReceipts(
  { options, session }: Pick<LinkContext, "options" | "session">,
  wire: WireReceiptBatch,
): Result<readonly OpenedReceipt[], Refusal> {
  const shaped = receiptBatchFromWire(wire);
  if (!shaped.ok) return shaped;
  const { header, signature, receipts } = shaped.value;
  const { curve, monitorKey, chainHash } = options;
  const opened = openReceiptBatch(
    curve,
    { monitorKey, chainHash, storeId: session.storeId },
    { header, signature, receipts: receipts.map((receipt) => receipt.header) },
  );
  if (!opened.ok) return opened;
  const found: OpenedReceipt[] = [];
  for (const [index, item] of opened.value.items.entries()) {
    if (!item.ok) return item;
    found.push(receiptOf(item.value.header, receipts[index]?.header ?? header));
  }
  return ok(found);
}

/** The signed header alone counts; fields beside it on the wire are not looked at. */
const receiptOf = (receipt: Receipt, header: Uint8Array): OpenedReceipt => ({
  channelId: receipt.channelId,
  updateId: receipt.updateId,
  updateHash: receipt.updateHash,
  status: receipt.status,
  eventWatermark: receipt.eventWatermark,
  header,
  tipHeight: receipt.tip.height,
});

export interface JudgedReceipts {
  readonly believed: readonly MonitorReceipt[];
  readonly conflicts: readonly ReceiptConflict[];
}
export interface ReceiptConflict {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  readonly refusal: Refusal;
}

/** Compares each receipt with what we hold at its id. */
export async function judgeReceipts(
  receipts: readonly OpenedReceipt[],
  hashAt: (channelId: ChannelId, updateId: UpdateId) => Promise<Hash32 | undefined>,
): Promise<JudgedReceipts> {
  const believed: MonitorReceipt[] = [];
  const conflicts: ReceiptConflict[] = [];
  for (const { tipHeight: _, ...receipt } of receipts) {
    const { channelId, updateId, updateHash } = receipt;
    const own = await hashAt(channelId, updateId);
    if (own === updateHash) believed.push(receipt);
    else conflicts.push({ channelId, updateId, refusal: otherHistory(updateId, updateHash, own) });
  }
  return { believed, conflicts };
}

/** Both sides hold something at an id, and it is not the same. */
export const otherHistory = (id: UpdateId, theirs: string, own: string | undefined): Refusal =>
  refuse("updateConflict", `the monitor holds another update ${id} than we do`, {
    update_id: String(id),
    monitor_hash: theirs,
    own_hash: own ?? "none",
  });
