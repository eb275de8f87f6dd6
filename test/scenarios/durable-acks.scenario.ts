/**
 * D4, a property: wherever a process dies, a result whose ack is durable is one that the manager holds
 * and the user has handled; so a manager that is older than its acks cannot come to be. Every point of a
 * run is looked at, and from a sample of them the run goes on after a real crash.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { ackedResults, unprovenAcks } from "./acts/proven-acks.js";
import { runScenario } from "./run-scenario.js";
import { loadScenarios, scenario } from "./scenario.js";
import { differences } from "./world/history.js";
import type { CrashPoint } from "./world/life.js";
import type { World } from "./world/world.js";

/** Crashes of each run: enough for both kinds of process, before and after commits and messages. */
const SAMPLES = 16;

function watcher() {
  const faults: string[] = [];
  let acked = 0;
  return {
    faults,
    ackedMost: () => acked,
    watch(world: World, { name }: CrashPoint): void {
      acked = Math.max(acked, ackedResults(world));
      for (const fault of unprovenAcks(world)) faults.push(`${name}: ${fault}`);
    },
  };
}

for (const id of ["S11", "S12", "S42", "S68"] as const) {
  scenario({
    id: "D4",
    variant: id,
    async run() {
      const all = await loadScenarios();
      const subject = must(
        all.find((one) => one.id === id),
        `scenario ${id}`,
      );
      const { watch, faults, ackedMost } = watcher();
      const { points, history } = await runScenario(subject, { watch });
      assert.deepEqual(faults, []);
      assert.ok(ackedMost() > 0, "there was something to lose");
      const every = Math.ceil(points.length / SAMPLES) | 1; // odd: a message has a point for each of its ends
      for (const { index } of points.filter((point) => point.index % every === 0)) {
        const after = watcher();
        const again = await runScenario(subject, { crashAt: index, watch: after.watch });
        assert.deepEqual(after.faults, [], `after a crash at ${index}`);
        assert.deepEqual(differences(history, again.history), [], `after a crash at ${index}`);
      }
    },
  });
}
