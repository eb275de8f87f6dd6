/**
 * Goal: the LDK demo's story as a test, on both channel types. Method: real LDK processes, real services, a
 * real chain; the demo reads every fact back from bitcoind and from the monitor.
 */
import assert from "node:assert/strict";
import { runLdk } from "../demo/ldk.js";
import type { DemoStage } from "../demo/run-demo.js";
import { Timeline } from "../demo/timeline.js";

describe("an LDK node dead while its peer cheats", () => {
  for (const channelType of ["static_remote_key", "anchors_zero_fee_htlc"] as const) {
    it(`loses nothing and is told (${channelType})`, async () => {
      let stage: DemoStage | undefined;
      try {
        const result = await runLdk(channelType, new Timeline(true), (built) => (stage = built));
        assert.equal(result.ok, true, JSON.stringify(result));
        assert.notEqual(result.killed_pid, result.restarted_pid);
        assert.ok(result.stolen_sat > 0);
        // LDK's disk: the plan of this test, and one file with the ChannelManager. No monitor.
        assert.deepEqual(result.files_of_a, ["node", "plan.json"]);
      } finally {
        await stage?.cluster.stop();
        await stage?.bitcoind.stop();
      }
    });
  }
});
