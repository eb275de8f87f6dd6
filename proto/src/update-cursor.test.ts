/** Next, replay, gap and conflict at and around the head of a chain of updates. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { hash32, updateId, type Hash32 } from "./ids.js";
import { placeUpdate, type CursorVerdict } from "./update-cursor.js";

const hashAt = (n: bigint): Hash32 => hash32(n.toString(16).padStart(64, "0"));
const head = 10n;
const cursor = {
  lastId: updateId(head),
  lastHash: hashAt(head),
  hashOf: (id: bigint) => (id >= 5n ? hashAt(id) : undefined),
};
const place = (id: bigint, hash = hashAt(id), prevHash = hashAt(id - 1n)): CursorVerdict =>
  placeUpdate(cursor, { id: updateId(id), hash, prevHash });
const other = hashAt(999n);

describe("placeUpdate", () => {
  it("takes head+1 that names the head as next", () => {
    assert.deepEqual(place(11n), { kind: "next" });
  });
  it("calls head+1 with another predecessor a conflict", () => {
    assert.deepEqual(place(11n, hashAt(11n), other), { kind: "conflict" });
  });
  it("answers the head and older ids again when the bytes are the same", () => {
    assert.deepEqual(place(10n), { kind: "replay" });
    assert.deepEqual(place(5n), { kind: "replay" });
  });
  it("looks only at the hash of a replay: the chain was checked when it was stored", () => {
    assert.deepEqual(place(10n, hashAt(10n), other), { kind: "replay" });
  });
  it("calls other bytes under a known id a conflict", () => {
    assert.deepEqual(place(10n, other), { kind: "conflict" });
    assert.deepEqual(place(7n, other), { kind: "conflict" });
  });
  it("never answers for an old id whose bytes it does not know", () => {
    assert.deepEqual(place(4n), { kind: "conflict" });
    const { lastId, lastHash } = cursor;
    const offered = { id: updateId(9n), hash: hashAt(9n), prevHash: hashAt(8n) };
    assert.deepEqual(placeUpdate({ lastId, lastHash }, offered), { kind: "conflict" });
  });
  it("names the expected id of a gap, even when the hash would fit", () => {
    assert.deepEqual(place(12n), { kind: "gap", expected: 11n });
    assert.deepEqual(place(2n ** 64n - 1n), { kind: "gap", expected: 11n });
  });
  it("accepts a channel's first update on the genesis hash only", () => {
    const empty = { lastId: updateId(0n), lastHash: hashAt(77n) };
    const first = { id: updateId(1n), hash: hashAt(1n), prevHash: hashAt(77n) };
    assert.deepEqual(placeUpdate(empty, first), { kind: "next" });
    assert.deepEqual(placeUpdate(empty, { ...first, prevHash: other }), { kind: "conflict" });
  });
  it("works at the last id of all", () => {
    const last = { lastId: updateId(2n ** 64n - 1n), lastHash: hashAt(1n) };
    const offered = { id: last.lastId, hash: hashAt(1n), prevHash: other };
    assert.deepEqual(placeUpdate(last, offered), { kind: "replay" });
  });
  it("delivers a chain once and in order, whatever is repeated and reordered", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: 1n, max: 8n }), { maxLength: 60 }), (offers) => {
        let stored = 0n;
        for (const id of offers) {
          const state = { lastId: updateId(stored), lastHash: hashAt(stored), hashOf: hashAt };
          const offered = { id: updateId(id), hash: hashAt(id), prevHash: hashAt(id - 1n) };
          const { kind } = placeUpdate(state, offered);
          const expected = id <= stored ? "replay" : id === stored + 1n ? "next" : "gap";
          assert.equal(kind, expected);
          if (kind === "next") stored = id;
        }
      }),
      { numRuns: 100, seed: 7 },
    );
  });
});
