/** A commitment that no update has named confirms: the operator is told loudly (onchain-engine 6.4). */
import assert from "node:assert/strict";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import { createChannel } from "../../harness/channel/channel.js";
import { offer, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { World } from "./world.js";

describe("an unknown commitment", function () {
  this.timeout(60_000);

  it("is an error in the log, once; a known one is none", async () => {
    const world = await World.start();
    try {
      for (const known of [true, false]) {
        let heard = true;
        const plan = createChannel({
          ...testChannelOptions,
          curve: world.curve,
          onUpdate: async (steps) => {
            if (heard) await world.accept(channel.channelId, steps);
          },
        });
        const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat, known ? 1 : 2);
        const channel = plan.open(funding.outpoint);
        const request = world.manager.watch(channel.initialState("holder"));
        assert.ok((await world.host.watchChannel(world.manager.who, request)).ok);
        await world.mine(funding.raw);
        heard = known;
        offer(channel, "holder", 50_000, "one");
        await channel.settle();
        await world.mine(broadcastableCommitment(channel, "counterparty"));
        await world.mineEmpty(2);
        const alarms = world.lines.filter(({ level }) => level === "error");
        assert.deepEqual(
          alarms.map(({ fields }) => [fields["channelId"], fields["commitmentNumber"]]),
          known ? [] : [[channel.channelId, 1]],
        );
      }
    } finally {
      await world.end();
    }
  });
});
