/** Amounts have a bound, and so have their sums. */
import assert from "node:assert/strict";
import { MAX_MSAT, msat, sumMsat } from "./amount.js";

describe("amounts", () => {
  it("are refused above 21 million BTC", () => {
    assert.equal(msat(MAX_MSAT), MAX_MSAT);
    assert.throws(() => msat(MAX_MSAT + 1n));
    assert.throws(() => msat(-1n));
  });

  it("add up to 21 million BTC and no further", () => {
    assert.equal(sumMsat([]), 0n);
    assert.equal(sumMsat([msat(1), msat(2)]), 3n);
    assert.equal(sumMsat([msat(MAX_MSAT - 1n), msat(1)]), MAX_MSAT);
    assert.equal(sumMsat([msat(MAX_MSAT), msat(1)]), MAX_MSAT);
  });
});
