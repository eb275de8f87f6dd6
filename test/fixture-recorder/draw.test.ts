/** What is drawn for a recording follows from its seed alone. */
import assert from "node:assert/strict";
import { Draw } from "./draw.js";

describe("Draw", () => {
  it("gives the same values for the same scope and label, and others for others", () => {
    const draw = new Draw("1 reorg static_remotekey");
    assert.equal(draw.int("x", 0, 1e9), new Draw("1 reorg static_remotekey").int("x", 0, 1e9));
    assert.notEqual(draw.int("x", 0, 1e9), draw.int("y", 0, 1e9));
    assert.notEqual(draw.int("x", 0, 1e9), new Draw("2 reorg static_remotekey").int("x", 0, 1e9));
    assert.notDeepEqual(draw.bytes("seed of A"), draw.bytes("seed of B"));
  });

  it("stays inside the range and reaches both ends", () => {
    const draw = new Draw("range");
    const values = new Set(Array.from({ length: 200 }, (_, nth) => draw.int(`${nth}`, 3, 7)));
    assert.deepEqual([...values].sort(), [3, 4, 5, 6, 7]);
  });

  it("keeps values apart, and refuses when they do not fit", () => {
    const range = { low: 34, high: 50, gap: 4 };
    for (let nth = 0; nth < 50; nth++) {
      const values = new Draw(`apart ${nth}`).apart("x", 5, range).sort((a, b) => a - b);
      assert.deepEqual(values, [34, 38, 42, 46, 50]);
    }
    assert.throws(() => new Draw("").apart("x", 6, range), RangeError);
  });
});
