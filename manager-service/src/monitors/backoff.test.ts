/** The waiting times of a link: base, growth, cap and jitter. */
import assert from "node:assert/strict";
import { BACKOFF_BASE_MS, BACKOFF_CAP_MS, backoffDelayMs, jitterFrom } from "./backoff.js";

const ALMOST_ONE = 1 - 2 ** -32;

describe("backoff of a link", () => {
  it("starts at the base and doubles", () => {
    assert.equal(BACKOFF_BASE_MS, 200);
    assert.deepEqual(
      [0, 1, 2, 3].map((attempt) => backoffDelayMs(attempt, ALMOST_ONE)),
      [200, 400, 800, 1600],
    );
  });

  it("waits at least half of it", () => {
    assert.deepEqual(
      [0, 1, 2].map((attempt) => backoffDelayMs(attempt, 0)),
      [100, 200, 400],
    );
  });

  it("is capped, for any number of attempts", () => {
    assert.equal(BACKOFF_CAP_MS, 10_000);
    assert.equal(backoffDelayMs(5, ALMOST_ONE), 6400);
    for (const attempt of [6, 60, 100_000]) {
      assert.equal(backoffDelayMs(attempt, ALMOST_ONE), BACKOFF_CAP_MS);
      assert.equal(backoffDelayMs(attempt, 0), BACKOFF_CAP_MS / 2);
    }
  });

  it("takes its jitter from random bytes, in [0, 1)", () => {
    assert.equal(
      jitterFrom(() => new Uint8Array(4)),
      0,
    );
    assert.equal(
      jitterFrom(() => new Uint8Array(4).fill(255)),
      ALMOST_ONE,
    );
    assert.equal(
      jitterFrom(() => new Uint8Array([128, 0, 0, 0])),
      0.5,
    );
  });
});
