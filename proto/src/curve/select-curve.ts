/**
 * Decides at start-up which curve is used: the faster one only if it agrees with noble on every case
 * of the self-test, errors included. A wrong verifier loses money, a slow one does not, so every doubt
 * ends at noble; who asked for the faster one by name gets an error instead of a silent slowdown.
 */
import { toHex } from "../bytes.js";
import { err, ok, type Result } from "../result.js";
import type { Curve } from "./curve.js";
import { nobleCurve } from "./noble-curve.js";
import { curveCases, type CurveCase } from "./select-curve-cases.js";
import { loadTinyCurve, type TinyLoader } from "./tiny-curve.js";

export type CurvePreference = "auto" | "noble" | "tiny-secp256k1";

export interface SelectedCurve {
  readonly curve: Curve;
  /** For the log and GetInfo: why this one. */
  readonly reason: string;
}

/** The curve asked for by name cannot be used. */
export class CurveUnavailable extends Error {
  override readonly name = "CurveUnavailable";
}

/** Results in words, without the inputs: they are public constants, but the habit is kept. */
export interface Disagreement {
  readonly caseName: string;
  readonly reference: string;
  readonly candidate: string;
}

function outcome(curveCase: CurveCase, curve: Curve): string {
  try {
    const result = curveCase.run(curve);
    return result instanceof Uint8Array ? toHex(result) : String(result);
  } catch {
    return "throws"; // that it throws is the contract; the wording is the library's own
  }
}

/**
 * Runs every case on both curves. Returns the number of cases, or the first case on which the
 * candidate differs from the reference or either differs from a known answer.
 */
export function selfTest(reference: Curve, candidate: Curve): Result<number, Disagreement> {
  const cases = curveCases(reference);
  for (const curveCase of cases) {
    const expected = outcome(curveCase, reference);
    const actual = outcome(curveCase, candidate);
    const known = curveCase.expected ?? expected;
    if (expected !== known || actual !== known) {
      return err({ caseName: curveCase.name, reference: expected, candidate: actual });
    }
  }
  return ok(cases.length);
}

/** The faster curve if it loads and passes the self-test, else the reason against it. */
async function tryTiny(load: TinyLoader): Promise<Result<SelectedCurve, string>> {
  const loaded = await load();
  if (!loaded.ok) return err(loaded.error.message);
  const tested = selfTest(nobleCurve, loaded.value);
  if (!tested.ok) return err(`the self-test failed at "${tested.error.caseName}"`);
  const reason = `agrees with noble on ${tested.value} self-test cases`;
  return ok({ curve: loaded.value, reason });
}

/** Throws CurveUnavailable only for the preference "tiny-secp256k1". */
export async function selectCurve(
  preference: CurvePreference,
  load: TinyLoader = loadTinyCurve,
): Promise<SelectedCurve> {
  if (preference === "noble") return { curve: nobleCurve, reason: "configured" };
  const tiny = await tryTiny(load);
  if (tiny.ok) return tiny.value;
  if (preference === "auto") return { curve: nobleCurve, reason: tiny.error };
  throw new CurveUnavailable(`tiny-secp256k1 was asked for, but ${tiny.error}`);
}
