/**
 * The node's own payments that end on chain without a preimage: a failure is final six blocks deep in
 * the transaction that decides it (R21, R23, R24, R26), and not a block earlier.
 */
import assert from "node:assert/strict";
import { FINAL_DEPTH, outputOf, theyClose, weClose, weTakeBack } from "./acts/chain.js";
import { eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { fulfil, pay, refuse, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { Link } from "../harness/routing/link.js";
import type { World } from "./world/world.js";

const FAILED = ["paymentPathFailed", "paymentFailed"];

/** After the block that decides: as many empty ones as leave it one short of final. */
async function almostFinal(world: World): Promise<void> {
  await world.mine(FINAL_DEPTH - 2);
  await world.run();
}
async function oneMore(world: World): Promise<void> {
  await world.mine();
  await world.run();
}
const assertUndecided = (world: World, ...paid: readonly Paid[]): void => {
  for (const { payment } of paid) assert.deepEqual(paymentEvents(world, payment), []);
};
const assertFailed = (world: World, ...paid: readonly Paid[]): void => {
  for (const { payment } of paid) assert.deepEqual(paymentEvents(world, payment), FAILED);
};

/** A later payment comes and goes: whatever their commitment was before is revoked. */
async function moveOn(world: World, ab: Link): Promise<number> {
  const { number } = ab.channel.commitment("counterparty");
  await fulfil(await pay(world, ab, 1_000));
  await world.run();
  return number;
}

scenario({
  id: "S32",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    const old = await moveOn(world, ab);
    await theyClose(world, ab, old);
    await world.mine(FINAL_DEPTH);
    await world.run();
    assertUndecided(world, paid); // the commitment alone decides nothing
    await world.mineBroadcasts();
    assert.ok(world.chain.spenderOf(outputOf(paid, "counterparty", old)), "justice");
    await almostFinal(world);
    assertUndecided(world, paid);
    await oneMore(world);
    assertFailed(world, paid);
    const told = ["1000 claimed:update", "spent by revoked:chain", "50000 failed:chain"];
    assert.deepEqual(eventsOfAll(world, ab), told);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S33",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const [kept, dust] = [await pay(world, ab, 50_000), await pay(world, ab, 100)];
    const old = await moveOn(world, ab);
    const missing = await pay(world, ab, 60_000);
    await theyClose(world, ab, old);
    await almostFinal(world);
    assertUndecided(world, kept, dust, missing);
    await oneMore(world);
    assertFailed(world, dust, missing);
    assertUndecided(world, kept);
    const updates = world.record.updates(ab.channelId);
    const justice = await world.mineBroadcasts();
    await almostFinal(world);
    assertUndecided(world, kept);
    await oneMore(world);
    assertFailed(world, kept);
    assert.equal(world.record.updates(ab.channelId), updates, "nothing is sent for a failure");
    const before = [userEvents(world), eventsOfAll(world, ab)];
    await world.reorg(FINAL_DEPTH, justice);
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual([userEvents(world), eventsOfAll(world, ab)], before, "told once");
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(), 0);
  },
});

for (const which of ["latest", "previous"] as const) {
  scenario({
    id: "S34",
    variant: `${which} commitment`,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab");
      const dropped = await pay(world, ab, 100);
      const dust = await pay(world, ab, 200);
      const other = await pay(world, ab, 50_000);
      refuse(dropped);
      await ab.commit("counterparty"); // ours no longer has it, theirs does; nothing is revoked
      const latest = ab.channel.received("holder");
      await weClose(world, ab, which === "latest" ? latest : latest - 1);
      await almostFinal(world);
      assertUndecided(world, dropped, dust, other);
      await oneMore(world);
      assertFailed(world, dropped, dust);
      assertUndecided(world, other);
      const [spend, ...fails] = eventsOfAll(world, ab);
      assert.equal(spend, "spent by holder:chain");
      assert.deepEqual([...fails].sort(), ["100 failed:chain", "200 failed:chain"]);
      await weTakeBack(world, other);
      await world.mine(5);
      await world.run();
      assertFailed(world, other);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

/** Whose commitment confirms, and how we get back what it holds. */
const CLOSES = {
  async revoked(world: World, ab: Link) {
    await theyClose(world, ab, await moveOn(world, ab));
    return async () => void (await world.mineBroadcasts());
  },
  async ours(world: World, ab: Link, paid: Paid) {
    await weClose(world, ab);
    return async () => void (await weTakeBack(world, paid));
  },
  async theirs(world: World, ab: Link, paid: Paid) {
    await theyClose(world, ab);
    return async () => void (await weTakeBack(world, paid));
  },
};

for (const kind of ["revoked", "ours", "theirs"] as const) {
  scenario({
    id: "S35",
    variant: `${kind} commitment`,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab");
      const [dust, paid] = [await pay(world, ab, 100), await pay(world, ab, 50_000)];
      const takeBack = await CLOSES[kind](world, ab, paid);
      await almostFinal(world);
      assertUndecided(world, dust, paid);
      await oneMore(world);
      assertFailed(world, dust);
      assertUndecided(world, paid);
      await takeBack();
      await almostFinal(world);
      assertUndecided(world, paid);
      await oneMore(world);
      assertFailed(world, paid);
      const [dustAt, paidAt] = ["100 failed:chain", "50000 failed:chain"];
      assert.deepEqual(eventsOfAll(world, ab).slice(-2), [dustAt, paidAt]);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}
