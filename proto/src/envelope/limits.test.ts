/** Every batch and payload limit at its edge; and field values that a layout does not admit. */
import assert from "node:assert/strict";
import { eventId, hash32, updateId, type Hash32 } from "../ids.js";
import type { Reason, Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import { encodeEvent, parseEvent } from "./event.js";
import { encodeEventAck, parseEventAck } from "./event-ack.js";
import { encodeEventAckBatch, parseEventAckBatch } from "./event-ack-batch.js";
import { encodeInitialState, parseInitialState } from "./initial-state.js";
import * as rows from "./layouts.test.js";
import * as limits from "./limits.js";
import * as v from "./load-vectors.test.js";
import { encodePreimageBatch, parsePreimageBatch } from "./preimage-batch.js";
import { parseReceipt } from "./receipt.js";
import { encodeReceiptBatch, parseReceiptBatch } from "./receipt-batch.js";
import { parseSession } from "./session.js";
import { encodeUpdate, parseUpdate } from "./update.js";
import { encodeUpdateBatch, parseUpdateBatch } from "./update-batch.js";

const fieldsOf = (layout: string): v.Json => v.child(v.vectorOf(layout), "fields");
const reasonOf = (result: Result<unknown, Refusal>): Reason | "accepted" =>
  result.ok ? "accepted" : result.error.reason;
/** The body of a vector with a big-endian number written over `size` bytes at `at`. */
function withNumber(layout: string, at: number, size: number, value: number): Uint8Array {
  const body = v.bytesOf(v.vectorOf(layout), "body");
  for (let i = 0; i < size; i++) body[at + size - 1 - i] = (value / 2 ** (8 * i)) & 0xff;
  return body;
}

const manyHashes = (count: number): Hash32[] =>
  Array.from({ length: count }, () => hash32("ab".repeat(32)));
const managerBatch = rows.batchOf(fieldsOf("updateBatch"));
const receiptBatch = rows.receiptBatchOf(fieldsOf("receiptBatch"));

const BATCHES = [
  {
    name: "update batch",
    max: limits.MAX_BATCH_UPDATES,
    countAt: 74,
    layout: "updateBatch",
    encode: (count: number) => encodeUpdateBatch({ ...managerBatch, hashes: manyHashes(count) }),
    parse: parseUpdateBatch,
  },
  {
    name: "preimage batch",
    max: limits.MAX_BATCH_PREIMAGES,
    countAt: 74,
    layout: "preimageBatch",
    encode: (count: number) => encodePreimageBatch({ ...managerBatch, hashes: manyHashes(count) }),
    parse: parsePreimageBatch,
  },
  {
    name: "event ack batch",
    max: limits.MAX_BATCH_ACKS,
    countAt: 74,
    layout: "eventAckBatch",
    encode: (count: number) => encodeEventAckBatch({ ...managerBatch, hashes: manyHashes(count) }),
    parse: parseEventAckBatch,
  },
  {
    name: "receipt batch",
    max: limits.MAX_BATCH_RECEIPTS,
    countAt: 82,
    layout: "receiptBatch",
    encode: (count: number) => encodeReceiptBatch({ ...receiptBatch, hashes: manyHashes(count) }),
    parse: parseReceiptBatch,
  },
];

describe("batch limits", () => {
  for (const { name, max, countAt, layout, encode, parse } of BATCHES) {
    it(`${name}: ${max} hashes are accepted, one more is refused before anything is read`, () => {
      const full = encode(max);
      const parsed = parse(full);
      assert.ok(parsed.ok);
      assert.equal(parsed.value.hashes.length, max);
      assert.throws(() => encode(max + 1), /hashes/);
      const over = parse(withNumber(layout, countAt, 4, max + 1));
      assert.ok(!over.ok);
      assert.equal(over.error.reason, "tooLarge");
      assert.equal(over.error.details["limit"], String(max));
      assert.equal(reasonOf(parse(withNumber(layout, countAt, 4, 0xffffffff))), "tooLarge");
    });
    it(`${name}: an empty one is refused, and a count that lies about the length`, () => {
      assert.throws(() => encode(0), /hashes/);
      assert.equal(reasonOf(parse(withNumber(layout, countAt, 4, 0))), "malformed");
      assert.equal(reasonOf(parse(withNumber(layout, countAt, 4, 900))), "wrongLength");
      assert.equal(reasonOf(parse(withNumber(layout, 0, 2, 2))), "malformed");
      assert.equal(reasonOf(parse(new Uint8Array(0))), "wrongLength");
    });
  }
});

describe("payload limit", () => {
  const update = rows.updateOf(fieldsOf("update"));
  const watch = rows.watchOf(fieldsOf("initialState"));
  const max = limits.MAX_PAYLOAD_BYTES;

  it("holds for lengths in headers and for payloads alike", () => {
    const full = { ...update, payloadLength: max };
    assert.equal(reasonOf(parseUpdate(encodeUpdate(full))), "accepted");
    assert.throws(() => encodeUpdate({ ...update, payloadLength: max + 1 }), /limit/);
    assert.equal(reasonOf(parseUpdate(withNumber("update", 178, 4, max + 1))), "tooLarge");
    const fullWatch = encodeInitialState({ ...watch, payloadLength: max });
    assert.equal(reasonOf(parseInitialState(fullWatch)), "accepted");
    assert.throws(() => encodeInitialState({ ...watch, payloadLength: max + 1 }), /limit/);
    const over = withNumber("initialState", 144, 4, max + 1);
    assert.equal(reasonOf(parseInitialState(over)), "tooLarge");
    assert.equal(limits.checkPayloadSize(max, "payload"), undefined);
    assert.equal(limits.checkPayloadSize(max + 1, "payload")?.reason, "tooLarge");
  });
});

describe("field domains", () => {
  it("update: payload types 1 and 2 only", () => {
    assert.equal(reasonOf(parseUpdate(withNumber("update", 176, 2, 2))), "accepted");
    assert.equal(reasonOf(parseUpdate(withNumber("update", 176, 2, 3))), "unknownStep");
    assert.equal(reasonOf(parseUpdate(withNumber("update", 176, 2, 0))), "unknownStep");
  });
  it("watch: the first update id is at least 1", () => {
    const watch = rows.watchOf(fieldsOf("initialState"));
    assert.throws(() => encodeInitialState({ ...watch, firstUpdateId: updateId(0) }));
    assert.equal(reasonOf(parseInitialState(withNumber("initialState", 136, 8, 1))), "accepted");
    const zero = withNumber("initialState", 136, 8, 0);
    assert.equal(reasonOf(parseInitialState(zero)), "rangeExceeded");
  });
  it("receipt: statuses 1 and 2, and a height below the lock-time threshold", () => {
    assert.equal(reasonOf(parseReceipt(withNumber("receipt", 166, 1, 2))), "accepted");
    assert.equal(reasonOf(parseReceipt(withNumber("receipt", 166, 1, 3))), "malformed");
    assert.equal(reasonOf(parseReceipt(withNumber("receipt", 166, 1, 0))), "malformed");
    assert.equal(reasonOf(parseReceipt(withNumber("receipt", 175, 4, 499_999_999))), "accepted");
    const time = withNumber("receipt", 175, 4, 500_000_000);
    assert.equal(reasonOf(parseReceipt(time)), "rangeExceeded");
  });
  it("event: ids from 1, a cause block wholly present or wholly absent", () => {
    const event = rows.eventOf(fieldsOf("event"));
    assert.throws(() => encodeEvent({ ...event, eventId: eventId(0) }));
    assert.equal(reasonOf(parseEvent(withNumber("event", 114, 8, 0))), "rangeExceeded");
    assert.equal(reasonOf(parseEvent(withNumber("event", 282, 4, 5))), "malformed");
    assert.equal(reasonOf(parseEvent(withNumber("event", 282, 4, 500_000_000))), "rangeExceeded");
  });
  it("event ack: ids from 1, outcomes 1 and 2", () => {
    const ack = rows.ackOf(fieldsOf("eventAck"));
    assert.throws(() => encodeEventAck({ ...ack, eventId: eventId(0) }));
    assert.equal(reasonOf(parseEventAck(withNumber("eventAck", 122, 8, 0))), "rangeExceeded");
    assert.equal(reasonOf(parseEventAck(withNumber("eventAck", 162, 2, 2))), "accepted");
    assert.equal(reasonOf(parseEventAck(withNumber("eventAck", 162, 2, 3))), "malformed");
    assert.equal(reasonOf(parseEventAck(withNumber("eventAck", 162, 2, 0))), "malformed");
  });
  it("every layout: version 1 only, and integers that fit their field", () => {
    assert.equal(reasonOf(parseSession(withNumber("session", 0, 2, 0))), "malformed");
    assert.equal(reasonOf(parseSession(withNumber("session", 0, 2, 2))), "malformed");
    const update = rows.updateOf(fieldsOf("update"));
    const { txid } = update.funding;
    assert.throws(() => encodeUpdate({ ...update, funding: { txid, vout: 0x10000 } }), /u16/);
    assert.throws(() => encodeUpdate({ ...update, setNo: -1 }), /u32/);
    assert.throws(() => encodeUpdate({ ...update, setNo: 2 ** 32 }), /u32/);
    assert.throws(() => encodeUpdate({ ...update, chainHash: "ab" }), /hex/);
  });
});
