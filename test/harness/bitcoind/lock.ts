/**
 * A lock file that holds its owner's pid. It only saves work done twice: whoever loses a race over a
 * stale lock works in a folder of his own and finds the result in place.
 */
import { readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Longer than any honest owner holds it; after that the lock is nobody's. */
const STALE_AFTER_MS = 300_000;
const RETRY_MS = 200;

/** Runs `work` while holding the lock; waits for another process that holds it. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!take(file)) await sleep(RETRY_MS);
  try {
    return await work();
  } finally {
    if (ownerOf(file) === process.pid) unlinkSync(file);
  }
}

function take(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  if (isStale(file)) {
    try {
      unlinkSync(file);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return false;
}

function isStale(file: string): boolean {
  try {
    const age = Date.now() - statSync(file).mtimeMs;
    if (age > STALE_AFTER_MS) return true;
    const owner = ownerOf(file);
    // An owner that has not written its pid yet is given a moment.
    return owner === undefined ? age > 5_000 : !isAlive(owner);
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function ownerOf(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Signal 0 sends nothing; EPERM means somebody else's live process. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
