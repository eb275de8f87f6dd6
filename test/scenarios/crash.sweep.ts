/**
 * The crash sweep as tests: every id that must be swept, at every point of its first variant and a part of
 * those of the others; and a sample of points on real SQLite.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { SWEPT } from "./ids.js";
import { loadScenarios, nameOf } from "./scenario.js";
import { describeFailure, sweep } from "./sweep.js";
import { strideOf, sweepInParallel } from "./sweep-jobs.js";

/** Ms: some hundred runs of a scenario on a slow machine. */
const TIMEOUT_MS = 900_000;
/** Every so-many-th point is crashed on SQLite, where a run takes some hundred ms; a prime. */
const SQLITE_EVERY = 23;
const ON_SQLITE = ["S11", "S42"];

const scenarios = await loadScenarios();

describe("crash sweep", function () {
  this.timeout(TIMEOUT_MS);

  for (const scenario of scenarios.filter(({ id }) => SWEPT.includes(id))) {
    const name = nameOf(scenario);
    it(`${name}: a crash at any commit or message changes nothing the node sees`, async () => {
      const swept = await sweepInParallel([name], strideOf(scenario, scenarios));
      const { points, failures } = must(swept[name], "a result");
      assert.ok(points > 0);
      assert.deepEqual(failures.map(describeFailure), []);
    });
  }

  for (const scenario of scenarios.filter(({ id }) => ON_SQLITE.includes(id))) {
    it(`${nameOf(scenario)}: nor on real SQLite`, async () => {
      const { points, failures } = await sweep(scenario, {
        first: 0,
        every: SQLITE_EVERY,
        disk: "sqlite",
      });
      assert.ok(points > 0);
      assert.deepEqual(failures.map(describeFailure), []);
    });
  }
});
