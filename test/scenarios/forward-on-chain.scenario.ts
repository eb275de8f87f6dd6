/** Forwards that C claims on chain. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { theirClaim, theirClaimOnOurs, theyClose, weClose, weTakeBack } from "./acts/chain.js";
import {
  answersTo,
  assertClaimedOnChain,
  endOf,
  forward,
  forwardOn,
  forwardsTold,
  fulfil,
  openHops,
  sentOn,
  toldOf,
} from "./acts/forwards.js";
import { eventsOf, eventsOfAll, unackedOf, userEvents } from "./acts/look.js";
import { pay } from "./acts/payments.js";
import { scenario } from "./scenario.js";

/** A's HTLC lives so long that nobody has to close A's channel for it. */
const INBOUND_EXPIRY = blockHeight(400);
const OUTBOUND_EXPIRY = blockHeight(240);

scenario({
  id: "S60",
  variant: "A's channel is open",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await theyClose(world, hops.bc);
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed"]);
    await world.mine(1, [theirClaim(sentOn(one))]);
    const events = ["spent by counterparty:chain", "49999 claimed:chain"];
    assert.deepEqual(eventsOf(world, hops.bc), events, "with the first confirmation");
    assert.deepEqual(unackedOf(world), ["49999 claimed:chain"]);
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "paymentForwarded"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true })]);
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(hops.ab.channelId), 1);
  },
});

scenario({
  id: "S60",
  variant: "A's channel closes too",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await theyClose(world, hops.bc);
    await theyClose(world, hops.ab);
    await world.run();
    await world.mine(1, [theirClaim(sentOn(one))]);
    await assertClaimedOnChain(world, one);
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "channelClosed", "paymentForwarded"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true })]);
    assert.deepEqual(answersTo(one), []);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(hops.ab.channelId), 1);
  },
});

scenario({
  id: "S61",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await fulfil(one);
    await node.fastPath(one.leg, one.secret);
    await world.quiesce();
    await node.handleItems();
    assert.deepEqual(forwardsTold(world), [toldOf(one)], "off chain");
    await theyClose(world, hops.bc);
    await world.mine(1, [theirClaim(sentOn(one))]);
    assert.deepEqual(unackedOf(world), ["49999 claimed:chain"], "until A's part is over");
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(world.dangling(), []);
    const broadcasts = world.broadcastTxids().size;
    await world.mine(6);
    await world.run();
    assert.deepEqual(userEvents(world), ["paymentForwarded", "channelClosed"]);
    assert.deepEqual(eventsOfAll(world, hops.bc), [
      "spent by counterparty:chain",
      "49999 claimed:chain",
    ]);
    assert.equal(world.broadcastTxids().size, broadcasts);
    assert.equal(record.preimages(), world.monitors.length);
  },
});

for (const closer of ["C's", "our"] as const) {
  scenario({
    id: "S62",
    variant: `on ${closer} commitment`,
    async run(make) {
      const world = await make({ monitors: 1 });
      const hops = await openHops(world);
      const one = await forward(world, hops, 50_000);
      const own = await pay(world, hops.bc, 30_000);
      hops.ab.disconnect();
      const close = closer === "our" ? weClose : theyClose;
      const take = closer === "our" ? theirClaimOnOurs : theirClaim;
      await close(world, hops.bc);
      await world.mine(1, [take(sentOn(one)), take(own)]);
      const claims = ["30000 claimed:chain", "49999 claimed:chain"];
      assert.deepEqual(eventsOf(world, hops.bc).slice(1).sort(), claims);
      world.crash("manager");
      await world.restart("manager");
      await world.run();
      const told = ["channelClosed", "paymentForwarded", "paymentPathSuccessful", "paymentSent"];
      assert.deepEqual([...userEvents(world)].sort(), told);
      assert.deepEqual(unackedOf(world), ["49999 claimed:chain"], "A is away");
      hops.ab.reconnect();
      await world.run();
      assert.equal(endOf(one), "gone claim");
      assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true })]);
      assert.deepEqual([...userEvents(world)].sort(), told);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 1);
    },
  });
}

for (const closer of ["C's", "our"] as const) {
  scenario({
    id: "S63",
    variant: `on ${closer} commitment`,
    async run(make) {
      const world = await make();
      const hops = await openHops(world);
      const given = { cltvExpiry: INBOUND_EXPIRY };
      const one = await forward(world, hops, 50_000, { given, cltvExpiry: OUTBOUND_EXPIRY });
      await (closer === "our" ? weClose : theyClose)(world, hops.bc);
      await weTakeBack(world, sentOn(one));
      await world.mine(4);
      await world.run();
      assert.deepEqual([userEvents(world), answersTo(one)], [["channelClosed"], []]);
      const take = closer === "our" ? theirClaimOnOurs : theirClaim;
      await world.reorg(5, [take(sentOn(one))]);
      assert.ok(eventsOfAll(world, hops.bc).includes("49999 claimed:chain"));
      await world.run();
      await world.mine(6);
      await world.run();
      assert.deepEqual(userEvents(world), ["channelClosed", "paymentForwarded"]);
      assert.equal(endOf(one), "gone claim");
      assert.equal(eventsOfAll(world, hops.bc).includes("49999 failed:chain"), false);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

scenario({
  id: "S64",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const secret = node.newSecret();
    const given = { secret, cltvExpiry: INBOUND_EXPIRY };
    const sent = { cltvExpiry: OUTBOUND_EXPIRY };
    const claimed = await node.receive(ab, msat(50_000_319), given);
    const failed = await node.receive(ab, msat(60_000_515), given);
    const one = await forwardOn(world, claimed, bc, { ...sent, amountMsat: msat(50_000_123) });
    const two = await forwardOn(world, failed, bc, { ...sent, amountMsat: msat(60_000_123) });
    await theyClose(world, bc);
    await world.mine(1, [theirClaim(sentOn(one))]);
    await world.run();
    assert.deepEqual([endOf(one), endOf(two)], ["gone claim", "standing"]);
    await weTakeBack(world, sentOn(two));
    await world.mine(4);
    await world.run();
    assert.equal(endOf(two), "standing", "five confirmations");
    await world.mine();
    await world.run();
    assert.deepEqual([endOf(one), endOf(two)], ["gone claim", "gone fail"]);
    assert.deepEqual(eventsOfAll(world, bc), [
      "spent by counterparty:chain",
      "50000 claimed:chain",
      "60000 failed:chain",
    ]);
    assert.deepEqual(userEvents(world), [
      "channelClosed",
      "paymentForwarded",
      "htlcHandlingFailed",
    ]);
    assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true, feeMsat: 196n })]);
    assert.deepEqual(world.dangling(), []);
  },
});
