/**
 * farwatch/receipt-batch/v1: one monitor signature over whatever became durable in one commit
 * (contract 2.3): ver | chain_hash | monitor_key | store_id:16 | count:u32 | receipt_hash[count].
 */
import { monitorKey, storeId, type Hash32, type MonitorKey, type StoreId } from "../ids.js";
import type { Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { batchBytes, checkBatchBody, readHashes, writeHashes } from "./hash-list.js";
import { MAX_BATCH_RECEIPTS } from "./limits.js";
import { taggedHash } from "./tagged-hash.js";
import { openBody, startBody } from "./writer.js";

export const RECEIPT_BATCH_TAG = "farwatch/receipt-batch/v1";

export interface ReceiptBatch {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly hashes: readonly Hash32[];
}

const rule = { layout: "receiptBatch", headBytes: 82, maxHashes: MAX_BATCH_RECEIPTS };

/** The batch must hold 1 to MAX_BATCH_RECEIPTS hashes. */
export const encodeReceiptBatch = (batch: ReceiptBatch): Uint8Array =>
  writeHashes(
    startBody(batchBytes(rule, batch.hashes.length))
      .hex(batch.chainHash, 32)
      .hex(batch.monitorKey, 32)
      .hex(batch.storeId, 16),
    batch.hashes,
    rule,
  ).finish();

/** Errors: wrongLength, malformed (version, empty), tooLarge. */
export function parseReceiptBatch(bytes: Uint8Array): Result<ReceiptBatch, Refusal> {
  const refusal = checkBatchBody(bytes, rule);
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const batch = {
    chainHash: reader.hex(32),
    monitorKey: monitorKey(reader.hex(32)),
    storeId: storeId(reader.hex(16)),
    hashes: readHashes(reader),
  };
  reader.finish();
  return ok(batch);
}

export const hashReceiptBatch = taggedHash(RECEIPT_BATCH_TAG);
