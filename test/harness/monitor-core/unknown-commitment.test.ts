/**
 * A commitment newer than all we know confirms: our data is lost or late (onchain-engine 6.4). Its HTLCs
 * are out of reach and fail nothing; our plain output is ours all the same.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { offer } from "../channel/test-channel.js";
import { protectedChannel } from "./protected-channel.js";
import {
  CHANNEL_TYPES,
  counterpartyCloses,
  number,
  outcomes,
  pay,
  spendable,
  spendKind,
} from "./scenario.js";

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: an unknown commitment of ${channelType}`, () => {
    it("gives our plain output, claims nothing and fails nothing", async () => {
      const p = await protectedChannel({ channelType });
      const [ours] = await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 540 });
      assert.ok(ours !== undefined);
      p.held = [];
      offer(p.channel, "counterparty", 25_000, "theirs", 550);
      offer(p.channel, "holder", 26_000, "added", 550);
      await p.channel.settle();
      const at = number(p, "counterparty");
      counterpartyCloses(p);
      assert.equal(spendKind(p), "unknown");
      p.mineEmpty(5);
      const { built } = p.channel.commitment("counterparty", at);
      const vout = must(built.toRemoteIndex, "our output");
      assert.deepEqual(spendable(p), [`${built.txid}:${vout}`]);
      p.mineTo(700);
      assert.deepEqual(p.published(), []);
      assert.deepEqual(outcomes(p, ours), []);
      assert.deepEqual(p.state.claims, []);
      assert.equal(p.events.length, 2);
    });
  });
}
