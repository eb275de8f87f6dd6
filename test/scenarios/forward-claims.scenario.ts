/** Forwards that C claims off chain, with A's channel open. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { forgetful } from "../harness/routing/memory.js";
import {
  answersTo,
  claim,
  endOf,
  forward,
  forwardsTold,
  fulfil,
  openHops,
  refuse,
  toldOf,
} from "./acts/forwards.js";
import { eventsOf, unackedOf, userEvents } from "./acts/look.js";
import { handleHeld, hold } from "./acts/payments.js";
import { scenario } from "./scenario.js";

scenario({
  id: "S42",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { record } = world;
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await claim(one);
    await world.quiesce();
    assert.deepEqual(unackedOf(world), ["49999 claimed:update"]);
    assert.equal(record.preimages(hops.ab.channelId), 1, "the inbound monitor has the preimage");
    assert.deepEqual(record.userEvents(), ["paymentForwarded"]);
    assert.equal(endOf(one), "standing", "no command is carried out yet");
    hold(world);
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.equal(world.dangling().length, 1, "the user is not done with it");
    await handleHeld(world);
    await world.run();
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.equal(toldOf(one).feeMsat, 1_000n);
    assert.equal(world.dangling().length, 0);
    assert.deepEqual([record.updates(hops.ab.channelId), record.preimages()], [6, 1]);
  },
});

scenario({
  id: "S43",
  variant: "A answers in time",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await fulfil(one);
    await world.node.fastPath(one.leg, one.secret);
    await world.quiesce();
    assert.deepEqual(userEvents(world), [], "nobody looked yet");
    assert.deepEqual(world.record.userEvents(), ["paymentForwarded"], "the preimage is enough");
    hops.bc.disconnect();
    hops.bc.reconnect();
    await fulfil(one);
    await world.node.fastPath(one.leg, one.secret);
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.equal(world.dangling().length, 0);
    assert.equal(world.record.preimages(), world.monitors.length, "one record for each monitor");
  },
});

scenario({
  id: "S43",
  variant: "A's preimage is held",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    world.holdPreimages();
    await fulfil(one);
    await world.node.fastPath(one.leg, one.secret);
    hops.bc.disconnect();
    hops.bc.reconnect();
    await fulfil(one);
    await world.node.fastPath(one.leg, one.secret);
    await world.run();
    assert.deepEqual([userEvents(world), answersTo(one)], [[], []]);
    assert.equal(hops.bc.channel.liveHtlcs().length, 0, "B and C are done with each other");
    const two = await forward(world, hops, 60_000);
    assert.equal(hops.bc.channel.commitment("counterparty").htlcs.length, 1, "sent at once");
    await world.releasePreimages();
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    await claim(two);
    await world.run();
    assert.deepEqual(forwardsTold(world), [toldOf(one), toldOf(two)]);
    assert.equal(world.dangling().length, 0);
  },
});

/** Where A's update_fulfill_htlc is when C speaks again: on its way, held for A, or all is over. */
const INBOUND = ["sent", "held", "cleared"] as const;

for (const inbound of INBOUND) {
  for (const second of ["fulfil", "fail"] as const) {
    scenario({
      id: "S44",
      variant: `${inbound}, then ${second}`,
      async run(make) {
        const world = await make({ monitors: 1 });
        const { node } = world;
        const hops = await openHops(world);
        const one = await forward(world, hops, 50_000);
        if (inbound === "held") hops.ab.disconnect();
        await fulfil(one);
        await node.fastPath(one.leg, one.secret);
        await world.quiesce();
        await node.handleItems();
        if (inbound === "cleared") await hops.ab.settle();
        assert.equal(hops.ab.held.size, inbound === "held" ? 1 : 0);
        hops.bc.disconnect();
        hops.bc.reconnect();
        if (second === "fulfil") await fulfil(one);
        else refuse(one);
        await world.run();
        const told = second === "fulfil" ? "49999 claimed:update" : "49999 failed:update";
        assert.deepEqual(eventsOf(world, hops.bc), [told]);
        assert.deepEqual(unackedOf(world), inbound === "held" ? [told] : [], "waits for A");
        if (inbound === "held") hops.ab.reconnect();
        await world.run();
        assert.equal(endOf(one), "gone claim");
        assert.deepEqual(userEvents(world), ["paymentForwarded"], "no failure is told");
        assert.ok(hops.bc.isUsable && hops.ab.isUsable);
        assert.equal(world.dangling().length, 0);
      },
    });
  }
}

scenario({
  id: "S45",
  variant: "the channel stays open",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    world.holdPreimages();
    await claim(one);
    await hops.bc.settle();
    await world.run();
    assert.deepEqual([userEvents(world), answersTo(one)], [[], []]);
    assert.equal(hops.bc.channel.liveHtlcs().length, 0);
    world.crash("manager");
    await world.restart("manager");
    await world.releasePreimages();
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.equal(world.dangling().length, 0);
    assert.equal(world.record.preimages(), 1, "no other record");
  },
});

for (const wiped of [false, true]) {
  scenario({
    id: wiped ? "S48" : "S47",
    async run(make) {
      const world = await make();
      const { node, record } = world;
      const hops = await openHops(world);
      const one = await forward(world, hops, 50_000);
      hops.ab.disconnect();
      await claim(one);
      await world.run();
      assert.equal(hops.ab.held.size, 1, "A is away");
      assert.equal(hops.bc.channel.liveHtlcs().length, 0, "and C has its money");
      await world.restartNode(wiped ? forgetful(node.memory()) : node.memory());
      assert.equal(hops.ab.held.size, wiped ? 0 : 1);
      assert.deepEqual(node.undecidedInbound(), [], "it does not forward again");
      await world.run();
      assert.equal(hops.ab.held.size, 1, "the claim is commanded again");
      const waiting = ["49999 claimed:update"];
      assert.deepEqual(unackedOf(world), waiting);
      hops.ab.reconnect();
      await hops.ab.commit("holder");
      await world.quiesce();
      assert.deepEqual(unackedOf(world), waiting, "A has not revoked");
      await world.run();
      assert.equal(endOf(one), "gone claim");
      assert.deepEqual(forwardsTold(world), [toldOf(one)]);
      assert.equal(world.dangling().length, 0);
      assert.equal(record.preimages(), world.monitors.length);
    },
  });
}

scenario({
  id: "S49",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const hops = await openHops(world);
    const bd = await world.open("bd");
    const one = await forward(world, hops, 50_000);
    const two = await forward(world, { ...hops, bc: bd }, 60_000);
    hops.ab.disconnect();
    await claim(one);
    await claim(two);
    await world.run();
    await world.restartNode(forgetful(node.memory()));
    assert.equal(hops.ab.held.size, 0, "the holding cell is lost");
    await world.run();
    assert.equal(hops.ab.held.size, 2);
    assert.equal(world.dangling().length, 2 * world.monitors.length);
    hops.ab.reconnect();
    await world.run();
    assert.deepEqual([endOf(one), endOf(two)], ["gone claim", "gone claim"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one), toldOf(two)]);
    assert.equal(world.dangling().length, 0);
    assert.equal(record.preimages(hops.ab.channelId), 2 * world.monitors.length);
  },
});

scenario({
  id: "S50",
  async run(make) {
    const world = await make();
    const { node } = world;
    const hops = await openHops(world);
    const skimmed = { intercepted: true, skimmedFeeMsat: msat(20) };
    const one = await forward(world, hops, 50_000, skimmed);
    hops.ab.disconnect();
    hold(world);
    await claim(one);
    await world.run();
    assert.equal(forwardsTold(world)[0]?.skimmedMsat, 20n);
    world.crash("manager");
    await world.restart("manager");
    await world.restartNode(forgetful(node.memory()));
    await handleHeld(world);
    hops.ab.reconnect();
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(forwardsTold(world), [toldOf(one, { skimmedMsat: 20n })]);
    assert.equal(toldOf(one).feeMsat, 1_020n, "the fee and what was skimmed");
    assert.equal(world.dangling().length, 0);
  },
});
