/**
 * Receipts <-> wire. Only shapes are checked here; that the fields agree with the signed header and the
 * header with the signature is what the envelope checks decide (contract 2.3).
 */
import { assertNever } from "../assert.js";
import { fromHex } from "../bytes.js";
import { channelId, eventId, hash32, updateId } from "../ids.js";
import type { ChannelId, EventId, Hash32, UpdateId } from "../ids.js";
import type { Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import type { ReceiptStatus } from "../envelope/receipt.js";
import * as wire from "../../gen/monitor/v1/monitor_service.js";
import { fail, fixed, fixedHex, readWith } from "./reader.js";

const SIGNATURE_BYTES = 64;

export interface ReceiptItem {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly status: ReceiptStatus;
  readonly eventWatermark: EventId;
  /** farwatch/receipt/v1 body. */
  readonly header: Uint8Array;
}

export interface SignedReceiptItems {
  /** farwatch/receipt-batch/v1 body. */
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
  readonly receipts: readonly ReceiptItem[];
}

export const receiptBatchToWire = (batch: SignedReceiptItems): wire.ReceiptBatch => ({
  header: Buffer.from(batch.header),
  signature: Buffer.from(batch.signature),
  receipts: batch.receipts.map(receiptToWire),
});

/** Errors: wrongLength, malformed. */
export const receiptBatchFromWire = (
  batch: wire.ReceiptBatch,
): Result<SignedReceiptItems, Refusal> =>
  readWith(() => ({
    header: Uint8Array.from(batch.header),
    signature: fixed(batch.signature, SIGNATURE_BYTES, "signature"),
    receipts: batch.receipts.map((receipt, index) => readReceipt(receipt, `receipts[${index}]`)),
  }));

function readReceipt(receipt: wire.Receipt, field: string): ReceiptItem {
  return {
    channelId: channelId(fixedHex(receipt.channelId, 32, `${field}.channel_id`)),
    updateId: updateId(receipt.updateId),
    updateHash: hash32(fixedHex(receipt.updateHash, 32, `${field}.update_hash`)),
    status: readStatus(receipt.status, `${field}.status`),
    eventWatermark: eventId(receipt.eventWatermark),
    header: Uint8Array.from(receipt.header),
  };
}

const receiptToWire = (receipt: ReceiptItem): wire.Receipt => ({
  channelId: Buffer.from(fromHex(receipt.channelId)),
  updateId: receipt.updateId,
  updateHash: Buffer.from(fromHex(receipt.updateHash)),
  status: writeStatus(receipt.status),
  eventWatermark: receipt.eventWatermark,
  header: Buffer.from(receipt.header),
});

function writeStatus(status: ReceiptStatus): wire.ReceiptStatus {
  switch (status) {
    case "persisted":
      return wire.ReceiptStatus.PERSISTED;
    case "appliedAfterClose":
      return wire.ReceiptStatus.APPLIED_AFTER_CLOSE;
    default:
      return assertNever(status);
  }
}

function readStatus(status: wire.ReceiptStatus, field: string): ReceiptStatus {
  switch (status) {
    case wire.ReceiptStatus.PERSISTED:
      return "persisted";
    case wire.ReceiptStatus.APPLIED_AFTER_CLOSE:
      return "appliedAfterClose";
    case wire.ReceiptStatus.UNSPECIFIED:
    default:
      return fail("malformed", field, "not a receipt status");
  }
}
