/**
 * farwatch/preimage/v1: knowledge outside the numbered chain (contract 2.1). Idempotent, free of
 * order, legal in every channel state. The body names the hash; the preimage travels beside it.
 */
import { channelId, managerKey, paymentHash, sourceKey } from "../ids.js";
import type { ChannelId, ManagerKey, PaymentHash, SourceKey } from "../ids.js";
import type { Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { taggedHash } from "./tagged-hash.js";
import { checkBody, openBody, startBody } from "./writer.js";

export const PREIMAGE_TAG = "farwatch/preimage/v1";
export const PREIMAGE_BODY_BYTES = 170;

export interface PreimageRecord {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly channelId: ChannelId;
  readonly managerKey: ManagerKey;
  readonly epoch: bigint;
  readonly paymentHash: PaymentHash;
  readonly sourceKey: SourceKey;
}

export const encodePreimageRecord = (record: PreimageRecord): Uint8Array =>
  startBody(PREIMAGE_BODY_BYTES)
    .hex(record.chainHash, 32)
    .hex(record.channelId, 32)
    .hex(record.managerKey, 32)
    .u64(record.epoch)
    .hex(record.paymentHash, 32)
    .hex(record.sourceKey, 32)
    .finish();

/** Errors: wrongLength, malformed (version). */
export function parsePreimageRecord(bytes: Uint8Array): Result<PreimageRecord, Refusal> {
  const refusal = checkBody(bytes, PREIMAGE_BODY_BYTES, "preimage");
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const record = {
    chainHash: reader.hex(32),
    channelId: channelId(reader.hex(32)),
    managerKey: managerKey(reader.hex(32)),
    epoch: reader.u64(),
    paymentHash: paymentHash(reader.hex(32)),
    sourceKey: sourceKey(reader.hex(32)),
  };
  reader.finish();
  return ok(record);
}

export const hashPreimageRecord = taggedHash(PREIMAGE_TAG);
