/**
 * The wasm module throws out of the middle of a call when it meets bytes that are no point, and each time
 * loses a piece of its stack: after some 3,000 every call fails. No input may bring it there.
 */
import assert from "node:assert/strict";
import type { Curve } from "./curve.js";
import { loadTinyCurve } from "./tiny-curve.js";

/** More often than it took to break the module: 2,400 to 3,400 times. */
const TIMES = 4_000;
const SECRET = new Uint8Array(32).fill(7);
/** x = 0x0505... is on no point of the curve. */
const NO_X = new Uint8Array(32).fill(5);
const NO_POINT = Uint8Array.of(2, ...NO_X);
const SIGNATURE = new Uint8Array(64).fill(1);

const loaded = await loadTinyCurve();

/** Where the module is not installed there is nothing to break. */
if (loaded.ok) describeTiny(loaded.value);

function describeTiny(curve: Curve): void {
  const point = curve.publicKey(SECRET);
  const cases: readonly (readonly [string, () => unknown])[] = [
    ["ecdsaVerify", () => curve.ecdsaVerify(SIGNATURE, SECRET, NO_POINT)],
    ["schnorrVerify", () => curve.schnorrVerify(SIGNATURE, SECRET, NO_X)],
    ["pointAdd, first", () => curve.pointAdd(NO_POINT, point)],
    ["pointAdd, second", () => curve.pointAdd(point, NO_POINT)],
    ["pointAddScalar", () => curve.pointAddScalar(NO_POINT, SECRET)],
    ["pointMultiply", () => curve.pointMultiply(NO_POINT, SECRET)],
    ["isPoint", () => curve.isPoint(NO_POINT)],
  ];
  describe("the faster curve after bytes that are no point", function () {
    this.timeout(120_000);
    for (const [name, call] of cases) {
      it(`still works after many of ${name}`, () => {
        for (let times = 0; times < TIMES; times++) {
          try {
            call();
          } catch (error) {
            assert.ok(error instanceof Error); // what is refused is tested with both backends
          }
        }
        assert.equal(curve.isPoint(point), true);
        assert.equal(curve.isPoint(NO_POINT), false);
        const signature = curve.ecdsaSign(SECRET, SECRET);
        assert.equal(curve.ecdsaVerify(signature, SECRET, point), true);
      });
    }
  });
}
