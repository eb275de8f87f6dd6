/** Every layout as a row: how a vector's fields become a body, and a body becomes itself again. */
import { blockHash, blockHeight } from "../block.js";
import * as ids from "../ids.js";
import type { Refusal } from "../reasons.js";
import { ok, type Result } from "../result.js";
import * as event from "./event.js";
import * as ack from "./event-ack.js";
import * as ackBatch from "./event-ack-batch.js";
import * as watch from "./initial-state.js";
import { bytesOf, text, texts, type Json } from "./load-vectors.test.js";
import type { ManagerBatch } from "./manager-batch.js";
import * as preimage from "./preimage-record.js";
import * as preimageBatch from "./preimage-batch.js";
import * as receipt from "./receipt.js";
import * as receiptBatch from "./receipt-batch.js";
import * as session from "./session.js";
import type { TaggedHash } from "./tagged-hash.js";
import * as update from "./update.js";
import * as updateBatch from "./update-batch.js";

const ZERO_32 = "00".repeat(32);

const u64 = (f: Json, name: string): bigint => BigInt(text(f, name));
const u32 = (f: Json, name: string): number => Number(text(f, name));
const hash = (f: Json, name: string): ids.Hash32 => ids.hash32(text(f, name));
const funding = (f: Json): ids.Outpoint => ({
  txid: ids.txid(text(f, "funding.txid")),
  vout: u32(f, "funding.vout"),
});
const chain = (f: Json) => ({ chainHash: text(f, "chainHash") });
const channel = (f: Json) => ({ channelId: ids.channelId(text(f, "channelId")) });
const manager = (f: Json) => ({ managerKey: ids.managerKey(text(f, "managerKey")) });
const store = (f: Json) => ({
  monitorKey: ids.monitorKey(text(f, "monitorKey")),
  storeId: ids.storeId(text(f, "storeId")),
});
const payload = (f: Json) => ({
  payloadLength: u32(f, "payloadLength"),
  payloadSha256: hash(f, "payloadSha256"),
});

export const updateOf = (f: Json): update.UpdateHeader => ({
  ...chain(f),
  ...channel(f),
  ...manager(f),
  ...payload(f),
  funding: funding(f),
  setNo: u32(f, "setNo"),
  updateId: ids.updateId(u64(f, "updateId")),
  prevHash: hash(f, "prevHash"),
  payloadType: text(f, "payloadType") === "typedSteps" ? "typedSteps" : "ldkBytes",
});
export const watchOf = (f: Json): watch.InitialStateHeader => ({
  ...chain(f),
  ...channel(f),
  ...manager(f),
  ...payload(f),
  funding: funding(f),
  setNo: u32(f, "setNo"),
  firstUpdateId: ids.updateId(u64(f, "firstUpdateId")),
});
export const batchOf = (f: Json): ManagerBatch => ({
  ...chain(f),
  ...manager(f),
  epoch: u64(f, "epoch"),
  hashes: texts(f, "hashes").map(ids.hash32),
});
export const preimageOf = (f: Json): preimage.PreimageRecord => ({
  ...chain(f),
  ...channel(f),
  ...manager(f),
  epoch: u64(f, "epoch"),
  paymentHash: ids.paymentHash(text(f, "paymentHash")),
  sourceKey: ids.sourceKey(text(f, "sourceKey")),
});
export const receiptOf = (f: Json): receipt.Receipt => ({
  ...chain(f),
  ...channel(f),
  ...store(f),
  storeGen: u64(f, "storeGen"),
  setNo: u32(f, "setNo"),
  updateId: ids.updateId(u64(f, "updateId")),
  updateHash: hash(f, "updateHash"),
  status: text(f, "status") === "persisted" ? "persisted" : "appliedAfterClose",
  eventWatermark: ids.eventId(u64(f, "eventWatermark")),
  tip: { height: blockHeight(u32(f, "tip.height")), hash: blockHash(text(f, "tip.hash")) },
});
export const receiptBatchOf = (f: Json): receiptBatch.ReceiptBatch => ({
  ...chain(f),
  ...store(f),
  hashes: texts(f, "hashes").map(ids.hash32),
});
export function eventOf(f: Json): event.EventHeader {
  const cause = text(f, "causeTxid");
  const block = text(f, "causeBlock.hash");
  const height = blockHeight(u32(f, "causeBlock.height"));
  return {
    ...chain(f),
    ...channel(f),
    ...store(f),
    eventId: ids.eventId(u64(f, "eventId")),
    prevEventHash: hash(f, "prevEventHash"),
    key: hash(f, "key"),
    contentSha256: hash(f, "contentSha256"),
    causeTxid: cause === ZERO_32 ? undefined : ids.txid(cause),
    causeBlock: block === ZERO_32 ? undefined : { height, hash: blockHash(block) },
  };
}
export const ackOf = (f: Json): ack.EventAck => ({
  ...chain(f),
  ...channel(f),
  ...store(f),
  epoch: u64(f, "epoch"),
  eventId: ids.eventId(u64(f, "eventId")),
  eventHash: hash(f, "eventHash"),
  outcome: text(f, "outcome") === "processed" ? "processed" : "joined",
});
export const sessionOf = (f: Json): session.SessionRequest => ({
  ...chain(f),
  ...manager(f),
  ...store(f),
  epoch: u64(f, "epoch"),
  bootNonce: bytesOf(f, "bootNonce"),
});

export interface LayoutRow {
  readonly build: (fields: Json) => Uint8Array;
  /** Parses and encodes what was parsed. */
  readonly again: (body: Uint8Array) => Result<Uint8Array, Refusal>;
  readonly hash: TaggedHash;
}

function row<T>(
  of: (fields: Json) => T,
  encode: (value: T) => Uint8Array,
  parse: (bytes: Uint8Array) => Result<T, Refusal>,
  hashBody: TaggedHash,
): LayoutRow {
  return {
    build: (fields) => encode(of(fields)),
    again(body) {
      const parsed = parse(body);
      return parsed.ok ? ok(encode(parsed.value)) : parsed;
    },
    hash: hashBody,
  };
}

export const LAYOUTS: ReadonlyMap<string, LayoutRow> = new Map([
  ["update", row(updateOf, update.encodeUpdate, update.parseUpdate, update.hashUpdate)],
  [
    "initialState",
    row(watchOf, watch.encodeInitialState, watch.parseInitialState, watch.hashInitialState),
  ],
  [
    "updateBatch",
    row(
      batchOf,
      updateBatch.encodeUpdateBatch,
      updateBatch.parseUpdateBatch,
      updateBatch.hashUpdateBatch,
    ),
  ],
  [
    "preimageRecord",
    row(
      preimageOf,
      preimage.encodePreimageRecord,
      preimage.parsePreimageRecord,
      preimage.hashPreimageRecord,
    ),
  ],
  [
    "preimageBatch",
    row(
      batchOf,
      preimageBatch.encodePreimageBatch,
      preimageBatch.parsePreimageBatch,
      preimageBatch.hashPreimageBatch,
    ),
  ],
  ["receipt", row(receiptOf, receipt.encodeReceipt, receipt.parseReceipt, receipt.hashReceipt)],
  [
    "receiptBatch",
    row(
      receiptBatchOf,
      receiptBatch.encodeReceiptBatch,
      receiptBatch.parseReceiptBatch,
      receiptBatch.hashReceiptBatch,
    ),
  ],
  ["event", row(eventOf, event.encodeEvent, event.parseEvent, event.hashEvent)],
  ["eventAck", row(ackOf, ack.encodeEventAck, ack.parseEventAck, ack.hashEventAck)],
  [
    "eventAckBatch",
    row(
      batchOf,
      ackBatch.encodeEventAckBatch,
      ackBatch.parseEventAckBatch,
      ackBatch.hashEventAckBatch,
    ),
  ],
  ["session", row(sessionOf, session.encodeSession, session.parseSession, session.hashSession)],
]);
