/** Sweeps on several processes: each takes every n-th point of every scenario. */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Scenario } from "./scenario.js";
import type { Sample, SweepResult } from "./sweep.js";

/** What a worker is sent: names as in `nameOf`. */
export interface Job {
  readonly names: readonly string[];
  readonly sample: Sample;
}
/** Per scenario name. */
export type JobResult = Readonly<Record<string, SweepResult>>;

/** Each loads and warms everything for itself; more would not pay. */
const MAX_JOBS = 8;
const WORKER = fileURLToPath(new URL("./sweep-worker.js", import.meta.url));
export const DEFAULT_JOBS = Math.max(1, Math.min(MAX_JOBS, availableParallelism()));

/**
 * Of the variants of an id beyond its first, every so-many-th point is crashed: they share most of their
 * points with it, and all of them took longer than the rest of the tests together. A prime, so that the
 * points before and after, of every kind, all come up. `--all-points` crashes each.
 */
export const VARIANT_STRIDE = 11;

/** The first scenario of an id in the order of the suite is swept at every point. */
export const strideOf = (scenario: Scenario, all: readonly Scenario[]): number =>
  all.find(({ id }) => id === scenario.id) === scenario ? 1 : VARIANT_STRIDE;

/** Every `stride`-th point. Rejects when a worker dies, or when an undisturbed run fails. */
export async function sweepInParallel(
  names: readonly string[],
  stride = 1,
  jobs = DEFAULT_JOBS,
): Promise<JobResult> {
  const samples = Array.from({ length: jobs }, (_, job) => ({
    first: job * stride,
    every: jobs * stride,
  }));
  const results = await Promise.all(samples.map((sample) => runWorker({ names, sample })));
  return Object.fromEntries(
    names.map((name) => [name, merged(results.flatMap((result) => result[name] ?? []))]),
  );
}

const merged = (results: readonly SweepResult[]): SweepResult => ({
  points: results.reduce((sum, { points }) => sum + points, 0),
  failures: results.flatMap(({ failures }) => failures),
});

function runWorker(job: Job): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const worker = fork(WORKER);
    worker.once("message", (result: JobResult) => resolve(result));
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`a sweep worker ended with ${code}`)));
    worker.send(job);
  });
}
