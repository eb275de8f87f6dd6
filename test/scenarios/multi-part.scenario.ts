/**
 * Payments in several parts, at their payee and on their way. There is no RAA blocker here: commands wait
 * for the preimage on every part's channel, and nothing else waits for anything (contract 2.14).
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { forgetful } from "../harness/routing/memory.js";
import {
  claim,
  endOf,
  forward,
  forwardOn,
  forwardsTold,
  fulfil,
  openHops,
  receive,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOfAll, unackedOf, userEvent, userEvents } from "./acts/look.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

/** Two parts of a payment to B, on a channel each. */
async function twoParts(world: World) {
  const { node } = world;
  const [ab, ac] = [await world.open("ab"), await world.open("ac")];
  const secret = node.newSecret();
  const first = await node.receive(ab, msat(30_000_000), { secret });
  const second = await node.receive(ac, msat(40_000_000), { secret });
  const ends = (): readonly string[] =>
    [first, second].map((part) => endOf({ inbound: part, leg: part, secret }));
  return { ab, ac, secret, parts: [first, second], ends };
}

for (const reload of ["a", "b"] as const) {
  scenario({
    id: "S51",
    variant: `the payee, reload ${reload}`,
    async run(make) {
      const world = await make();
      const { node, record } = world;
      const { secret, parts, ends } = await twoParts(world);
      world.holdPreimages();
      await node.claimPayment(secret, parts);
      await world.run();
      assert.deepEqual([userEvents(world), ends()], [[], ["standing", "standing"]]);
      if (reload === "a") {
        world.crash("manager");
        await world.restart("manager");
      }
      await world.releasePreimages();
      if (reload === "b") {
        world.crash("manager");
        await world.restart("manager");
        await world.restartNode(forgetful(node.memory()));
      }
      await world.run();
      assert.deepEqual(ends(), ["gone claim", "gone claim"]);
      assert.deepEqual(userEvents(world), ["paymentClaimed"]);
      assert.equal(userEvent(world, "paymentClaimed").value.amountMsat, 70_000_000n);
      assert.equal(record.preimages(), 2 * world.monitors.length, "one record for each part");
    },
  });
}

scenario({
  id: "S51",
  variant: "a monitor of the parts is away",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { secret, parts, ends } = await twoParts(world);
    await world.partition("m2");
    await node.claimPayment(secret, parts);
    await world.quiesce();
    await node.handleItems();
    assert.deepEqual([userEvents(world), ends()], [[], ["standing", "standing"]]);
    await world.heal("m2");
    await world.run();
    assert.deepEqual(ends(), ["gone claim", "gone claim"]);
    assert.deepEqual(userEvents(world), ["paymentClaimed"]);
  },
});

scenario({
  id: "S51",
  variant: "a forwarder of both parts",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const bd = await world.open("bd");
    const secret = world.node.newSecret();
    const one = await forward(world, hops, 50_000, { given: { secret } });
    const two = await forward(world, { ...hops, bc: bd }, 60_000, { given: { secret } });
    await claim(one);
    await world.run();
    assert.deepEqual([endOf(one), endOf(two)], ["gone claim", "standing"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    world.crash("manager");
    await world.restart("manager");
    hops.ab.disconnect();
    await claim(two);
    await world.run();
    assert.deepEqual(unackedOf(world), ["59999 claimed:update"], "acked when A completes");
    hops.ab.reconnect();
    await world.run();
    assert.deepEqual([endOf(one), endOf(two)], ["gone claim", "gone claim"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one), toldOf(two)]);
    assert.deepEqual(world.dangling(), []);
  },
});

/** As many parts as the scenario has in LDK. */
const PARTS = 6;

scenario({
  id: "S52",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const secret = world.node.newSecret();
    const all: Forward[] = [];
    for (let part = 0; part < PARTS; part++) {
      const inbound = await receive(world, ab, 10_000 + part, { secret });
      all.push(await forwardOn(world, inbound, bc));
    }
    world.holdPreimages();
    for (const one of all) await fulfil(one);
    await bc.settle();
    await world.run();
    assert.equal(bc.channel.liveHtlcs().length, 0, "C is done, whatever A's monitors do");
    const claims = all.map((_, part) => `${9_999 + part} claimed:update`);
    assert.deepEqual(eventsOfAll(world, bc), claims);
    assert.deepEqual(unackedOf(world), claims);
    assert.deepEqual(userEvents(world), []);
    await world.releasePreimages();
    assert.deepEqual(unackedOf(world), claims, "until the six are removed");
    await world.run();
    assert.deepEqual(new Set(all.map(endOf)), new Set(["gone claim"]));
    assert.deepEqual(
      forwardsTold(world),
      all.map((one) => toldOf(one)),
    );
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(), world.monitors.length, "one hash, one record");
  },
});

scenario({
  id: "S53",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { node } = world;
    const { ab, secret, parts, ends } = await twoParts(world);
    world.holdPreimages();
    await node.claimPayment(secret, parts);
    await node.receive(ab, msat(5_000_000));
    assert.equal(ab.channel.commitment("holder").htlcs.length, 2, "no revocation is blocked");
    await world.run();
    assert.deepEqual([userEvents(world), ends()], [[], ["standing", "standing"]]);
    world.crash("manager");
    await world.restart("manager");
    await world.releasePreimages();
    await world.run();
    assert.deepEqual(ends(), ["gone claim", "gone claim"]);
    assert.deepEqual(userEvents(world), ["paymentClaimed"]);
    assert.equal(ab.held.size, 0, "nothing is stuck in the holding cell");
  },
});
