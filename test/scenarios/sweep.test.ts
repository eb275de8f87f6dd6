/** The sweep sees what it is there to see. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { runScenario } from "./run-scenario.js";
import { loadScenarios } from "./scenario.js";
import { sweep } from "./sweep.js";

/** A few dozen points are enough to meet the lie, and take seconds. */
const EVERY = 11;

const scenarios = await loadScenarios();
const first = (id: string) =>
  must(
    scenarios.find((scenario) => scenario.id === id),
    id,
  );

describe("the sweep", function () {
  this.timeout(120_000);

  it("finds nothing on an honest disk", async () => {
    const { points, failures } = await sweep(first("S11"), { first: 3, every: EVERY });
    assert.ok(points > 20);
    assert.deepEqual(failures, []);
  });

  it("notices a manager whose disk says durable before it is", async () => {
    const sample = { first: 3, every: EVERY, disk: "lying manager" } as const;
    const { points, failures } = await sweep(first("S11"), sample);
    assert.ok(failures.length > points / 10, `${failures.length} of ${points}`);
  });

  it("is not needed to notice a monitor's: its receipts say so", async () => {
    await assert.rejects(
      runScenario(first("S11"), { disk: "lying monitors" }),
      /a receipt for update 1, which is not durable/,
    );
  });
});
