/**
 * farwatch/receipt/v1: a monitor's proof that every update of a channel up to update_id is durable
 * (reliability 3.5, contract 2.3 to 2.5). Signed through farwatch/receipt-batch/v1.
 */
import { blockHeight, LOCKTIME_THRESHOLD, type BlockPoint } from "../block.js";
import { channelId, eventId, monitorKey, storeId, updateId } from "../ids.js";
import type { ChannelId, EventId, Hash32, MonitorKey, StoreId, UpdateId } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { taggedHash } from "./tagged-hash.js";
import { checkBody, openBody, startBody } from "./writer.js";

export const RECEIPT_TAG = "farwatch/receipt/v1";
export const RECEIPT_BODY_BYTES = 211;

/** appliedAfterClose: durable, but release nothing that depended on it (contract 2.4). */
export type ReceiptStatus = "persisted" | "appliedAfterClose";
const STATUS_CODE: Readonly<Record<ReceiptStatus, number>> = { persisted: 1, appliedAfterClose: 2 };

export interface Receipt {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  /** Rises with every start of the store. */
  readonly storeGen: bigint;
  readonly channelId: ChannelId;
  readonly setNo: number;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly status: ReceiptStatus;
  /** Highest event id of the channel in the same commit; 0 when it has none. */
  readonly eventWatermark: EventId;
  /** The monitor's best block in the same commit. */
  readonly tip: BlockPoint;
}

export const encodeReceipt = (receipt: Receipt): Uint8Array =>
  startBody(RECEIPT_BODY_BYTES)
    .hex(receipt.chainHash, 32)
    .hex(receipt.monitorKey, 32)
    .hex(receipt.storeId, 16)
    .u64(receipt.storeGen)
    .hex(receipt.channelId, 32)
    .u32(receipt.setNo)
    .u64(receipt.updateId)
    .hex(receipt.updateHash, 32)
    .u8(STATUS_CODE[receipt.status])
    .u64(receipt.eventWatermark)
    .u32(receipt.tip.height)
    .blockHash(receipt.tip.hash)
    .finish();

function statusOf(code: number): ReceiptStatus | undefined {
  if (code === STATUS_CODE.persisted) return "persisted";
  if (code === STATUS_CODE.appliedAfterClose) return "appliedAfterClose";
  return undefined;
}

/** Errors: wrongLength, malformed (version, status), rangeExceeded (tip height). */
export function parseReceipt(bytes: Uint8Array): Result<Receipt, Refusal> {
  const refusal = checkBody(bytes, RECEIPT_BODY_BYTES, "receipt");
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const fields = {
    chainHash: reader.hex(32),
    monitorKey: monitorKey(reader.hex(32)),
    storeId: storeId(reader.hex(16)),
    storeGen: reader.u64(),
    channelId: channelId(reader.hex(32)),
    setNo: reader.u32(),
    updateId: updateId(reader.u64()),
    updateHash: reader.hash32(),
  };
  const status = statusOf(reader.u8());
  const eventWatermark = eventId(reader.u64());
  const height = reader.u32();
  const hash = reader.blockHash();
  reader.finish();
  if (status === undefined) {
    return err(refuse("malformed", "receipt: unknown status", { field: "receipt.status" }));
  }
  if (height >= LOCKTIME_THRESHOLD) {
    const details = { field: "receipt.tip_height", limit: String(LOCKTIME_THRESHOLD - 1) };
    return err(refuse("rangeExceeded", "receipt: tip height is not a height", details));
  }
  return ok({ ...fields, status, eventWatermark, tip: { height: blockHeight(height), hash } });
}

export const hashReceipt = taggedHash(RECEIPT_TAG);
