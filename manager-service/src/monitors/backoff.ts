/**
 * How long a link waits before it tries again: exponential with jitter, so that many managers do not
 * meet a restarted monitor at the same moment, and capped, because a monitor that came back must get
 * its updates within seconds (reliability 3.7).
 */

/** Ms. A restart of a service on the same host takes about this long. */
export const BACKOFF_BASE_MS = 200;
/** Ms. Upper end of every wait: an update waits no longer than this for a monitor that is back. */
export const BACKOFF_CAP_MS = 10_000;

/**
 * Delay in ms before attempt `attempt` + 1, attempts counted from 0: between half and all of
 * base * 2^attempt, never above the cap. `jitter` is uniform in [0, 1).
 */
export function backoffDelayMs(attempt: number, jitter: number): number {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** attempt);
  return Math.round(ceiling / 2 + (ceiling / 2) * jitter);
}

/** A number in [0, 1) from 4 random bytes. */
export function jitterFrom(randomBytes: (length: number) => Uint8Array): number {
  const bytes = randomBytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
