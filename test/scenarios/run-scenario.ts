/** One run of one scenario, with a crash somewhere or without, and the checks at its end. */
import type { Scenario } from "./scenario.js";
import { historyOf, type History } from "./world/history.js";
import { checkFinalState } from "./world/invariants.js";
import type { CrashPoint } from "./world/life.js";
import { World, type WorldOptions } from "./world/world.js";

export interface Outcome {
  readonly history: History;
  /** How often a sweep has crashed a process: not at all, or once. */
  readonly crashes: number;
  /** Where a sweep may crash; the checks at the end are not part of it. */
  readonly points: readonly CrashPoint[];
}

/** What a run changes about the worlds of its scenario. */
export type Disturbance = Pick<WorldOptions, "crashAt" | "disk" | "watch">;

/** Rejects when the scenario or a check fails, or nothing moves any more. */
export async function runScenario(
  scenario: Scenario,
  disturbance: Disturbance = {},
): Promise<Outcome> {
  const worlds: World[] = [];
  let failed: (error: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => (failed = reject));
  const made = (world: World): void => {
    worlds.push(world);
    world.pump.stalled.catch(failed);
  };
  try {
    const running = scenario.run((options) => World.create({ ...options, ...disturbance }, made));
    await Promise.race([running, failure]);
    return await Promise.race([finished(worlds), failure]);
  } finally {
    for (const world of worlds) await world.end();
  }
}

async function finished(worlds: readonly World[]): Promise<Outcome> {
  for (const world of worlds) await world.quiesce();
  const points = worlds.flatMap((world) => [...world.points.passed]);
  for (const world of worlds) await checkFinalState(world, world);
  const crashes = worlds.filter((world) => world.wasDisturbed).length;
  return { points, crashes, history: mergedHistory(worlds) };
}

const mergedHistory = (worlds: readonly World[]): History =>
  new Map(
    worlds.flatMap((world, index) =>
      [...historyOf(world.record)].map(([key, content]) => [`${index}/${key}`, content] as const),
    ),
  );
