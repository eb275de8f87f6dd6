/** What acks of forwards wait for: the user, the HTLC that is named, every monitor. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { htlcId } from "@farwatch/protocol/ids";
import { theirClaim, theyClose } from "./acts/chain.js";
import {
  claim,
  endOf,
  forward,
  forwardOn,
  forwardsTold,
  fulfil,
  openHops,
  refuse,
  sentOn,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOf, unackedOf, userEvents } from "./acts/look.js";
import { fulfil as fulfilOwn, handleHeld, hold, pay } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

scenario({
  id: "D7",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const hops = await openHops(world);
    const [one, two] = [await forward(world, hops, 50_000), await forward(world, hops, 60_000)];
    const { ab, bc } = hops;
    refuse(two);
    await bc.commit("counterparty");
    await bc.revoke("holder");
    await bc.commit("holder");
    await world.partition("m2");
    const revoked = bc.revoke("counterparty");
    await world.quiesce();
    assert.deepEqual(unackedOf(world, "m1"), ["59999 failed:update"]);
    await theyClose(world, bc);
    await world.mine(1, [theirClaim(sentOn(one))]);
    await node.handleItems();
    assert.ok(eventsOf(world, bc).includes("49999 claimed:chain"));
    assert.equal(record.preimages(ab.channelId), 1, "the claim is acted on at once");
    assert.deepEqual(userEvents(world), ["channelClosed"]);
    assert.deepEqual([endOf(one), endOf(two)], ["standing", "standing"], "the fail waits for m2");
    await world.heal("m2");
    await revoked;
    await world.run();
    assert.deepEqual([endOf(one), endOf(two)], ["gone claim", "gone fail"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true })]);
    assert.deepEqual([...userEvents(world)].sort(), [
      "channelClosed",
      "htlcHandlingFailed",
      "paymentForwarded",
    ]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "D9",
  variant: "a forward, and A's revocation",
  async run(make) {
    const world = await make();
    const one = await forward(world, await openHops(world), 50_000);
    hold(world, "paymentForwarded");
    await claim(one);
    await world.run();
    assert.equal(endOf(one), "gone claim", "the removal came while the handler ran");
    assert.deepEqual(unackedOf(world), ["49999 claimed:update"]);
    await handleHeld(world);
    await world.quiesce();
    assert.deepEqual(world.dangling(), []);
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
  },
});

scenario({
  id: "D9",
  variant: "a forward, and C's claim on chain",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    hold(world, "paymentForwarded");
    await fulfil(one);
    await world.node.fastPath(one.leg, one.secret);
    await world.quiesce();
    await world.node.handleItems();
    await hops.ab.settle();
    await theyClose(world, hops.bc);
    await world.mine(1, [theirClaim(sentOn(one))]);
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(unackedOf(world), ["49999 claimed:chain"], "the handler is not done");
    await handleHeld(world);
    await world.run();
    assert.deepEqual(world.dangling(), []);
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
  },
});

scenario({
  id: "D9",
  variant: "an own payment, and its claim",
  async run(make) {
    const world = await make();
    const { bc } = await openHops(world);
    const own = await pay(world, bc, 30_000);
    hold(world, "paymentSent");
    await fulfilOwn(own);
    await world.node.fastPath(own.part, own.payment.secret);
    await world.quiesce();
    await world.node.handleItems();
    assert.deepEqual(userEvents(world), ["paymentSent"], "before any event");
    await world.run();
    assert.deepEqual(unackedOf(world), ["30000 claimed:update"]);
    await handleHeld(world);
    await world.quiesce();
    assert.deepEqual(world.dangling(), []);
  },
});

/** Two inbound HTLCs of one hash, the second claimed and removed first. */
async function secondFirst(world: World, one: Forward, two: Forward): Promise<void> {
  const { node } = world;
  const { policy } = node;
  node.policy = {
    ...policy,
    obeys: (command) =>
      command.$case === "claimInbound" && htlcId(command.value.htlcId) === two.inbound.htlc.id,
  };
  await fulfil(one);
  await claim(two);
  await world.run();
  assert.deepEqual([endOf(one), endOf(two)], ["standing", "gone claim"]);
  assert.deepEqual(forwardsTold(world), [toldOf(one), toldOf(two)]);
  const left = world.dangling().map(({ by, event }) => `${by} ${event.eventId}`);
  assert.deepEqual(left, ["m1 1", "m2 1"], "only the event of the removed HTLC is acked");
  node.policy = policy;
  world.crash("manager");
  await world.restart("manager");
  await world.run();
  assert.deepEqual([endOf(one), endOf(two)], ["gone claim", "gone claim"]);
  assert.deepEqual(forwardsTold(world), [toldOf(one), toldOf(two)]);
  assert.deepEqual(world.dangling(), []);
}

scenario({
  id: "D20",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const secret = node.newSecret();
    const first = await node.receive(ab, msat(50_000_000), { secret });
    const second = await node.receive(ab, msat(60_000_000), { secret });
    const one = await forwardOn(world, first, bc);
    await secondFirst(world, one, await forwardOn(world, second, bc));
    assert.deepEqual(eventsOf(world, bc), ["49999 claimed:update", "59999 claimed:update"]);
  },
});

scenario({
  id: "D25",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const secret = node.newSecret();
    const first = await node.receive(ab, msat(50_000_000), { secret });
    const second = await node.receive(ab, msat(50_000_000), { secret });
    assert.equal(first.htlc.cltvExpiry, second.htlc.cltvExpiry);
    const one = await forwardOn(world, first, bc);
    await secondFirst(world, one, await forwardOn(world, second, bc));
  },
});
