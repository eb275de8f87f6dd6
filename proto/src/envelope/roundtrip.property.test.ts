/** parse(encode(x)) = x for every layout, over the whole range of every field. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { blockHash, blockHeight } from "../block.js";
import { toHex } from "../bytes.js";
import * as ids from "../ids.js";
import type { Refusal } from "../reasons.js";
import { ok, type Result } from "../result.js";
import { encodeEvent, parseEvent } from "./event.js";
import { encodeEventAck, parseEventAck, type AckOutcome } from "./event-ack.js";
import { encodeEventAckBatch, parseEventAckBatch } from "./event-ack-batch.js";
import { encodeInitialState, parseInitialState } from "./initial-state.js";
import { MAX_PAYLOAD_BYTES } from "./limits.js";
import { encodePreimageBatch, parsePreimageBatch } from "./preimage-batch.js";
import { encodePreimageRecord, parsePreimageRecord } from "./preimage-record.js";
import { encodeReceipt, parseReceipt, type ReceiptStatus } from "./receipt.js";
import { encodeReceiptBatch, parseReceiptBatch } from "./receipt-batch.js";
import { encodeSession, parseSession } from "./session.js";
import { encodeUpdate, parseUpdate, type PayloadType } from "./update.js";
import { encodeUpdateBatch, parseUpdateBatch } from "./update-batch.js";

const RUNS = { numRuns: 60, seed: 340 };

/** Plain objects, so that deep equality compares fields only. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const hex32 = bytes(32).map(toHex);
const hash = hex32.map(ids.hash32);
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const fromOne = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
const nonZero = hex32.filter((text) => /[^0]/.test(text));
const height = fc.integer({ min: 0, max: 499_999_999 }).map(blockHeight);
const block = record({ height, hash: nonZero.map(blockHash) });
const funding = record({
  txid: hex32.map(ids.txid),
  vout: fc.integer({ min: 0, max: 0xffff }),
});
const payload = {
  payloadLength: fc.integer({ min: 0, max: MAX_PAYLOAD_BYTES }),
  payloadSha256: hash,
};
const chain = { chainHash: hex32 };
const channel = { channelId: hex32.map(ids.channelId) };
const manager = { managerKey: hex32.map(ids.managerKey) };
const store = {
  monitorKey: hex32.map(ids.monitorKey),
  storeId: bytes(16).map(toHex).map(ids.storeId),
};
const hashes = fc.array(hash, { minLength: 1, maxLength: 5 });
const batch = record({ ...chain, ...manager, epoch: u64, hashes });

function roundTrips<T>(
  name: string,
  values: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  parse: (body: Uint8Array) => Result<T, Refusal>,
): void {
  it(name, () => {
    fc.assert(
      fc.property(values, (value) => {
        assert.deepEqual(parse(encode(value)), ok(value));
      }),
      RUNS,
    );
  });
}

describe("parse(encode(x)) = x", () => {
  roundTrips(
    "update",
    record({
      ...chain,
      ...channel,
      ...manager,
      ...payload,
      funding,
      setNo: u32,
      updateId: u64.map(ids.updateId),
      prevHash: hash,
      payloadType: fc.constantFrom<PayloadType>("typedSteps", "ldkBytes"),
    }),
    encodeUpdate,
    parseUpdate,
  );
  roundTrips(
    "initial state",
    record({
      ...chain,
      ...channel,
      ...manager,
      ...payload,
      funding,
      setNo: u32,
      firstUpdateId: fromOne.map(ids.updateId),
    }),
    encodeInitialState,
    parseInitialState,
  );
  roundTrips("update batch", batch, encodeUpdateBatch, parseUpdateBatch);
  roundTrips("preimage batch", batch, encodePreimageBatch, parsePreimageBatch);
  roundTrips("event ack batch", batch, encodeEventAckBatch, parseEventAckBatch);
  roundTrips(
    "preimage record",
    record({
      ...chain,
      ...channel,
      ...manager,
      epoch: u64,
      paymentHash: hex32.map(ids.paymentHash),
      sourceKey: hex32.map(ids.sourceKey),
    }),
    encodePreimageRecord,
    parsePreimageRecord,
  );
  roundTrips(
    "receipt",
    record({
      ...chain,
      ...channel,
      ...store,
      storeGen: u64,
      setNo: u32,
      updateId: u64.map(ids.updateId),
      updateHash: hash,
      status: fc.constantFrom<ReceiptStatus>("persisted", "appliedAfterClose"),
      eventWatermark: u64.map(ids.eventId),
      tip: block,
    }),
    encodeReceipt,
    parseReceipt,
  );
  roundTrips(
    "receipt batch",
    record({ ...chain, ...store, hashes }),
    encodeReceiptBatch,
    parseReceiptBatch,
  );
  roundTrips(
    "event",
    record({
      ...chain,
      ...channel,
      ...store,
      eventId: fromOne.map(ids.eventId),
      prevEventHash: hash,
      key: hash,
      contentSha256: hash,
      causeTxid: fc.option(nonZero.map(ids.txid), { nil: undefined }),
      causeBlock: fc.option(block, { nil: undefined }),
    }),
    encodeEvent,
    parseEvent,
  );
  roundTrips(
    "event ack",
    record({
      ...chain,
      ...channel,
      ...store,
      epoch: u64,
      eventId: fromOne.map(ids.eventId),
      eventHash: hash,
      outcome: fc.constantFrom<AckOutcome>("processed", "joined"),
    }),
    encodeEventAck,
    parseEventAck,
  );
  roundTrips(
    "session",
    record({ ...chain, ...manager, ...store, epoch: u64, bootNonce: bytes(32) }),
    encodeSession,
    parseSession,
  );
});
