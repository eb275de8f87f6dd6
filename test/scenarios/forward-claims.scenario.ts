/** Forwards that C claims off chain, with A's channel open. */
import assert from "node:assert/strict";
import { HANDLED, HOLD } from "../harness/routing/policy.js";
import { claim, endOf, forward, forwardsTold, openHops, toldOf } from "./acts/forwards.js";
import { scenario } from "./scenario.js";

scenario({
  id: "S42",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { node, record } = world;
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await claim(one);
    await world.quiesce();
    assert.equal(record.preimages(hops.ab.channelId), 1, "the inbound monitor has the preimage");
    assert.deepEqual(record.userEvents(), ["paymentForwarded"]);
    assert.equal(endOf(one), "standing", "no command is carried out yet");
    assert.equal(world.dangling().length, 1);
    node.policy = { ...node.policy, answer: () => HOLD };
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.equal(world.dangling().length, 1, "the user is not done with it");
    for (const told of node.told) await node.finish(told, HANDLED);
    await world.run();
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.equal(toldOf(one).feeMsat, 1_000n);
    assert.equal(world.dangling().length, 0);
    assert.deepEqual([record.updates(hops.ab.channelId), record.preimages()], [6, 1]);
  },
});
