/** Bytes that LDK did not write end in one typed error that says where, whatever they are. */
import assert from "node:assert/strict";
import { concatBytes } from "../bytes.js";
import {
  decodeWhole,
  describeFailure,
  type Cursor,
  type Decoder,
  type DecodeFailure,
} from "./cursor.js";
import { decodeChannelMonitor } from "./monitor.js";
import { counted, entries, option, vec } from "./collections.js";
import { boolean, text, u16, u32, u64, u8 } from "./primitives.js";
import { bigSize, filled, key, record, struct, uint, update } from "./testing/build.js";
import { vectorRows, type VectorRow } from "./load-vectors.test.js";
import { optional, required, tlvStruct } from "./tlv.js";
import { transaction } from "./transaction.js";
import { decodeMonitorUpdate } from "./update.js";

const pair = tlvStruct("pair", { left: required(0, u16), right: optional(3, u8) });

const bigSizeAlone = { decode: (cursor: Cursor) => BigInt(cursor.bigSize()) };

function failure<T>(decoder: Decoder<T>, ...bytes: readonly Uint8Array[]): DecodeFailure {
  const result = decodeWhole("test", decoder, concatBytes(...bytes));
  return result.ok ? assert.fail("decoded") : result.error;
}

const kindOf = <T>(decoder: Decoder<T>, ...bytes: readonly Uint8Array[]): string =>
  failure(decoder, ...bytes).problem.kind;

/** The smallest recorded blob of a kind: every cut of it is tried. */
function smallest(rows: readonly VectorRow[], kind: string): Uint8Array {
  const [first] = rows.filter((row) => row.kind === kind).sort(bySize);
  return first?.bytes ?? assert.fail(`no ${kind}`);
}
const bySize = (a: VectorRow, b: VectorRow): number => a.bytes.length - b.bytes.length;

describe("malformed LDK bytes", () => {
  const rows = vectorRows();

  it("a monitor or update cut at any byte is refused with the place of the cut", () => {
    const monitor = smallest(rows, "monitor");
    const cutUpdates = rows.filter(({ kind }) => kind === "update").slice(20, 23);
    const cases = [
      { bytes: monitor, decode: decodeChannelMonitor },
      ...cutUpdates.map(({ bytes }) => ({ bytes, decode: decodeMonitorUpdate })),
    ];
    for (const { bytes, decode } of cases) {
      for (let cut = 0; cut < bytes.length; cut++) {
        const result = decode(bytes.subarray(0, cut));
        assert.ok(!result.ok, `cut at ${cut}`);
        assert.equal(result.error.problem.kind, "truncated");
        assert.ok(result.error.offset <= cut);
      }
    }
  });

  it("a byte after the end is refused", () => {
    const result = decodeMonitorUpdate(concatBytes(smallest(rows, "update"), uint(0, 1)));
    assert.ok(!result.ok && result.error.problem.kind === "leftover");
  });

  it("an unknown even record is refused by number and offset, an unknown odd one is kept", () => {
    const odd = struct(record(0, uint(7, 2)), record(5, filled(40, 1)));
    assert.deepEqual(decodeWhole("t", pair, odd), {
      ok: true,
      value: {
        left: 7,
        right: undefined,
        unknownRecords: [{ type: 5n, bytes: filled(40, 1) }],
      },
    });
    const even = struct(record(0, uint(7, 2)), record(2 ** 33 + 2, filled(3, 1)));
    assert.deepEqual(failure(pair, even), {
      problem: { kind: "unknownRequiredTlv", type: 2n ** 33n + 2n },
      offset: 5,
      place: "test/pair",
    });
  });

  it("records must rise, be complete and fill their length", () => {
    const left = record(0, uint(7, 2));
    assert.equal(kindOf(pair, struct(left, left)), "unorderedTlv");
    assert.equal(kindOf(pair, struct(record(3, uint(1, 1)), left)), "unorderedTlv");
    assert.deepEqual(failure(pair, struct()).problem, {
      kind: "missingTlv",
      type: 0,
      field: "left",
    });
    assert.equal(kindOf(pair, struct(record(0, uint(7, 3)))), "leftover");
    assert.equal(kindOf(pair, struct(record(0, uint(7, 1)))), "truncated");
  });

  it("a BigSize in a longer form than needed is refused, at every width", () => {
    for (const bytes of [
      [0xfd, 0, 0xfc],
      [0xfe, 0, 0, 0xff, 0xff],
      [0xff, 0, 0, 0, 0, 255, 255, 255, 255],
    ]) {
      const { problem, offset } = failure(bigSizeAlone, Uint8Array.from(bytes));
      assert.deepEqual({ problem, offset }, { problem: { kind: "notMinimal" }, offset: 0 });
    }
    for (const value of [0, 0xfc, 0xfd, 0xffff, 0x10000, 0xffffffff, 2 ** 32, 2n ** 64n - 1n]) {
      const decoded = decodeWhole("t", bigSizeAlone, bigSize(value));
      assert.deepEqual(decoded, { ok: true, value: BigInt(value) });
    }
  });

  it("a length or count beyond the input costs nothing and is refused", () => {
    const huge = uint(2n ** 64n - 1n, 8);
    assert.equal(kindOf(counted(u32), huge, filled(64, 1)), "truncated");
    assert.equal(kindOf(vec(u8), uint(0xffff, 2), huge), "truncated");
    assert.equal(kindOf(pair, bigSize(2n ** 64n - 1n)), "truncated");
    assert.equal(kindOf(option(u32), bigSize(2n ** 63n)), "truncated");
    assert.equal(kindOf(transaction, uint(2, 4), filled(9, 0xff), filled(20, 0xff)), "truncated");
  });

  it("values outside their domain are refused", () => {
    assert.equal(kindOf(boolean, uint(2, 1)), "badValue");
    assert.equal(kindOf(text, uint(1, 2), uint(0xff, 1)), "badValue");
    assert.equal(kindOf(option(u32), uint(6, 1), filled(5, 0)), "leftover");
    const twice = concatBytes(uint(2, 2), uint(5, 1), uint(1, 1), uint(5, 1), uint(2, 1));
    assert.equal(kindOf(entries(u8, u8), twice), "badValue");
    assert.equal(kindOf(u64, uint(0, 7)), "truncated");
  });

  it("an unknown odd step is named, an unknown even one and a newer format are refused", () => {
    const known = concatBytes(uint(4, 1), struct(record(0, uint(1, 1))));
    const later = concatBytes(uint(13, 1), struct(record(2, key(3))));
    const result = decodeMonitorUpdate(update(8, known, later));
    assert.ok(result.ok);
    assert.deepEqual(
      result.value.steps.map(({ value }) => value),
      [
        { kind: "channelForceClosed", shouldBroadcast: true },
        { kind: "unknown", variant: 13, bytes: record(2, key(3)) },
      ],
    );
    assert.deepEqual(result.value.steps[1]?.raw, later);
    const even = decodeMonitorUpdate(update(8, concatBytes(uint(14, 1), struct())));
    assert.ok(!even.ok && even.error.problem.kind === "unknownVariant");
    assert.equal(even.error.offset, 18);
    const newer = decodeMonitorUpdate(concatBytes(uint(0x0202, 2), filled(40, 0)));
    assert.ok(!newer.ok && newer.error.problem.kind === "unsupportedVersion");
  });

  it("one flipped byte never ends in anything but a value or the typed error", () => {
    const { bytes } = rows.filter(({ kind }) => kind === "update")[25] ?? assert.fail();
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 0xff;
      const result = decodeMonitorUpdate(flipped);
      if (!result.ok) assert.match(describeFailure(result.error), /^\w+ at byte \d+ of channelMon/);
    }
  });
});
