/**
 * Sizes of signed batches and payloads. A batch must fit in one gRPC message: 4 MiB for updates and
 * receipts, 256 KiB for the other calls (reliability 3.7). Both sides enforce the same numbers.
 */
import { refuse, type Refusal } from "../reasons.js";

/** Updates under one signature. Gain is flat above 256; more would only delay the first receipt. */
export const MAX_BATCH_UPDATES = 1024;
/** About 245 bytes each on the wire, so a full batch stays below 256 KiB. */
export const MAX_BATCH_PREIMAGES = 1024;
/** About 205 bytes each on the wire, so a full batch stays below 256 KiB. */
export const MAX_BATCH_ACKS = 1024;
/** One commit may cover several batches; about 350 bytes each, so a full batch stays below 2 MiB. */
export const MAX_BATCH_RECEIPTS = 4096;
/**
 * Bytes of one update's or initial state's payload. One LDK update can exceed 1 MiB; header, batch
 * and framing must still fit beside it in 4 MiB.
 */
export const MAX_PAYLOAD_BYTES = 3 * 1024 * 1024;

/** A refusal when a payload is above MAX_PAYLOAD_BYTES. */
export function checkPayloadSize(length: number, field: string): Refusal | undefined {
  if (length <= MAX_PAYLOAD_BYTES) return undefined;
  return refuse("tooLarge", `${field}: ${length} bytes, limit ${MAX_PAYLOAD_BYTES}`, {
    field,
    limit: String(MAX_PAYLOAD_BYTES),
  });
}
