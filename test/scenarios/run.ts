/**
 * `npm run test:scenarios`: every scenario once, then the crash sweep. With --json the last line is
 * {"scenarios", "passed", "missing", "crash_points", "crash_failures"}. Exit code 1 unless all is well.
 */
import { writeFileSync } from "node:fs";
import { Command } from "commander";
import { must } from "@farwatch/protocol/assert";
import { SWEPT } from "./ids.js";
import { readmeOf } from "./readme.js";
import { runScenario } from "./run-scenario.js";
import { loadScenarios, missingIds, nameOf, type Scenario } from "./scenario.js";
import { describeFailure } from "./sweep.js";
import { strideOf, sweepInParallel } from "./sweep-jobs.js";

interface Options {
  readonly json: boolean;
  readonly only: readonly string[];
  readonly sweep: boolean;
  readonly allPoints: boolean;
  readonly crashAt: number | undefined;
  readonly writeReadme: boolean;
}

const README = new URL("../../scenarios/README.md", import.meta.url);

function readOptions(): Options {
  const program = new Command()
    .option("--json", "last line is the result as JSON", false)
    .option("--only <ids...>", "only these ids", [])
    .option("--no-sweep", "no crash sweep")
    .option("--all-points", "sweep every point of every variant, not only of the first", false)
    .option("--crash-at <index>", "one run of each with a crash at this point", Number)
    .option("--write-readme", "write the table of README.md and stop", false);
  return program.parse().opts<Options>();
}

async function main(): Promise<void> {
  const options = readOptions();
  const all = await loadScenarios();
  if (options.writeReadme) return writeFileSync(README, readmeOf(all));
  const wanted = all.filter(({ id }) => options.only.length === 0 || options.only.includes(id));
  if (options.crashAt !== undefined) return crashOnce(wanted, options.crashAt);
  const passed = await runAll(wanted);
  const swept = wanted.filter(({ id }) => SWEPT.includes(id));
  const { points, failures } = options.sweep
    ? await sweepAll(swept, all, options)
    : { points: 0, failures: 0 };
  const missing = options.only.length === 0 ? missingIds(all) : [];
  const result = {
    scenarios: wanted.length,
    passed,
    missing,
    crash_points: points,
    crash_failures: failures,
  };
  console.log(options.json ? JSON.stringify(result) : result);
  if (passed < wanted.length || missing.length > 0 || failures > 0) process.exitCode = 1;
}

async function runAll(scenarios: readonly Scenario[]): Promise<number> {
  let passed = 0;
  for (const scenario of scenarios) {
    try {
      await runScenario(scenario);
      passed += 1;
    } catch (error) {
      console.error(`${nameOf(scenario)} failed:`, error);
    }
  }
  return passed;
}

async function sweepAll(
  scenarios: readonly Scenario[],
  all: readonly Scenario[],
  { allPoints }: Options,
) {
  let points = 0;
  let failures = 0;
  for (const scenario of scenarios) {
    const name = nameOf(scenario);
    const started = Date.now();
    const stride = allPoints ? 1 : strideOf(scenario, all);
    const result = must((await sweepInParallel([name], stride))[name], "a result");
    points += result.points;
    failures += result.failures.length;
    for (const failure of result.failures) console.error(describeFailure(failure));
    const seconds = Math.round((Date.now() - started) / 1000);
    console.error(`${name}: ${result.points} crash points in ${seconds} s`);
  }
  return { points, failures };
}

async function crashOnce(scenarios: readonly Scenario[], crashAt: number): Promise<void> {
  for (const scenario of scenarios) {
    const { history } = await runScenario(scenario, { crashAt });
    console.log(nameOf(scenario), [...history.keys()]);
  }
}

await main();
