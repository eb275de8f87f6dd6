/**
 * LDK's rules of framing at every level of the built vectors: cut anywhere, an even record nobody knows in
 * any struct, an odd one in any struct.
 */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import { describeFailure } from "@farwatch/protocol/ldk/cursor";
import { bigSizeOf, encodeWire, raw, withRecordAdded } from "../../harness/ldk-bytes/wire.js";
import { builtVectors, bytesOf } from "../../harness/ldk-bytes/vectors.js";
import { READERS } from "./decoders.js";

const MARK = Uint8Array.from(Buffer.from("d0d1d2d3d4d5d6d7d8", "hex"));
/** A monitor has some 20,000 bytes, and decoding what is left of it takes a millisecond: every seventh. */
const EVERY_BYTE = 8_000;
const EVEN = 65_534n;
const ODD = 65_535n;

/** Where the added record starts: its type, in three bytes, and its length stand before the mark. */
const placeOf = (bytes: Uint8Array): number =>
  Buffer.from(bytes).indexOf(MARK) - 1 - bigSizeOf(EVEN).length;

describe("framing of LDK bytes, at every level", () => {
  for (const vector of builtVectors()) {
    const decode = READERS[vector.kind];

    it(`${vector.name}: cut anywhere is refused with the place`, () => {
      const whole = bytesOf(vector);
      const step = whole.length < EVERY_BYTE ? 1 : 7;
      for (let cut = 0; cut < whole.length; cut += step) {
        const result = decode(whole.subarray(0, cut));
        assert.ok(!result.ok, `cut at ${cut} of ${whole.length}`);
        assert.ok(result.error.offset <= cut, `the place is after the cut at ${cut}`);
        assert.notEqual(result.error.place, "");
      }
    });

    it(`${vector.name}: an even record nobody knows is refused by number and place`, () => {
      const added = { type: EVEN, value: raw(MARK) };
      for (const wire of withRecordAdded(vector.built.wire, added)) {
        const bytes = encodeWire(wire);
        const result = decode(bytes);
        assert.ok(!result.ok, `taken at ${placeOf(bytes)}`);
        assert.deepEqual(result.error.problem, { kind: "unknownRequiredTlv", type: EVEN });
        assert.equal(result.error.offset, placeOf(bytes), result.error.place);
      }
    });

    it(`${vector.name}: an odd record nobody knows is kept`, () => {
      const added = { type: ODD, value: raw(MARK) };
      for (const wire of withRecordAdded(vector.built.wire, added)) {
        const bytes = encodeWire(wire);
        const result = decode(bytes);
        if (!result.ok) assert.fail(describeFailure(result.error));
        assert.equal(toHex(result.value.encoded()), toHex(bytes));
      }
    });
  }
});
