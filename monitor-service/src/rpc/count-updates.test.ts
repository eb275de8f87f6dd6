import assert from "node:assert/strict";
import fc from "fast-check";
import { UpdateChannelRequest } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { MAX_BATCH_UPDATES } from "@farwatch/protocol/envelope/limits";
import { countUpdates } from "./count-updates.js";

const update = fc.record({
  header: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
});
const encoded = (updates: readonly { header: Buffer; payload: Buffer }[]): Uint8Array =>
  UpdateChannelRequest.encode({
    batch: { header: Buffer.from("header"), signature: Buffer.alloc(64), updates },
  }).finish();

describe("counting updates before a batch is decoded", () => {
  it("counts what the decoder finds", () => {
    fc.assert(
      fc.property(fc.array(update, { maxLength: 40 }), (updates) => {
        assert.equal(countUpdates(encoded(updates)), updates.length);
      }),
    );
  });

  it("adds up batch fields that occur twice", () => {
    const one = encoded([{ header: Buffer.alloc(0), payload: Buffer.alloc(0) }]);
    const twice = Uint8Array.of(...one, ...one);
    assert.equal(countUpdates(twice), 2);
  });

  it("stops counting one above the limit", () => {
    const empty = { header: Buffer.alloc(0), payload: Buffer.alloc(0) };
    const many = (count: number) => encoded(Array.from({ length: count }, () => empty));
    assert.equal(countUpdates(many(MAX_BATCH_UPDATES)), MAX_BATCH_UPDATES);
    assert.equal(countUpdates(many(100_000)), MAX_BATCH_UPDATES + 1);
  });

  it("ends on any bytes, and never counts fewer updates than the decoder would build", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const counted = countUpdates(bytes);
        let decoded: number;
        try {
          decoded = UpdateChannelRequest.decode(bytes).batch?.updates.length ?? 0;
        } catch {
          return; // refused by the decoder, whatever was counted
        }
        assert.ok(counted >= decoded);
      }),
      { numRuns: 2000 },
    );
  });
});
