/**
 * The crash sweep: a scenario runs once undisturbed, then once for every commit and every message of
 * that run with the manager or the monitor killed right there. Whatever the crash, the node must have
 * seen the same in the end, and the final checks must hold.
 */
import { runScenario, type Disturbance } from "./run-scenario.js";
import { nameOf, type Scenario } from "./scenario.js";
import { differences, type History } from "./world/history.js";
import type { CrashPoint } from "./world/life.js";
import type { DiskKind } from "./world/surroundings.js";

export interface SweepFailure {
  readonly scenario: string;
  readonly point: CrashPoint;
  readonly reason: string;
}

export interface SweepResult {
  readonly points: number;
  readonly failures: readonly SweepFailure[];
}

export interface Sample {
  /** Every `every`-th point, from `first` on. */
  readonly first: number;
  readonly every: number;
  readonly disk?: DiskKind;
}

const ALL: Sample = { first: 0, every: 1 };

/** Rejects when the undisturbed run fails: there is nothing to compare with. */
export async function sweep(scenario: Scenario, sample: Sample = ALL): Promise<SweepResult> {
  const { first, every, disk = "simulated" } = sample;
  const undisturbed = await runScenario(scenario, { disk });
  const points = undisturbed.points.filter(({ index }) => index % every === first);
  const failures: SweepFailure[] = [];
  for (const point of points) {
    const reason = await disturbed(scenario, { crashAt: point.index, disk }, undisturbed.history);
    if (reason !== undefined) failures.push({ scenario: nameOf(scenario), point, reason });
  }
  return { points: points.length, failures };
}

async function disturbed(
  scenario: Scenario,
  disturbance: Disturbance,
  expected: History,
): Promise<string | undefined> {
  try {
    const { history, crashes } = await runScenario(scenario, disturbance);
    // On real SQLite a run may pass fewer points than the one before: then nothing was crashed.
    if (crashes !== 1 && disturbance.disk !== "sqlite") return "the crash did not happen";
    const found = differences(expected, history);
    return found.length === 0 ? undefined : found.join("; ");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const describeFailure = ({ scenario, point, reason }: SweepFailure): string =>
  `${scenario}, crash of ${point.victim} at ${point.index} (${point.name}): ${reason}`;
