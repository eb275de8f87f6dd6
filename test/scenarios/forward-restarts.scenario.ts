/** Forwards over restarts of the node and of the manager: forwarded once, and resolved once. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { forgetful } from "../harness/routing/memory.js";
import { FINAL_DEPTH, mineTo, theirClaimOnOurs, weTakeBack } from "./acts/chain.js";
import {
  answersTo,
  claim,
  endOf,
  forward,
  forwardOn,
  forwardsTold,
  openHops,
  receive,
  sentOn,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOf, eventsOfAll, unackedOf, userEvents } from "./acts/look.js";
import { handleHeld, hold, pay, fulfil as fulfilOwn } from "./acts/payments.js";
import { assertRefused } from "./acts/refusals.js";
import { scenario, type MakeWorld } from "./scenario.js";
import type { World } from "./world/world.js";

/** C claims, and everything goes as if nothing had happened. */
async function assertClaimedOnce(world: World, one: Forward): Promise<void> {
  await claim(one);
  await world.run();
  assert.equal(endOf(one), "gone claim");
  assert.deepEqual(forwardsTold(world), [toldOf(one)]);
  const amount = one.leg.htlc.amountMsat / 1_000n;
  assert.deepEqual(eventsOfAll(world, one.leg.link), [`${amount} claimed:update`]);
  assert.deepEqual(world.dangling(), []);
  assert.equal(world.record.preimages(), world.monitors.length);
}

for (const intercepted of [false, true]) {
  scenario({
    id: "S55",
    variant: `before the outbound commitment${intercepted ? ", intercepted" : ""}`,
    async run(make) {
      const world = await make();
      const { node } = world;
      const { ab, bc } = await openHops(world);
      const inbound = await receive(world, ab, 50_000);
      node.offer(node.plan(inbound, bc, { intercepted }));
      assert.deepEqual(node.undecidedInbound(), []);
      await world.restartNode(forgetful(node.memory()));
      assert.deepEqual(bc.channel.liveHtlcs(), [], "nobody committed to it");
      assert.equal(
        node.undecidedInbound().length,
        1,
        "nobody owns it: it is the node's to forward",
      );
      await assertClaimedOnce(world, await forwardOn(world, inbound, bc, { intercepted }));
    },
  });
}

scenario({
  id: "S55",
  variant: "the outbound commitment is in flight",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const inbound = await receive(world, ab, 50_000);
    const leg = node.offer(node.plan(inbound, bc));
    await world.partition("m2");
    const committed = bc.commit("holder");
    await world.quiesce();
    world.crash("manager");
    await world.restart("manager");
    await world.restartNode(forgetful(node.memory()));
    assert.deepEqual(node.undecidedInbound(), [], "the manager owns it");
    await assertRefused(node.notSent(node.plan(inbound, bc), "forgotten"), "htlcCommitted");
    await world.heal("m2");
    await committed;
    await world.run();
    await assertClaimedOnce(world, { inbound, leg, secret: inbound.secret });
  },
});

scenario({
  id: "S55",
  variant: "after the outbound commitment",
  async run(make) {
    const world = await make();
    const { node } = world;
    const one = await forward(world, await openHops(world), 50_000);
    world.crash("manager");
    await world.restart("manager");
    await world.restartNode(forgetful(node.memory()));
    assert.deepEqual(node.undecidedInbound(), []);
    await assertClaimedOnce(world, one);
  },
});

scenario({
  id: "S55",
  variant: "in the outbound holding cell",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const first = await receive(world, ab, 40_000);
    const inbound = await receive(world, ab, 50_000);
    node.offer(node.plan(first, bc));
    await bc.commit("holder");
    node.offer(node.plan(inbound, bc));
    assert.equal(bc.channel.canSign("holder"), false, "C owes a revocation");
    await world.restartNode(forgetful(node.memory()));
    assert.deepEqual(
      node.undecidedInbound().map(({ htlc }) => htlc.id),
      [inbound.htlc.id],
      "the first is committed, the second is not",
    );
    await bc.settle();
    await assertClaimedOnce(world, await forwardOn(world, inbound, bc));
  },
});

for (const stale of [true, false]) {
  scenario({
    id: "S56",
    variant: stale ? "the node is behind" : "the node knows it all",
    async run(make) {
      const world = await make();
      const { node } = world;
      const hops = await openHops(world);
      const one = await forward(world, hops, 50_000);
      const old = node.memory();
      world.holdPreimages();
      await claim(one);
      await hops.bc.settle();
      assert.equal(hops.bc.channel.liveHtlcs().length, 0, "C's part is over and durable");
      assert.equal(hops.bc.lastUpdateId, BigInt(world.record.updates(hops.bc.channelId)));
      world.crash("manager");
      await world.restart("manager");
      await world.restartNode(stale ? old : node.memory());
      assert.equal(hops.bc.isBehind, stale);
      if (stale) await node.closeByMonitors(hops.bc, "the node is behind");
      await world.run();
      assert.deepEqual(forwardsTold(world), [], "the preimage is durable nowhere for A");
      assert.deepEqual(unackedOf(world).slice(0, 1), ["49999 claimed:update"]);
      await world.releasePreimages();
      await world.run();
      assert.equal(endOf(one), "gone claim");
      assert.deepEqual(forwardsTold(world), [toldOf(one)]);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

scenario({
  id: "S58",
  variant: "claimed",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const options = { intercepted: true, skimmedFeeMsat: msat(20_000) };
    const one = await forward(world, hops, 50_000, options);
    await claim(one);
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(forwardsTold(world), [toldOf(one, { skimmedMsat: 20_000n })]);
    assert.deepEqual(world.dangling(), []);
  },
});

for (const late of [false, true]) {
  scenario({
    id: "S58",
    variant: late ? "timed out" : "failed",
    async run(make) {
      const world = await make();
      const { node } = world;
      const { ab, bc } = await openHops(world);
      const inbound = await receive(world, ab, 50_000);
      const plan = node.plan(inbound, bc, { intercepted: true });
      if (late) await mineTo(world, plan.cltvExpiry);
      await node.notSent(plan, late ? "nobody released it in time" : "the user said no");
      await world.run();
      assert.deepEqual(userEvents(world), ["htlcHandlingFailed"]);
      assert.equal(endOf({ inbound, leg: inbound, secret: inbound.secret }), "gone fail");
      assert.deepEqual(eventsOfAll(world, bc), [], "it never reached the outbound edge");
      assert.equal(world.record.updates(bc.channelId), 0);
      assert.ok(ab.isUsable && bc.isUsable);
    },
  });
}

scenario({
  id: "S58",
  variant: "a committed one cannot be given up",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const inbound = await receive(world, ab, 50_000);
    const plan = node.plan(inbound, bc, { intercepted: true });
    const leg = node.offer(plan);
    await bc.settle();
    await assertRefused(node.notSent(plan, "too late"), "htlcCommitted");
    await world.run();
    assert.deepEqual(
      [userEvents(world), answersTo({ inbound, leg, secret: inbound.secret })],
      [[], []],
    );
    await assertClaimedOnce(world, { inbound, leg, secret: inbound.secret });
  },
});

scenario({
  id: "S59",
  async run(make) {
    const world = await make();
    const { record } = world;
    const hops = await openHops(world);
    hold(world, "paymentSent", "paymentPathSuccessful");
    const paid = await pay(world, hops.bc, 30_000);
    await fulfilOwn(paid);
    await world.run();
    const held = ["30000 claimed:update"];
    assert.deepEqual(unackedOf(world), held, "the user takes its time");
    const before = await forward(world, hops, 50_000);
    await claim(before);
    await world.run();
    assert.deepEqual([endOf(before), unackedOf(world)], ["gone claim", held]);
    world.crash("manager");
    await world.restart("manager");
    const after = await forward(world, hops, 60_000);
    await claim(after);
    await world.run();
    assert.deepEqual([endOf(after), unackedOf(world)], ["gone claim", held]);
    assert.deepEqual(forwardsTold(world), [toldOf(before), toldOf(after)]);
    await handleHeld(world);
    await world.run();
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.updates(hops.bc.channelId), 18, "three HTLCs come and go");
  },
});

/** B restarts from before it forwarded, and its monitors close the channel to C. */
async function unremembered(
  make: MakeWorld,
  options: { intercepted?: boolean; half?: boolean } = {},
) {
  const { intercepted = false, half = false } = options;
  const world = await make();
  const { node } = world;
  const { ab, bc } = await openHops(world);
  const inbound = await receive(world, ab, 50_000);
  const old = node.memory();
  const leg = node.offer(node.plan(inbound, bc, { intercepted }));
  if (half) await bc.commit("holder");
  else await bc.settle();
  await world.restartNode(old);
  assert.ok(bc.isBehind && ab.isUsable);
  assert.deepEqual(node.undecidedInbound(), [], "it is not forwarded again");
  await node.closeByMonitors(bc, "the node is behind");
  await world.mineBroadcasts();
  await world.run();
  assert.deepEqual(userEvents(world), ["channelClosed"]);
  const one: Forward = { inbound, leg, secret: inbound.secret };
  assert.equal(endOf(one), "standing");
  return { world, bc, one };
}

for (const intercepted of [false, true]) {
  scenario({
    id: "S65",
    variant: `claimed by C${intercepted ? ", intercepted" : ""}`,
    async run(make) {
      const { world, bc, one } = await unremembered(make, { intercepted });
      await world.mine(1, [theirClaimOnOurs(sentOn(one))]);
      await world.run();
      assert.deepEqual(eventsOf(world, bc).at(-1), "49999 claimed:chain");
      assert.equal(endOf(one), "gone claim");
      assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true })]);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

for (const half of [false, true]) {
  scenario({
    id: "S65",
    variant: half ? "not in our commitment" : "timed out",
    async run(make) {
      const { world, bc, one } = await unremembered(make, { half });
      if (!half) await weTakeBack(world, sentOn(one));
      await world.mine(FINAL_DEPTH - 2);
      await world.run();
      assert.deepEqual(answersTo(one), [], "five confirmations are not enough");
      await world.mine();
      await world.run();
      assert.deepEqual(eventsOf(world, bc).at(-1), "49999 failed:chain");
      assert.equal(endOf(one), "gone fail");
      assert.deepEqual(userEvents(world), ["channelClosed", "htlcHandlingFailed"]);
      assert.deepEqual(world.dangling(), []);
    },
  });
}
