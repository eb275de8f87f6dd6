/**
 * What rust-lightning pull request 4640 changes, put together field by field from its sources (51058bf8): no
 * release writes it yet, so nothing of it is recorded.
 */
import assert from "node:assert/strict";
import { concatBytes, toHex } from "../bytes.js";
import { preimage } from "../ids.js";
import type { Codec } from "./codec.js";
import { rest, vec } from "./collections.js";
import { toReason } from "./convert/fail-reason.js";
import { decodeWhole } from "./cursor.js";
import { readJson } from "./json.js";
import { htlcUpdate, preimageOf, type LdkHtlcUpdate } from "./monitor-events.js";
import { u16, u8 } from "./primitives.js";
import { claimsOf, failReason, outboundFailure } from "./resolution.js";
import { bigSize, decodeAll, filled, record, struct, uint } from "./testing/build.js";
import { optional, tlvStruct } from "./tlv.js";
import { encodeWhole } from "./writer.js";

const variant = (id: number, ...records: readonly Uint8Array[]): Uint8Array =>
  concatBytes(uint(id, 1), struct(...records));

const forward = variant(0, record(0, uint(77, 8)), record(2, uint(5, 8)));
const source = variant(
  1,
  record(0, uint(77, 8)),
  record(2, filled(32, 1), uint(3, 2)),
  record(4, uint(5, 8)),
  record(6, filled(32, 2)),
);
const SECRET = preimage(filled(32, 0x99));

function assertBothWays<T>(codec: Codec<T>, raw: Uint8Array): T {
  const value = decodeAll(codec, raw);
  const encoded = encodeWhole("value", codec, value);
  assert.equal(encoded.ok && toHex(encoded.value), toHex(raw));
  const read = readJson(codec, codec.toJson(value));
  assert.deepEqual(read.ok && read.value, value);
  return value;
}

const htlcOf = (...records: readonly Uint8Array[]): LdkHtlcUpdate =>
  assertBothWays(htlcUpdate, struct(record(0, filled(32, 3)), record(2, source), ...records));

describe("persistent monitor events of LDK (pull request 4640)", () => {
  it("a preimage is found in the resolution, in its old record and in the old record's new form", () => {
    const claimed = variant(1, record(1, SECRET), record(3, uint(7, 8)));
    const behindLength = record(4, bigSize(33), SECRET);
    assert.deepEqual(preimageOf(htlcOf(record(4, SECRET))), SECRET);
    assert.deepEqual(preimageOf(htlcOf(behindLength)), SECRET);
    assert.deepEqual(preimageOf(htlcOf(record(9, claimed))), SECRET);
    assert.deepEqual(preimageOf(htlcOf(behindLength, record(9, claimed))), SECRET);
    assert.equal(preimageOf(htlcOf()), undefined);
    assert.equal(preimageOf(htlcOf(record(4, uint(0, 1)))), undefined);
    const failed = variant(3, record(1, variant(1, record(0, uint(0x4008, 2)), record(2))));
    assert.equal(preimageOf(htlcOf(record(9, failed))), undefined);
    const both = htlcOf(behindLength, record(9, failed));
    assert.deepEqual(preimageOf(both), SECRET, "a preimage is never dropped");
  });

  it("an amount that nobody knows differs from one that is not written", () => {
    assert.equal(htlcOf(record(7, uint(0, 1))).valueMsat, null);
    assert.equal(htlcOf().valueMsat, undefined);
    assert.equal(htlcOf(record(7, uint(9, 1), uint(5, 8))).valueMsat, 5n);
  });

  it("claims come from the newer list unless it is empty", () => {
    const { id } = decodeAll(outboundFailure, struct(record(0, forward), record(2, onChain)));
    const older = [{ id, preimage: SECRET }];
    const newer = [{ id, preimage: SECRET, skimmedFeeMsat: 4n }];
    assert.deepEqual(claimsOf({ legacyClaimed: older, claims: newer }), newer);
    assert.deepEqual(claimsOf({ claimed: older }), older);
    assert.deepEqual(claimsOf({ legacyClaimed: older, claims: [] }), older);
    assert.deepEqual(claimsOf({}), []);
  });

  it("reasons of failures become ours", () => {
    const none = { holdTime: undefined, attributionData: undefined };
    const reasonOf = (...records: readonly Uint8Array[]) =>
      toReason(assertBothWays(failReason, variant(1, ...records)));
    const own = concatBytes(uint(0x1007, 2), uint(7, 1), struct());
    const cause = { kind: "local", failureCode: 0x1007, data: filled(2, 5) };
    assert.deepEqual(reasonOf(record(1, own), record(2, filled(2, 5))), { cause, ...none });
    assert.deepEqual(reasonOf(record(0, uint(0x1007, 2)), record(2, filled(2, 5))), {
      cause,
      ...none,
    });
    assert.deepEqual(toReason(assertBothWays(failReason, onChain)), {
      cause: { kind: "onChainTimeout" },
      ...none,
    });
    const onion = variant(
      0,
      record(0, uint(3, 2), filled(3, 8)),
      record(1, filled(920, 9)),
      record(3, uint(12, 4)),
    );
    assert.deepEqual(toReason(assertBothWays(failReason, onion)), {
      cause: { kind: "onionError", packet: filled(3, 8) },
      holdTime: 12,
      attributionData: filled(920, 9),
    });
  });
});

const onChain = variant(
  1,
  record(0, uint(0x4008, 2)),
  record(1, uint(0x4008, 2), uint(37, 1), struct()),
  record(2),
);

describe("forms of one record", () => {
  const forms = tlvStruct("forms", {
    filling: optional(1, rest(u16)),
    counted: optional(1, vec(u8)),
  });

  it("the first that uses the record up is taken, and written again as it was", () => {
    const filling = assertBothWays(forms, struct(record(1, uint(0x0102, 2))));
    assert.deepEqual([filling.filling, filling.counted], [[0x0102], undefined]);
    const counted = assertBothWays(forms, struct(record(1, uint(1, 2), uint(9, 1))));
    assert.deepEqual([counted.filling, counted.counted], [undefined, [9]]);
    assert.deepEqual(assertBothWays(forms, struct(record(1))).filling, []);
  });

  it("a record that none takes is refused by the one that comes furthest; two at once are not written", () => {
    const none = decodeWhole("test", forms, struct(record(1, uint(5, 2), uint(9, 1))));
    assert.ok(!none.ok && none.error.problem.kind === "truncated");
    assert.equal(none.error.place, "test/forms/counted");
    const both = { filling: [1], counted: [1] };
    const encoded = encodeWhole("test", forms, both);
    assert.ok(!encoded.ok && encoded.error.place === "test/counted");
    const read = readJson(forms, both);
    assert.deepEqual(read, {
      ok: false,
      error: { problem: "a second form of the same record", path: "$.counted" },
    });
  });
});
