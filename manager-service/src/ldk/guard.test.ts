import assert from "node:assert/strict";
import { guarded } from "./guard.js";

describe("a callback given to LDK", () => {
  const boom = (): number => {
    throw new Error("inside");
  };

  it("answers as it is, when nothing fails", () => {
    const failed: unknown[] = [];
    const twice = guarded(
      (n: number) => 2 * n,
      (error) => failed.push(error),
      () => 0,
    );
    assert.equal(twice(4), 8);
    assert.deepEqual(failed, []);
  });

  it("never throws, tells what failed, and answers something harmless", () => {
    const failed: unknown[] = [];
    const callback = guarded(
      boom,
      (error) => failed.push(error),
      () => 7,
    );
    assert.equal(callback(), 7);
    assert.equal(failed.length, 1);
  });

  it("never throws, not even when telling fails", () => {
    assert.equal(guarded(boom, boom, () => 7)(), 7);
  });
});
