/** Timing loops: how limits are measured, always in the run that measures the value. */
import fs from "node:fs";
import path from "node:path";
import { must } from "@farwatch/protocol/assert";

const MS_PER_SECOND = 1_000;
/** Milliseconds of a loop that only warms up: the compiler has then seen the code. */
const WARM_UP_MS = 200;

/** Milliseconds that `work` takes. */
export async function elapsedMs(work: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export const perSecond = (count: number, ms: number): number => (count / ms) * MS_PER_SECOND;

/** Calls per second of `once`, repeated for at least `ms` after a warm-up. */
export function ratePerSecond(once: () => void, ms: number): number {
  repeat(once, Math.min(WARM_UP_MS, ms));
  const { count, spent } = repeat(once, ms);
  return perSecond(count, spent);
}

function repeat(once: () => void, ms: number): { readonly count: number; readonly spent: number } {
  const start = performance.now();
  for (let count = 1; ; count++) {
    once();
    const spent = performance.now() - start;
    if (spent >= ms) return { count, spent };
  }
}

/** The middle value. Throws on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return must(sorted[Math.floor(sorted.length / 2)], "a measured value");
}

/** Median milliseconds of one append of `bytes` bytes with fdatasync, in a new file of the folder. */
export function appendAndSync(folder: string, bytes: number, rounds: number): number {
  const file = path.join(folder, "fdatasync-limit");
  const payload = Buffer.alloc(bytes, 0x5a);
  const handle = fs.openSync(file, "a");
  try {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const start = performance.now();
      fs.writeSync(handle, payload);
      fs.fdatasyncSync(handle);
      times.push(performance.now() - start);
    }
    return median(times);
  } finally {
    fs.closeSync(handle);
    fs.rmSync(file);
  }
}
