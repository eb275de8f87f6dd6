/**
 * The crash sweep: a scenario runs once undisturbed, then once for every commit and every message of
 * that run with the manager or the monitor killed right there. Whatever the crash, the node must have
 * seen the same in the end, and the final checks must hold.
 */
import { runScenario } from "./run-scenario.js";
import { nameOf, type Scenario } from "./scenario.js";
import { differences } from "./world/history.js";
import type { CrashPoint } from "./world/life.js";

export interface SweepFailure {
  readonly scenario: string;
  readonly point: CrashPoint;
  readonly reason: string;
}

export interface SweepResult {
  readonly points: number;
  readonly failures: readonly SweepFailure[];
}

export interface Share {
  /** Every `of`-th point, from `index` on. */
  readonly index: number;
  readonly of: number;
}

/** Rejects when the undisturbed run fails: there is nothing to compare with. */
export async function sweep(
  scenario: Scenario,
  share: Share = { index: 0, of: 1 },
): Promise<SweepResult> {
  const undisturbed = await runScenario(scenario);
  const points = undisturbed.points.filter(({ index }) => index % share.of === share.index);
  const failures: SweepFailure[] = [];
  for (const point of points) {
    const reason = await disturbed(scenario, point, undisturbed.history);
    if (reason !== undefined) failures.push({ scenario: nameOf(scenario), point, reason });
  }
  return { points: points.length, failures };
}

async function disturbed(
  scenario: Scenario,
  { index }: CrashPoint,
  expected: Parameters<typeof differences>[0],
): Promise<string | undefined> {
  try {
    const { history } = await runScenario(scenario, index);
    const found = differences(expected, history);
    return found.length === 0 ? undefined : found.join("; ");
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const describeFailure = ({ scenario, point, reason }: SweepFailure): string =>
  `${scenario}, crash of ${point.victim} at ${point.index} (${point.name}): ${reason}`;
