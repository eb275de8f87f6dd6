/**
 * Updates that reach monitors after the channel was closed on chain (contract 2.4; section 3, S4 to S7,
 * S9): applied, and `completed` says that the channel is closed once the node was told of the close.
 */
import assert from "node:assert/strict";
import { FINAL_DEPTH, mineTo, theirClaim, theyClose, weClose, weTakeBack } from "./acts/chain.js";
import {
  completionsOf,
  cutOff,
  newestAt,
  pending,
  reconnect,
  toldBefore,
} from "./acts/durability.js";
import { receive } from "./acts/forwards.js";
import { eventsOf, eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { inSat, pay, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { Link } from "../harness/routing/link.js";
import type { World } from "./world/world.js";

const FAILED = ["paymentPathFailed", "paymentFailed"];

/** The HTLC is in an update that the manager has accepted and no monitor has. */
async function payLate(world: World, ab: Link, amountSat: number) {
  const { node } = world;
  const payment = await node.registerPayment(inSat(amountSat));
  const plan = await node.planPart(payment, ab, inSat(amountSat));
  await cutOff(world);
  const paid: Paid = { payment, part: node.offer(plan) };
  const signed = ab.channel.signCommitment("holder");
  await world.quiesce();
  return { paid, signed, updateId: ab.lastUpdateId };
}

/** The monitors are reached again: the update is stored, and the node may release nothing. */
async function assertAppliedAfterClose(
  world: World,
  ab: Link,
  { signed, updateId }: { readonly signed: Promise<unknown>; readonly updateId: bigint },
): Promise<void> {
  assert.ok(!completionsOf(world, ab).some((one) => one.startsWith(`${updateId}`)));
  await reconnect(world);
  await signed;
  for (const { name } of world.monitors) assert.equal(newestAt(world, ab, name), updateId);
  assert.equal(completionsOf(world, ab).at(-1), `${updateId} closed`);
  assert.ok(toldBefore(world, "channelClosed", ab, updateId), "the close is delivered first");
  assert.equal(ab.isUsable, false, "nothing is released");
}

scenario({
  id: "S4",
  async run(make) {
    const world = await make();
    const { node } = world;
    const ab = await world.open("ab");
    const received = await receive(world, ab, 50_000);
    await cutOff(world);
    await theyClose(world, ab);
    ab.channel.addHtlc("counterparty", {
      amountMsat: inSat(10_000),
      paymentHash: node.newSecret().paymentHash,
      cltvExpiry: received.htlc.cltvExpiry,
    });
    await ab.channel.signCommitment("counterparty");
    const signed = ab.channel.receiveCommitment("holder");
    await node.claimPayment(received.secret, [received]);
    await world.quiesce();
    assert.deepEqual(userEvents(world), [], "nothing is claimed that no monitor can claim");
    await assertAppliedAfterClose(world, ab, { signed, updateId: ab.lastUpdateId });
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "paymentClaimed"], "in this order");
    assert.equal((await world.mineBroadcasts()).length, 1, "the preimage claims on chain");
    await world.mine(FINAL_DEPTH);
    await world.run();
    const told = eventsOfAll(world, ab);
    assert.deepEqual(told, ["spent by counterparty:chain"]);
    assert.deepEqual(userEvents(world), ["channelClosed", "paymentClaimed"]);
    assert.ok(node.eventsOf("spendableOutputs").length > 0, "and is ours");
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(ab.channelId), world.monitors.length, "mon+1 preimage");
  },
});

for (const [id, depth] of [
  ["S5", 1],
  ["S6", FINAL_DEPTH],
] as const) {
  scenario({
    id,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab");
      const late = await payLate(world, ab, 50_000);
      await theyClose(world, ab, 0);
      await world.mine(depth - 1);
      await assertAppliedAfterClose(world, ab, late);
      await world.run();
      const spent = "spent by counterparty:chain";
      if (depth < FINAL_DEPTH) {
        await world.mine(FINAL_DEPTH - depth - 1);
        await world.run();
        assert.deepEqual(eventsOfAll(world, ab), [spent], "not before it is final");
        assert.deepEqual(userEvents(world), ["channelClosed"]);
        await world.mine(1);
        await world.run();
      }
      assert.deepEqual(eventsOfAll(world, ab), [spent, "50000 failed:chain"]);
      assert.deepEqual(paymentEvents(world, late.paid.payment), FAILED);
      assert.deepEqual(world.dangling(), []);
      const updates = world.record.updates(ab.channelId);
      assert.equal(updates, 2, "the commitment, and the close");
      await world.mine(50);
      await world.run();
      assert.equal(world.record.updates(ab.channelId), updates, "nothing after the failure");
      assert.equal(world.record.preimages(), 0);
    },
  });
}

/** Sat of the HTLC in our confirmed commitment, and of the one that is only in the late update. */
const AMOUNTS = {
  "both above dust": [50_000, 60_000],
  "the late one is dust": [50_000, 100],
  "the committed one is dust": [100, 60_000],
} as const;

for (const [variant, [inOurs, inLate]] of Object.entries(AMOUNTS)) {
  scenario({
    id: "S7",
    variant,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab");
      const ours = await pay(world, ab, inOurs);
      const late = await payLate(world, ab, inLate);
      await weClose(world, ab);
      await assertAppliedAfterClose(world, ab, late);
      await world.run();
      await world.mine(FINAL_DEPTH - 2);
      await world.run();
      for (const { payment } of [ours, late.paid]) {
        assert.deepEqual(paymentEvents(world, payment), [], "not before it is final");
      }
      await world.mine(1);
      await world.run();
      assert.deepEqual(paymentEvents(world, late.paid.payment), FAILED);
      const isDust = inOurs < 1_000;
      assert.deepEqual(paymentEvents(world, ours.payment), isDust ? FAILED : []);
      if (!isDust) {
        await weTakeBack(world, ours);
        await world.mine(FINAL_DEPTH - 2);
        await world.run();
        assert.deepEqual(paymentEvents(world, ours.payment), [], "its own depth counts");
        await world.mine(1);
        await world.run();
      }
      assert.deepEqual(paymentEvents(world, ours.payment), FAILED);
      const [spent, ...fails] = eventsOfAll(world, ab);
      assert.equal(spent, "spent by holder:chain");
      const expected = [inOurs, inLate].map((sat) => `${sat} failed:chain`);
      assert.deepEqual([...fails].sort(), [...expected].sort());
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}

for (const outcome of ["timed out", "claimed"] as const) {
  scenario({
    id: "S9",
    variant: outcome,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab");
      const paid = await pay(world, ab, 50_000);
      await world.partition("m1");
      world.crash("m2");
      await mineTo(world, paid.part.htlc.cltvExpiry + 10);
      const [broadcast] = world.chain.broadcasts;
      assert.equal(broadcast?.by, "m1", "one has broadcast, and nobody knows");
      assert.deepEqual(eventsOf(world, ab, "m1"), ["closed for htlcDeadline:block"]);
      const before = ab.channel.revokedBelow("holder");
      ab.channel.addHtlc("counterparty", {
        amountMsat: inSat(10_000),
        paymentHash: world.node.newSecret().paymentHash,
        cltvExpiry: paid.part.htlc.cltvExpiry,
      });
      await ab.channel.signCommitment("counterparty");
      const signed = ab.channel.receiveCommitment("holder");
      const late = pending(signed);
      await world.quiesce();
      assert.equal(late.isDone, false);
      world.start("m2");
      await world.heal("m1");
      await signed;
      const { lastUpdateId } = ab;
      for (const { name } of world.monitors) assert.equal(newestAt(world, ab, name), lastUpdateId);
      assert.equal(completionsOf(world, ab).at(-1), `${lastUpdateId} closed`);
      assert.ok(toldBefore(world, "channelClosed", ab, lastUpdateId));
      await world.run();
      assert.equal(ab.channel.revokedBelow("holder"), before, "no secret of what was broadcast");
      if (outcome === "claimed") {
        await theyClose(world, ab);
        await world.mine(1, [theirClaim(paid)]);
      } else {
        await world.mineBroadcasts();
        await weTakeBack(world, paid);
        await world.mine(FINAL_DEPTH);
      }
      await world.run();
      const result = outcome === "claimed" ? ["paymentSent", "paymentPathSuccessful"] : FAILED;
      assert.deepEqual(paymentEvents(world, paid.payment), result);
      assert.equal(userEvents(world).filter((kind) => kind === "channelClosed").length, 1);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}
