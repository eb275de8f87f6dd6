/** What the combinators promise: everything read can be written, and nothing else is. */
import assert from "node:assert/strict";
import { concatBytes, toHex } from "../bytes.js";
import { sequence, type Codec } from "./codec.js";
import { counted, entries, exactly, option, rest, vec, withRaw } from "./collections.js";
import { decodeWhole, MAX_NESTING, type Cursor } from "./cursor.js";
import { structVariant, strictEnum, upgradableEnum, variant } from "./enums.js";
import { flagged } from "./flagged.js";
import { readJson, type Json } from "./json.js";
import { opaqueStruct } from "./opaque.js";
import {
  boolean,
  byteVec,
  bytes,
  script,
  text,
  txid,
  u16,
  u32,
  u48,
  u64,
  u8,
  versionPrefix,
} from "./primitives.js";
import { commitmentSecrets, currentPoints } from "./revocation-state.js";
import { bigSize, decodeAll, filled, key, record, struct, uint } from "./testing/build.js";
import { noFields, optional, required, sized, tlvStruct } from "./tlv.js";
import { transaction, txOut } from "./transaction.js";
import { encodeWhole } from "./writer.js";

const pair = tlvStruct("pair", { left: required(0, u16), right: optional(4, u8) });
const animal = upgradableEnum({
  0: structVariant("cat", { lives: required(0, u8) }),
  1: variant("dog", sequence({ bark: text })),
});

function encoded<T>(codec: Codec<T>, value: T): string {
  const result = encodeWhole("test", codec, value);
  return result.ok ? toHex(result.value) : `${result.error.problem} at ${result.error.place}`;
}

const refusal = <T>(codec: Codec<T>, value: unknown): string => encoded(codec, value as T);

function fromJson<T>(codec: Codec<T>, json: Json): T | string {
  const result = readJson(codec, json);
  return result.ok ? result.value : `${result.error.problem} at ${result.error.path}`;
}

/** Both forms lead back to the same value and bytes. */
function assertBothWays<T>(codec: Codec<T>, raw: Uint8Array): T {
  const value = decodeAll(codec, raw);
  assert.equal(encoded(codec, value), toHex(raw));
  const json = JSON.parse(JSON.stringify(codec.toJson(value))) as Json;
  assert.deepEqual(fromJson(codec, json), value);
  return value;
}

describe("codecs of LDK's formats", () => {
  it("unknown odd records are kept in place, before, between and behind the known", () => {
    const odd = struct(
      record(0, uint(7, 2)),
      record(1, filled(3, 1)),
      record(4, uint(9, 1)),
      record(5),
      record(2n ** 63n + 1n, uint(1, 1)),
    );
    const value = assertBothWays(pair, odd);
    assert.deepEqual(
      value.unknownRecords?.map(({ type }) => type),
      [1n, 5n, 2n ** 63n + 1n],
    );
    assert.deepEqual(pair.toJson(value), {
      left: 7,
      right: 9,
      unknownRecords: [
        { type: "1", bytes: "010101" },
        { type: "5", bytes: "" },
        { type: "9223372036854775809", bytes: "01" },
      ],
    });
    assertBothWays(noFields, struct(record(1, uint(1, 1))));
    assert.equal(assertBothWays(noFields, struct()), undefined);
  });

  it("unknown records that a reader would not find again are not written", () => {
    const withRecords = (...types: readonly bigint[]): string =>
      encoded(pair, {
        left: 7,
        right: undefined,
        unknownRecords: types.map((type) => ({ type, bytes: Uint8Array.of(1) })),
      });
    assert.equal(withRecords(3n, 5n), "0a00020007030101050101");
    assert.equal(withRecords(6n), "an unknown record of an even type at test/unknownRecords");
    assert.equal(withRecords(5n, 3n), "record types do not rise at test/unknownRecords");
    assert.equal(withRecords(5n, 5n), "record types do not rise at test/unknownRecords");
    assert.equal(withRecords(1n << 64n), "a type that is no u64 at test/unknownRecords");
    const known = tlvStruct("odd", { three: optional(3, u8) });
    const unknownRecords = [{ type: 3n, bytes: Uint8Array.of(1) }];
    assert.match(encoded(known, { three: undefined, unknownRecords }), /^a known record among/);
    assert.match(String(fromJson(pair, { left: 7, unknownRecords: [] })), /^an empty list at /);
  });

  it("an unknown odd variant is kept with its bytes", () => {
    const value = assertBothWays(animal, concatBytes(uint(9, 1), bigSize(2), filled(2, 7)));
    assert.deepEqual(value, { kind: "unknown", variant: 9, bytes: filled(2, 7) });
    const unknown = (id: number): string =>
      encoded(animal, { kind: "unknown", variant: id, bytes: filled(1, 7) });
    assert.equal(unknown(255), "ff0107");
    assert.match(unknown(2), /^an unknown variant has an odd number/);
    assert.match(unknown(1), /^an unknown variant has an odd number/);
    assert.match(unknown(257), /^not an integer of 1 bytes/);
    assert.match(
      String(fromJson(animal, { kind: "unknown", variant: 1, bytes: "" })),
      /^an unknown variant has an odd number that no known one has at \$\.variant$/,
    );
  });

  it("variants stand by name", () => {
    const cat = assertBothWays(animal, concatBytes(uint(0, 1), struct(record(0, uint(9, 1)))));
    assert.deepEqual(animal.toJson(cat), { kind: "cat", lives: 9 });
    assertBothWays(animal, concatBytes(uint(1, 1), uint(2, 2), filled(2, 0x77)));
    assert.equal(fromJson(animal, { kind: "cow" }), "not a variant that is known here at $.kind");
    assert.equal(fromJson(animal, { lives: 9 }), "not a string at $.kind");
    assert.equal(refusal(animal, { kind: "cow" }), "not a variant that is known here at test");
    const strict = strictEnum({ 1: structVariant("one", {}) });
    assert.equal(refusal(strict, { kind: "two" }), "not a variant that is known here at test");
    assert.equal(refusal(animal, { kind: "cat" }), "missing at test/cat/lives");
  });

  it("a value outside its field's domain names its place", () => {
    const nested = tlvStruct("outer", { pairs: required(1, rest(pair)) });
    const at = (left: unknown): string => refusal(nested, { pairs: [{ left: 1 }, { left }] });
    assert.equal(at(65_536), "not an integer of 2 bytes at test/pairs/1/left");
    assert.equal(at(-1), "not an integer of 2 bytes at test/pairs/1/left");
    assert.equal(at(1.5), "not an integer of 2 bytes at test/pairs/1/left");
    assert.equal(at(undefined), "missing at test/pairs/1/left");
    assert.equal(refusal(nested, { pairs: 5 }), "not a list at test/pairs");
    assert.equal(refusal(nested, null), "not an object at test");
    assert.equal(refusal(u64, 5), "not an integer of 8 bytes at test");
    assert.equal(refusal(u64, 1n << 64n), "not an integer of 8 bytes at test");
    assert.equal(encoded(u64, (1n << 64n) - 1n), "ff".repeat(8));
    assert.equal(refusal(u48, 1n << 48n), "not an integer of 6 bytes at test");
    assert.equal(encoded(u48, (1n << 48n) - 1n), "ff".repeat(6));
    assert.equal(refusal(bytes(2), filled(3, 1)), "not 2 bytes at test");
    assert.equal(refusal(bytes(2), "0101"), "not bytes at test");
    assert.equal(refusal(txid, "ab"), "not 32 bytes of hex at test");
    assert.equal(refusal(boolean, 1), "not a bool at test");
    assert.equal(refusal(text, "\ud800"), "not text at test");
    assert.equal(refusal(script, filled(65_536, 1)), "not an integer of 2 bytes at test");
    assert.equal(refusal(exactly(2, u8), [1]), "not 2 items at test");
    assert.equal(refusal(withRaw(u8), undefined), "not an object at test");
    assert.equal(refusal(transaction, filled(3, 1)), "not a whole transaction at test");
    assert.equal(refusal(opaqueStruct, uint(0x0301, 2)), "not a whole opaque at test");
    const twice = [
      { key: 1, value: 2 },
      { key: 1, value: 3 },
    ];
    assert.equal(refusal(entries(u8, u8), twice), "a key that comes twice at test/1");
  });

  it("what is written is the value, whatever bytes it once came from", () => {
    const value = decodeAll(withRaw(pair), struct(record(0, uint(7, 2))));
    assert.equal(
      encoded(withRaw(pair), { ...value, value: { left: 8, right: 1 } }),
      "070002000804" + "0101",
    );
  });

  it("lists, options and lengths at the edge of each form", () => {
    for (const count of [0, 0xfffe, 0xffff, 0x10000]) {
      const long =
        count < 0xffff ? uint(count, 2) : concatBytes(uint(0xffff, 2), uint(count - 0xffff, 8));
      const items = filled(count, 3);
      assert.equal(decodeAll(vec(u8), concatBytes(long, items)).length, count);
      assert.equal(encoded(byteVec, items), toHex(concatBytes(long, items)));
      assert.equal(encoded(counted(u8), [...items]), toHex(concatBytes(uint(count, 8), items)));
    }
    for (const size of [0xfc, 0xfd, 0xffff, 0x10000]) {
      assertBothWays(sized("bytes", bytes(size)), concatBytes(bigSize(size), filled(size, 1)));
      const le =
        size < 0xfd ? [size] : size < 0x10000 ? [0xfd, size & 255, size >> 8] : [0xfe, 0, 0, 1, 0];
      assertBothWays(txOut, concatBytes(uint(1, 8), Uint8Array.from(le), filled(size, 1)));
    }
    const maybe = sequence({ a: option(u32), b: flagged(u8) });
    assert.deepEqual(assertBothWays(maybe, uint(0, 2)), { a: undefined, b: undefined });
    const both = assertBothWays(maybe, concatBytes(uint(5, 1), uint(9, 4), uint(1, 1), uint(7, 1)));
    assert.deepEqual(maybe.toJson(both), { a: 9, b: 7 });
    assert.equal(refusal(option(u8), 256), "not an integer of 1 bytes at test");
  });

  it("a version that is not the usual one is kept", () => {
    assert.equal(assertBothWays(versionPrefix, uint(0x0101, 2)), undefined);
    const later = assertBothWays(versionPrefix, uint(0x0201, 2));
    assert.deepEqual(later, { writer: 2, oldestReader: 1 });
    const tooNew = { writer: 2, oldestReader: 2 };
    assert.equal(encoded(versionPrefix, tooNew), "for newer readers at test");
    assert.equal(fromJson(versionPrefix, tooNew), "for newer readers at $");
  });

  it("secrets leave out empty slots in JSON only; no points are told by index 0", () => {
    const empty = concatBytes(filled(32, 0), uint(1n << 48n, 8));
    const slots = concatBytes(
      filled(32, 5),
      uint(6, 8),
      ...Array.from({ length: 48 }, () => empty),
    );
    const json = commitmentSecrets.toJson(assertBothWays(commitmentSecrets, slots));
    assert.deepEqual(json, [{ secret: "05".repeat(32), index: "6" }]);
    const zeros = concatBytes(
      filled(32, 0),
      uint(6, 8),
      ...Array.from({ length: 48 }, () => empty),
    );
    assertBothWays(commitmentSecrets, zeros);
    assertBothWays(currentPoints, concatBytes(uint(4, 6), key(1), filled(33, 0)));
    assertBothWays(currentPoints, concatBytes(uint(4, 6), key(1), key(2)));
    assert.equal(encoded(currentPoints, undefined), "00".repeat(6));
    const none = { index: 0n, first: key(1), second: undefined };
    assert.equal(encoded(currentPoints, none), "index 0 stands for no points at test");
    assert.match(
      String(
        fromJson(
          commitmentSecrets,
          Array.from({ length: 50 }, () => 0),
        ),
      ),
      /^more than 49/,
    );
  });

  it("values as deep as the limit are read and written, one deeper is refused", () => {
    const nest: Codec<number> = sized("deeper", {
      ...u8,
      decode: (cursor: Cursor) => (cursor.left > 0 ? 1 + nest.decode(cursor) : 0),
      encode: (writer, depth) => (depth > 0 ? nest.encode(writer, depth - 1) : undefined),
    });
    const bytesAt = (depth: number): Uint8Array =>
      Uint8Array.from({ length: depth }, (_, at) => depth - 1 - at);
    assert.equal(decodeAll(nest, bytesAt(MAX_NESTING)), MAX_NESTING - 1);
    assert.equal(encoded(nest, MAX_NESTING - 1), toHex(bytesAt(MAX_NESTING)));
    const deeper = decodeWhole("test", nest, bytesAt(MAX_NESTING + 1));
    assert.ok(!deeper.ok && deeper.error.problem.kind === "tooDeep");
    assert.match(encoded(nest, MAX_NESTING), /^more values in one another than are read at test/);
  });
});

describe("JSON of LDK's formats", () => {
  it("refuses what it would not have written, with the path", () => {
    const nested = tlvStruct("outer", { pairs: required(1, rest(pair)), id: optional(3, txid) });
    const at = (json: Json): unknown => fromJson(nested, json);
    assert.equal(at([]), "not an object at $");
    assert.equal(at({}), "missing at $.pairs");
    assert.equal(at({ pairs: {} }), "not a list at $.pairs");
    assert.equal(
      at({ pairs: [{ left: 1, up: 2 }] }),
      "a key that is not known here at $.pairs[0].up",
    );
    assert.equal(at({ pairs: [{ left: "1" }] }), "not an integer of 2 bytes at $.pairs[0].left");
    assert.equal(at({ pairs: [{ left: 65_536 }] }), "not an integer of 2 bytes at $.pairs[0].left");
    assert.equal(at({ pairs: [{ left: null }] }), "not an integer of 2 bytes at $.pairs[0].left");
    assert.equal(at({ pairs: [], id: "ab" }), "not 32 bytes of hex at $.id");
    assert.equal(at({ pairs: [], id: "AB".repeat(32) }), "not lowercase hex at $.id");
    assert.equal(at({ pairs: [], toString: 1 }), "a key that is not known here at $.toString");
  });

  it("long integers are decimal strings in one form", () => {
    assert.equal(u64.toJson(2n ** 64n - 1n), "18446744073709551615");
    assert.equal(fromJson(u64, "18446744073709551615"), 2n ** 64n - 1n);
    for (const wrong of [
      "18446744073709551616",
      "01",
      "-1",
      "0x1",
      "",
      " 1",
      "1e3",
      "9".repeat(40),
    ]) {
      assert.equal(fromJson(u64, wrong), "not a decimal string of at most 8 bytes at $");
    }
    assert.equal(fromJson(u64, 5), "not a string at $");
  });

  it("a map's key may come once, a text may hold any character", () => {
    const map = entries(u8, u8);
    assert.equal(
      fromJson(map, [
        { key: 1, value: 2 },
        { key: 1, value: 3 },
      ]),
      "a key that comes twice at $[1].key",
    );
    const marked = new TextEncoder().encode("\ufeffa\u0000\u20ac");
    assert.equal(assertBothWays(text, concatBytes(uint(marked.length, 2), marked)).length, 4);
    assert.equal(fromJson(text, "\udc00"), "half of a character at $");
  });
});
