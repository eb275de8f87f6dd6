/**
 * What a monitor does with a manager's signed batch up to and including the signature (contract 2.2).
 * Left to the caller, in this order: checkEpoch(batch.epoch), placeUpdate per item, checkPayload.
 * A refusal of the whole batch is the outer Result; a refusal of one item is its own.
 */
import type { Curve } from "../curve/curve.js";
import { hashOfPreimage, type Hash32, type Preimage } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import {
  checkCount,
  checkItemEpoch,
  checkManager,
  checkPlace,
  checkSignatureSize,
  checkStore,
  firstRefusal,
  type ManagerIdentity,
  type StoreIdentity,
} from "./checks.js";
import { hashEventAck, parseEventAck, type EventAck } from "./event-ack.js";
import { hashEventAckBatch, parseEventAckBatch, type EventAckBatch } from "./event-ack-batch.js";
import { hashInitialState, parseInitialState, type InitialStateHeader } from "./initial-state.js";
import { checkPayloadSize } from "./limits.js";
import type { ManagerBatch } from "./manager-batch.js";
import { hashPreimageBatch, parsePreimageBatch, type PreimageBatch } from "./preimage-batch.js";
import { hashPreimageRecord, parsePreimageRecord, type PreimageRecord } from "./preimage-record.js";
import { hashSession, parseSession, type SessionRequest } from "./session.js";
import { checkSignature } from "./sign.js";
import type { TaggedHash } from "./tagged-hash.js";
import { hashUpdate, parseUpdate, type UpdateHeader } from "./update.js";
import { hashUpdateBatch, parseUpdateBatch, type UpdateBatch } from "./update-batch.js";

/** Exact bytes as received. */
export interface SignedBody {
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
}
export interface BodyWithPayload {
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}
export interface BodyWithPreimage {
  readonly header: Uint8Array;
  readonly preimage: Preimage;
}

/** A header under a verified signature. `hash` is the tagged hash of its exact bytes. */
export interface Opened<H> {
  readonly header: H;
  readonly hash: Hash32;
}
export interface OpenedBatch<B, I> {
  readonly batch: B;
  /** In the order of the items. */
  readonly items: readonly Result<Opened<I>, Refusal>[];
}

interface ItemLayout<I> {
  readonly parse: (bytes: Uint8Array) => Result<I, Refusal>;
  readonly hash: TaggedHash;
  /** Principal and address of one item. */
  readonly check: (item: I, batch: ManagerBatch) => Refusal | undefined;
}

function openItem<I>(
  bytes: Uint8Array,
  index: number,
  batch: ManagerBatch,
  layout: ItemLayout<I>,
): Result<Opened<I>, Refusal> {
  const parsed = layout.parse(bytes);
  if (!parsed.ok) return parsed;
  const hash = layout.hash(bytes);
  const refusal = firstRefusal(
    () => layout.check(parsed.value, batch),
    () => checkPlace(batch.hashes, index, hash),
  );
  return refusal === undefined ? ok({ header: parsed.value, hash }) : err(refusal);
}

function openBatch<I>(
  curve: Curve,
  who: ManagerIdentity,
  signed: SignedBody,
  layout: Pick<ItemLayout<ManagerBatch>, "parse" | "hash">,
  headers: readonly Uint8Array[],
  item: ItemLayout<I>,
): Result<OpenedBatch<ManagerBatch, I>, Refusal> {
  const size = checkSignatureSize(signed.signature);
  if (size !== undefined) return err(size);
  const parsed = layout.parse(signed.header);
  if (!parsed.ok) return parsed;
  const batch = parsed.value;
  const refusal = firstRefusal(
    () => checkCount(batch.hashes.length, headers.length),
    () => checkManager(batch, who),
    () => checkSignature(curve, who.managerKey, layout.hash(signed.header), signed.signature),
  );
  if (refusal !== undefined) return err(refusal);
  return ok({ batch, items: headers.map((bytes, i) => openItem(bytes, i, batch, item)) });
}

const refuseItem =
  <I>(refusals: readonly (Refusal | undefined)[]) =>
  (opened: Result<Opened<I>, Refusal>, index: number): Result<Opened<I>, Refusal> => {
    const refusal = refusals[index];
    return refusal === undefined ? opened : err(refusal);
  };

/** Opens an update batch; an update with an oversized payload is refused before its header is read. */
export function openUpdateBatch(
  curve: Curve,
  who: ManagerIdentity,
  signed: SignedBody & { readonly updates: readonly BodyWithPayload[] },
): Result<OpenedBatch<UpdateBatch, UpdateHeader>, Refusal> {
  const opened = openBatch(
    curve,
    who,
    signed,
    { parse: parseUpdateBatch, hash: hashUpdateBatch },
    signed.updates.map((update) => update.header),
    { parse: parseUpdate, hash: hashUpdate, check: (header) => checkManager(header, who) },
  );
  if (!opened.ok) return opened;
  const sizes = signed.updates.map((update) => checkPayloadSize(update.payload.length, "payload"));
  return ok({ ...opened.value, items: opened.value.items.map(refuseItem(sizes)) });
}

/** Opens a WatchChannel: an update batch whose single hash is that of the watch header. */
export function openWatch(
  curve: Curve,
  who: ManagerIdentity,
  signed: { readonly batch: SignedBody } & BodyWithPayload,
): Result<Opened<InitialStateHeader> & { readonly batch: UpdateBatch }, Refusal> {
  const size = checkPayloadSize(signed.payload.length, "payload");
  if (size !== undefined) return err(size);
  const opened = openBatch(
    curve,
    who,
    signed.batch,
    { parse: parseUpdateBatch, hash: hashUpdateBatch },
    [signed.header],
    {
      parse: parseInitialState,
      hash: hashInitialState,
      check: (header) => checkManager(header, who),
    },
  );
  if (!opened.ok) return opened;
  const { batch, items } = opened.value;
  const [watch] = items;
  if (watch === undefined) return err(refuse("malformed", "no watch header", { field: "header" }));
  return watch.ok ? ok({ ...watch.value, batch }) : watch;
}

/** Opens a batch of preimage records; a preimage that does not hash to its record is refused. */
export function openPreimageBatch(
  curve: Curve,
  who: ManagerIdentity,
  signed: SignedBody & { readonly records: readonly BodyWithPreimage[] },
): Result<OpenedBatch<PreimageBatch, PreimageRecord>, Refusal> {
  const opened = openBatch(
    curve,
    who,
    signed,
    { parse: parsePreimageBatch, hash: hashPreimageBatch },
    signed.records.map((record) => record.header),
    {
      parse: parsePreimageRecord,
      hash: hashPreimageRecord,
      check: (record, batch) =>
        checkManager(record, who) ?? checkItemEpoch(record.epoch, batch.epoch),
    },
  );
  if (!opened.ok) return opened;
  const items = opened.value.items.map((item, index) => {
    const preimage = signed.records[index]?.preimage;
    if (!item.ok || preimage === undefined) return item;
    const { paymentHash } = item.value.header;
    if (hashOfPreimage(preimage) === paymentHash) return item;
    const details = { payment_hash: paymentHash };
    return err(refuse("preimageMismatch", "the preimage does not open its hash", details));
  });
  return ok({ ...opened.value, items });
}

/** Opens a batch of event acks addressed to `own`. */
export const openEventAckBatch = (
  curve: Curve,
  who: ManagerIdentity,
  own: StoreIdentity,
  signed: SignedBody & { readonly acks: readonly Uint8Array[] },
): Result<OpenedBatch<EventAckBatch, EventAck>, Refusal> =>
  openBatch(
    curve,
    who,
    signed,
    { parse: parseEventAckBatch, hash: hashEventAckBatch },
    signed.acks,
    {
      parse: parseEventAck,
      hash: hashEventAck,
      check: (ack, batch) => checkStore(ack, own) ?? checkItemEpoch(ack.epoch, batch.epoch),
    },
  );

/** Opens an OpenSession addressed to `own`. The epoch itself is the caller's to judge. */
export function openSession(
  curve: Curve,
  who: ManagerIdentity,
  own: StoreIdentity,
  signed: SignedBody,
): Result<Opened<SessionRequest>, Refusal> {
  const size = checkSignatureSize(signed.signature);
  if (size !== undefined) return err(size);
  const parsed = parseSession(signed.header);
  if (!parsed.ok) return parsed;
  const hash = hashSession(signed.header);
  const refusal = firstRefusal(
    () => checkManager(parsed.value, who),
    () => checkStore(parsed.value, own),
    () => checkSignature(curve, who.managerKey, hash, signed.signature),
  );
  return refusal === undefined ? ok({ header: parsed.value, hash }) : err(refusal);
}
