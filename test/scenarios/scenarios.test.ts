/** Every scenario once, undisturbed, and the table of README.md. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readmeOf } from "./readme.js";
import { runScenario } from "./run-scenario.js";
import { loadScenarios, nameOf } from "./scenario.js";

const scenarios = await loadScenarios();

describe("scenarios", () => {
  for (const scenario of scenarios) {
    it(`${nameOf(scenario)}: ${scenario.title}`, async () => {
      await runScenario(scenario);
    });
  }

  it("are listed in README.md", () => {
    const readme = readFileSync(new URL("../../scenarios/README.md", import.meta.url), "utf8");
    assert.equal(readme, readmeOf(scenarios), "npm run test:scenarios -- --write-readme");
  });
});
