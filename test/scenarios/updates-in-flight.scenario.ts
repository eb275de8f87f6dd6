/** Updates on their way to several monitors: what waits for whom (contract 2.5, 2.6; section 3, S1, S3, D24). */
import assert from "node:assert/strict";
import { completionsOf, newestAt, pending, toldBefore } from "./acts/durability.js";
import { eventsOfAll, unackedOf, userEvents } from "./acts/look.js";
import { fulfil, handleHeld, hold, inSat, pay, refuse } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { Link } from "../harness/routing/link.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
/** Updates of adding an HTLC, and of removing it. */
const ADD = 3;
const REMOVE = 3;

/** The peer's commitment without the first HTLC arrives, and ours with a second one is signed. */
async function twoInFlight(world: World, ab: Link) {
  const { node } = world;
  const second = await node.registerPayment(inSat(20_000));
  node.offer(await node.planPart(second, ab, inSat(20_000)));
  return {
    receive: () => ab.channel.receiveCommitment("holder"),
    sign: () => ab.channel.signCommitment("holder"),
    payment: second,
  };
}

scenario({
  id: "S1",
  variant: "one monitor has both, then the other",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    const { receive, sign } = await twoInFlight(world, ab);
    await fulfil(paid);
    await ab.channel.signCommitment("counterparty");
    await world.partition("m1");
    const works = [receive(), sign()];
    const [first, second] = works.map((work) => pending(work));
    await world.quiesce();
    assert.equal(newestAt(world, ab, "m2"), 5n);
    assert.equal(newestAt(world, ab, "m1"), 3n);
    await node.handleItems();
    assert.deepEqual(userEvents(world), ["paymentSent"], "a claim waits for no monitor");
    assert.ok(first?.isDone === false && second?.isDone === false, "m1 has neither");
    assert.ok(!completionsOf(world, ab).includes("4"));
    await world.heal("m1");
    await Promise.all(works);
    assert.ok(toldBefore(world, "paymentSent", ab, 4n), "events up to the watermark come first");
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.deepEqual(eventsOfAll(world, ab), ["50000 claimed:update"]);
    assertInOrder(completionsOf(world, ab));
    const rest = ab.channel.liveHtlcs().map(({ amountMsat }) => amountMsat);
    assert.deepEqual(rest, [inSat(20_000)], "the second HTLC is committed");
    ab.channel.failHtlc(must(ab));
    await world.run();
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.preimages(), 0);
  },
});

/** The one HTLC that is left. */
function must({ channel }: Link) {
  const [htlc] = channel.liveHtlcs();
  assert.ok(htlc !== undefined);
  return htlc;
}

function assertInOrder(completions: readonly string[]): void {
  const ids = completions.map(Number);
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
    "completed never goes back",
  );
}

scenario({
  id: "S1",
  variant: "each monitor lacks another one",
  async run(make) {
    const world = await make();
    const { node } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    const { receive, sign, payment } = await twoInFlight(world, ab);
    await fulfil(paid);
    await ab.channel.signCommitment("counterparty");
    await world.partition("m1");
    const received = receive();
    await world.quiesce();
    assert.ok(!completionsOf(world, ab).includes("4"), "m1 lacks it");
    await world.partition("m2");
    const signed = sign();
    const second = pending(signed);
    await world.heal("m1");
    await received;
    assert.deepEqual([newestAt(world, ab, "m1"), newestAt(world, ab, "m2")], [5n, 4n]);
    assert.equal(second.isDone, false, "m2 lacks the second");
    assert.equal(completionsOf(world, ab).at(-1), "4", "what both have is completed");
    await world.heal("m2");
    await signed;
    assert.equal(completionsOf(world, ab).at(-1), "5");
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    refuse({ payment, part: { link: ab, htlc: must(ab) } });
    await world.run();
    assert.deepEqual(userEvents(world), [...SENT, ...FAILED]);
    assertInOrder(completionsOf(world, ab));
    assert.deepEqual(world.dangling(), []);
    assert.equal(node.told.filter(({ deliveries }) => deliveries > 1).length, 0);
  },
});

for (const updates of [1, 2] as const) {
  scenario({
    id: "S1",
    variant: `one monitor, ${updates === 1 ? "one update" : "two updates in order"}`,
    async run(make) {
      const world = await make({ monitors: 1 });
      const ab = await world.open("ab");
      const paid = await pay(world, ab, 50_000);
      const { receive, sign, payment } = await twoInFlight(world, ab);
      await fulfil(paid);
      await ab.channel.signCommitment("counterparty");
      const before = completionsOf(world, ab).length;
      await Promise.all(updates === 1 ? [receive()] : [receive(), sign()]);
      await world.quiesce();
      const completions = completionsOf(world, ab).slice(before);
      if (updates === 1) assert.deepEqual(completions, ["4"], "exactly once");
      else assert.equal(completions.at(-1), "5");
      assert.ok(toldBefore(world, "paymentSent", ab, 4n));
      await world.run();
      refuse({ payment, part: { link: ab, htlc: must(ab) } });
      await world.run();
      assert.deepEqual(userEvents(world), [...SENT, ...FAILED]);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

scenario({
  id: "S1",
  variant: "a fail waits for the update that makes it final",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    refuse(paid);
    await ab.commit("counterparty");
    await ab.revoke("holder");
    await ab.commit("holder");
    await ab.channel.revoke("counterparty");
    await world.partition("m1");
    const revoked = ab.channel.receiveRevocation("holder");
    await world.quiesce();
    await node.handleItems();
    assert.deepEqual(unackedOf(world, "m2"), ["50000 failed:update"]);
    assert.deepEqual(userEvents(world), [], "m1 could still be asked to broadcast the HTLC");
    await world.heal("m1");
    await revoked;
    await world.run();
    assert.deepEqual(userEvents(world), FAILED);
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.updates(ab.channelId), ADD + REMOVE);
  },
});

/** Whom nobody reaches while an HTLC is added. */
const LACKING = { "no monitor has it": ["m1", "m2"], "one monitor has it": ["m2"] } as const;

for (const [what, lacking] of Object.entries(LACKING)) {
  for (const who of ["manager", "node"] as const) {
    scenario({
      id: "S3",
      variant: `${what}, the ${who} restarts twice`,
      async run(make) {
        const world = await make();
        const { node, record } = world;
        const ab = await world.open("ab");
        for (const name of lacking) await world.partition(name);
        const payment = await node.registerPayment(inSat(50_000));
        const sending = node.payPart(payment, ab, inSat(50_000));
        const sent = pending(sending);
        await world.quiesce();
        for (let times = 0; times < 2; times++) {
          if (who === "manager") {
            world.crash("manager");
            await world.restart("manager");
          } else await world.restartNode();
          assert.equal(sent.isDone, false, "still in flight");
          assert.equal(ab.channel.onItsWayTo("counterparty"), undefined, "the add is held");
          assert.equal(ab.isBehind, false, "accepted is what counts");
        }
        for (const name of lacking) await world.heal(name);
        const part = await sending;
        assert.equal(record.updates(ab.channelId), ADD, "no update twice");
        await fulfil({ payment, part });
        await world.run();
        assert.deepEqual(userEvents(world), SENT, "the channel goes on");
        assert.deepEqual(eventsOfAll(world, ab), ["50000 claimed:update"]);
        assert.deepEqual(world.dangling(), []);
        assert.equal(record.updates(ab.channelId), ADD + REMOVE);
        assert.equal(record.preimages(), 0);
      },
    });
  }
}

scenario({
  id: "S3",
  variant: "with a result that is not handled",
  async run(make) {
    const world = await make();
    const { node } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    hold(world);
    await fulfil(paid);
    await ab.channel.signCommitment("counterparty");
    await world.partition("m2");
    const dance = ab.settle();
    await world.quiesce();
    await node.handleItems();
    const [told] = node.told;
    for (let times = 0; times < 2; times++) {
      world.crash("manager");
      await world.restart("manager");
    }
    await node.handleItems();
    const again = node.told.map(({ itemId, deliveries }) => [itemId, deliveries]);
    assert.deepEqual(again, [[told?.itemId, 3]], "one item, under its id");
    assert.equal(ab.channel.revokedBelow("holder"), 1);
    await world.heal("m2");
    await dance;
    await handleHeld(world);
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.deepEqual(world.dangling(), []);
  },
});

// The epoch is in the batch and not in the update's hash (contract 2.2): a new manager process sends the
// same bytes, to monitors that have them and to those that do not.
scenario({
  id: "D24",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const payment = await node.registerPayment(inSat(50_000));
    await world.partition("m2");
    const sending = node.payPart(payment, ab, inSat(50_000));
    await world.quiesce();
    world.crash("manager");
    await world.restart("manager");
    if (world.undisturbed) assert.equal(newestAt(world, ab, "m1"), 1n, "m1 had it before");
    await world.heal("m2");
    const part = await sending;
    await world.partition("m1");
    await fulfil({ payment, part });
    const dance = ab.settle();
    await world.quiesce();
    world.crash("manager");
    await world.heal("m1");
    await world.restart("manager");
    await dance;
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.deepEqual(eventsOfAll(world, ab), ["50000 claimed:update"]);
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.updates(ab.channelId), ADD + REMOVE);
    for (const { name } of world.monitors) assert.equal(newestAt(world, ab, name), 6n);
    const { client } = world;
    const refused = world.lines.filter(({ message }) => /conflict/i.test(message));
    assert.deepEqual(refused, [], "no monitor met other bytes under an id");
    assert.ok(client.isConnected);
  },
});
