/**
 * Writes snapshots of open channels whose log has grown, in idle moments: a start then replays little,
 * and an update costs one log row of its own size (ADR M-02).
 */
import type { Core } from "./core.js";
import { PENALTY_SNAPSHOT_AFTER_ROWS, SNAPSHOT_AFTER_ROWS, SNAPSHOTS_PER_IDLE } from "./limits.js";
import type { AnyEntry } from "./monitors.js";
import { runStep } from "./run-step.js";

/** Call when nothing else is waiting. Returns how many snapshots became durable. */
export async function writeDueSnapshots(core: Core): Promise<number> {
  const due: AnyEntry[] = [];
  for (const entry of core.monitors.all()) {
    if (due.length >= SNAPSHOTS_PER_IDLE) break;
    if (entry.rowsSinceSnapshot > dueAfter(entry)) due.push(entry);
  }
  if (due.length === 0) return 0;
  return runStep(core, (draft) => {
    for (const entry of due) draft.snapshot(entry);
    return due.length;
  });
}

const dueAfter = ({ kind }: AnyEntry): number =>
  kind === "full" ? SNAPSHOT_AFTER_ROWS : PENALTY_SNAPSHOT_AFTER_ROWS;
