/** Forwards that C claims while A's channel closes or is closed: the preimage reaches its monitors. */
import assert from "node:assert/strict";
import { theirClaim, theyClose } from "./acts/chain.js";
import {
  answersTo,
  assertClaimedOnChain,
  claim,
  closeByUs,
  forward,
  forwardsTold,
  fulfil,
  openHops,
  sentOn,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOf, unackedOf, userEvents } from "./acts/look.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

/** One FWD, A paid by the chain alone, nothing left over, one record for each monitor. */
async function assertPaidByChain(
  world: World,
  one: Forward,
  side: "holder" | "counterparty" = "counterparty",
): Promise<void> {
  await assertClaimedOnChain(world, one, side);
  await world.run();
  assert.ok(!answersTo(one).includes("fail"), "A never sees a failure");
  assert.deepEqual(forwardsTold(world), [toldOf(one)]);
  assert.equal(world.dangling().length, 0);
  const { channelId } = one.inbound.link;
  assert.equal(world.record.preimages(channelId), world.monitors.length);
}

scenario({
  id: "S45",
  variant: "the channel closes during start-up",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    world.holdPreimages();
    await claim(one);
    await hops.bc.settle();
    await world.run();
    world.crash("manager");
    await theyClose(world, hops.ab);
    await world.restart("manager");
    await world.releasePreimages();
    await world.run();
    assert.deepEqual([...userEvents(world)].sort(), ["channelClosed", "paymentForwarded"]);
    assert.deepEqual(eventsOf(world, hops.ab), ["spent by counterparty:chain"]);
    await assertPaidByChain(world, one);
    assert.ok(hops.ab.isClosed && hops.bc.isUsable);
  },
});

for (const [variant, when, both] of [
  ["a: A's channel closes before the restart", "before", false],
  ["b: both channels close before the restart", "before", true],
  ["c: A's channel closes after the restart", "after", false],
] as const) {
  for (const record of ["in flight", "lost"] as const) {
    scenario({
      id: "S46",
      variant: `${variant}; the record is ${record}`,
      async run(make) {
        const world = await make();
        const hops = await openHops(world);
        const one = await forward(world, hops, 50_000);
        if (record === "in flight") world.holdPreimages();
        else await world.partition("m2");
        await fulfil(one);
        await world.node.fastPath(one.leg, one.secret);
        await world.quiesce();
        if (when === "before") await theyClose(world, hops.ab);
        if (both) await theyClose(world, hops.bc);
        assert.deepEqual(world.record.userEvents().includes("paymentForwarded"), false);
        world.crash("manager");
        if (record === "lost") world.crash("m2");
        await world.restart("manager");
        if (when === "after") await theyClose(world, hops.ab);
        if (record === "lost") await world.restart("m2");
        if (record === "lost") await world.heal("m2");
        await world.releasePreimages();
        await world.run();
        if (both) await world.mine(1, [theirClaim(sentOn(one))]);
        await assertPaidByChain(world, one);
        assert.equal(
          userEvents(world).filter((kind) => kind === "channelClosed").length,
          both ? 2 : 1,
        );
        assert.equal(hops.bc.isUsable, !both);
      },
    });
  }
}

for (const closer of ["A", "B"] as const) {
  for (const when of ["before", "after"] as const) {
    scenario({
      id: "S54",
      variant: `${closer} broadcasts ${when} C's fulfil`,
      async run(make) {
        const world = await make();
        const hops = await openHops(world);
        const one = await forward(world, hops, 50_000);
        const close = async (): Promise<void> => {
          if (closer === "A") await theyClose(world, hops.ab);
          else await closeByUs(world, hops.ab);
        };
        const told = async (): Promise<void> => {
          await fulfil(one);
          await world.node.fastPath(one.leg, one.secret);
          await world.quiesce();
        };
        for (const act of when === "before" ? [close, told] : [told, close]) await act();
        assert.equal(
          unackedOf(world).some((event) => event.startsWith("49999")),
          false,
        );
        await world.run();
        assert.deepEqual(eventsOf(world, hops.bc), ["49999 claimed:update"], "C's part is over");
        assert.equal(answersTo(one).length, when === "before" || closer === "B" ? 0 : 1);
        await assertPaidByChain(world, one, closer === "A" ? "counterparty" : "holder");
      },
    });
  }
}

scenario({
  id: "S57",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await theyClose(world, hops.ab);
    await world.run();
    world.holdPreimages();
    await claim(one);
    await hops.bc.settle();
    await world.run();
    assert.equal(hops.bc.channel.liveHtlcs().length, 0, "C's revocation is taken at once");
    assert.deepEqual(userEvents(world), ["channelClosed"], "not before the record is durable");
    assert.deepEqual(unackedOf(world), ["49999 claimed:update"]);
    world.crash("manager");
    await world.restart("manager");
    await world.releasePreimages();
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "paymentForwarded"]);
    await assertPaidByChain(world, one);
  },
});

scenario({
  id: "D17",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await theyClose(world, hops.ab);
    await world.run();
    await fulfil(one);
    await world.node.fastPath(one.leg, one.secret);
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "paymentForwarded"]);
    assert.deepEqual(eventsOf(world, hops.bc), ["49999 claimed:update"], "both monitors repeat it");
    await theyClose(world, hops.bc);
    await world.run();
    world.crash("manager");
    await world.restart("manager");
    await world.run();
    await assertPaidByChain(world, one);
  },
});

scenario({
  id: "D11",
  async run(make) {
    const world = await make();
    const { node } = world;
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await claim(one);
    await hops.bc.settle();
    await world.quiesce();
    await node.handleItems();
    await hops.ab.commit("holder");
    await world.partition("m2");
    const revoked = hops.ab.revoke("counterparty");
    await world.quiesce();
    assert.deepEqual(unackedOf(world), ["49999 claimed:update"], "the removal is not durable");
    await theyClose(world, hops.ab);
    await node.handleItems();
    await world.quiesce();
    assert.deepEqual(unackedOf(world), [], "closed: the preimage on both monitors is enough");
    await world.heal("m2");
    await revoked;
    await world.run();
    assert.equal(answersTo(one).join(), "claim");
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.equal(world.dangling().length, 0);
    assert.deepEqual(world.record.of("crash"), [], "nothing was restarted");
  },
});
