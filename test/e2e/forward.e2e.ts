/**
 * Goal: the forwarding demo's story as a test, on both channel types. Method: real processes and a real
 * chain; the demo reads every fact back from bitcoind and from the services.
 */
import assert from "node:assert/strict";
import { runForward } from "../demo/forward.js";
import type { Stage } from "../demo/stage.js";
import { Timeline } from "../demo/timeline.js";

describe("a forward that its receiver takes on chain while our manager is dead", () => {
  for (const channelType of ["static_remote_key", "anchors_zero_fee_htlc"] as const) {
    it(`is claimed from the sender, told once and acked in time on ${channelType} channels`, async () => {
      let stage: Stage | undefined;
      try {
        const result = await runForward(
          channelType,
          new Timeline(true),
          (built) => (stage = built),
        );
        assert.ok(result.ok, JSON.stringify(result));
        assert.equal(result.forwarded_from_onchain, 1);
        assert.equal(result.total_fee_msat, 100_000);
        assert.equal(result.received_sat, 80_000);
        assert.equal(result.relayed_while_manager_dead, true);
        assert.deepEqual(
          result.sightings.map(({ removed, held }) => [removed, held]),
          [
            [false, true],
            [false, true],
            [false, true],
            [true, false],
          ],
        );
        assert.deepEqual([result.told_again, result.pending_after], [0, 0]);
      } finally {
        await stage?.cluster.stop();
        await stage?.bitcoind.stop();
      }
    });
  }
});
