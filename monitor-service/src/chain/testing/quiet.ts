/** For tests: a log that keeps what was said, and waiting for a condition. */
import type { FollowerLog } from "../follower.js";

export interface LogLine {
  readonly level: "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function recordingLog(lines: LogLine[] = []): FollowerLog & { readonly lines: LogLine[] } {
  return {
    lines,
    info: (fields, message) => void lines.push({ level: "info", fields, message }),
    error: (fields, message) => void lines.push({ level: "error", fields, message }),
    warn: (fields, message) => void lines.push({ level: "warn", fields, message }),
  };
}

/** Throws with `what` when the condition does not come true within `ms` milliseconds. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = 5_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`did not happen within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
