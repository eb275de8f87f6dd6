/** One process of a sweep: takes one job, answers, and ends. */
import { assert } from "@farwatch/protocol/assert";
import { loadScenarios, nameOf } from "./scenario.js";
import { sweep, type SweepResult } from "./sweep.js";
import type { Job } from "./sweep-jobs.js";

process.once("message", (job: Job) => {
  work(job).then(
    (result) => process.send?.(result, () => process.disconnect()),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});

async function work({ names, sample }: Job): Promise<Record<string, SweepResult>> {
  const all = await loadScenarios();
  const results: Record<string, SweepResult> = {};
  for (const name of names) {
    const scenario = all.find((one) => nameOf(one) === name);
    assert(scenario !== undefined, `no scenario ${name}`);
    results[name] = await sweep(scenario, sample);
  }
  return results;
}
