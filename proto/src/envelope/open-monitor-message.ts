/**
 * What a manager does with a monitor's signed receipts and events before it believes them: address,
 * signature, and that each header and payload is the signed one (reliability 3.5).
 */
import type { Curve } from "../curve/curve.js";
import type { Hash32 } from "../ids.js";
import type { Refusal } from "../reasons.js";
import { refuse } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import {
  checkCount,
  checkPlace,
  checkSignatureSize,
  checkStore,
  firstRefusal,
  type StoreIdentity,
} from "./checks.js";
import { hashEvent, parseEvent, type EventHeader } from "./event.js";
import { checkPayloadSize } from "./limits.js";
import type { BodyWithPayload, Opened, OpenedBatch, SignedBody } from "./open-manager-batch.js";
import { hashReceipt, parseReceipt, type Receipt } from "./receipt.js";
import { hashReceiptBatch, parseReceiptBatch, type ReceiptBatch } from "./receipt-batch.js";
import { checkSignature } from "./sign.js";
import { sha256Hash } from "./tagged-hash.js";

function openReceipt(
  bytes: Uint8Array,
  index: number,
  batch: ReceiptBatch,
): Result<Opened<Receipt>, Refusal> {
  const parsed = parseReceipt(bytes);
  if (!parsed.ok) return parsed;
  const hash = hashReceipt(bytes);
  const refusal = firstRefusal(
    () => checkStore(parsed.value, batch),
    () => checkPlace(batch.hashes, index, hash),
  );
  return refusal === undefined ? ok({ header: parsed.value, hash }) : err(refusal);
}

/** A receipt batch of `count` hashes that must come from `from`. */
function openHashes(
  curve: Curve,
  from: StoreIdentity,
  signed: SignedBody,
  count: number,
): Result<ReceiptBatch, Refusal> {
  const size = checkSignatureSize(signed.signature);
  if (size !== undefined) return err(size);
  const parsed = parseReceiptBatch(signed.header);
  if (!parsed.ok) return parsed;
  const batch = parsed.value;
  const refusal = firstRefusal(
    () => checkCount(batch.hashes.length, count),
    () => checkStore(batch, from),
    () => checkSignature(curve, from.monitorKey, hashReceiptBatch(signed.header), signed.signature),
  );
  return refusal === undefined ? ok(batch) : err(refusal);
}

/** Opens a receipt batch that must come from `from`. */
export function openReceiptBatch(
  curve: Curve,
  from: StoreIdentity,
  signed: SignedBody & { readonly receipts: readonly Uint8Array[] },
): Result<OpenedBatch<ReceiptBatch, Receipt>, Refusal> {
  const opened = openHashes(curve, from, signed, signed.receipts.length);
  if (!opened.ok) return opened;
  const batch = opened.value;
  return ok({ batch, items: signed.receipts.map((bytes, i) => openReceipt(bytes, i, batch)) });
}

/**
 * Refuses a receipt for preimage records that is not from `from`, or not for exactly these records, named
 * by their farwatch/preimage/v1 hashes, in this order.
 */
export function checkPreimageReceipt(
  curve: Curve,
  from: StoreIdentity,
  signed: SignedBody,
  records: readonly Hash32[],
): Refusal | undefined {
  const opened = openHashes(curve, from, signed, records.length);
  if (!opened.ok) return opened.error;
  const { hashes } = opened.value;
  return firstRefusal(...records.map((hash, index) => () => checkPlace(hashes, index, hash)));
}

/** Opens one event that must come from `from`; its payload must be the one the header names. */
export function openEvent(
  curve: Curve,
  from: StoreIdentity,
  signed: SignedBody & BodyWithPayload,
): Result<Opened<EventHeader>, Refusal> {
  const size =
    checkSignatureSize(signed.signature) ?? checkPayloadSize(signed.payload.length, "payload");
  if (size !== undefined) return err(size);
  const parsed = parseEvent(signed.header);
  if (!parsed.ok) return parsed;
  const header = parsed.value;
  const hash = hashEvent(signed.header);
  const refusal = firstRefusal(
    () => checkStore(header, from),
    () => checkSignature(curve, from.monitorKey, hash, signed.signature),
    () =>
      sha256Hash(signed.payload) === header.contentSha256
        ? undefined
        : refuse("malformed", "the payload is not the one its header names", { field: "payload" }),
  );
  return refusal === undefined ? ok({ header, hash }) : err(refusal);
}
