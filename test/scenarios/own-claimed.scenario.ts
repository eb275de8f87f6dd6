/** The node's own payments, claimed by their receivers. */
import assert from "node:assert/strict";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import type { Msat } from "@farwatch/protocol/amount";
import type { Link } from "../harness/routing/link.js";
import { eventsOfAll, paymentEvents, unackedOf, userEvent, userEvents } from "./acts/look.js";
import { answer, fulfil, handleHeld, hold, inSat, pay, refuse } from "./acts/payments.js";
import { scenario } from "./scenario.js";

/** Quiescence: only a quiet channel is spliced. Who gets the coin does not matter here. */
const SPLICE_OUT = {
  addSat: { holder: -20_000n },
  outputs: [{ script: Uint8Array.of(0x51), valueSat: 19_000n }],
};
const SENT = ["paymentSent", "paymentPathSuccessful"];
/** Updates of one payment: two commitments and one secret to add it, the same to remove it. */
const UPDATES = 6;

for (const who of ["manager", "node"] as const) {
  scenario({
    id: "S13",
    variant: `the ${who} is killed before the node has handled it`,
    async run(make) {
      const world = await make();
      const { node, record } = world;
      const ab = await world.open("ab");
      const paid = await pay(world, ab, 50_000);
      hold(world);
      await fulfil(paid);
      await world.run();
      const before = node.told.map(({ itemId }) => itemId);
      if (who === "manager") {
        world.crash("manager");
        await world.restart("manager");
      } else await world.restartNode();
      await world.run();
      assert.deepEqual(
        node.told.map(({ itemId, deliveries }) => [itemId, deliveries]),
        before.map((itemId) => [itemId, 2]),
        "told again, under the same ids",
      );
      assert.deepEqual(unackedOf(world), ["50000 claimed:update"], "and not acked before");
      await handleHeld(world);
      await world.run();
      assert.deepEqual(userEvents(world), SENT);
      assert.deepEqual(world.dangling(), []);
      assert.equal(record.updates(ab.channelId), UPDATES);
      assert.equal(record.preimages(), 0);
    },
  });
}

for (const who of ["manager", "node"] as const) {
  scenario({
    id: "S13",
    variant: `the ${who} is killed with an update that one monitor lacks`,
    async run(make) {
      const world = await make();
      const { record } = world;
      const ab = await world.open("ab");
      const paid = await pay(world, ab, 50_000);
      await fulfil(paid);
      await ab.channel.signCommitment("counterparty");
      await world.partition("m2");
      const dance = ab.settle();
      await world.quiesce();
      assert.equal(ab.channel.revokedBelow("holder"), 1, "not completed: nothing is released");
      if (who === "manager") await world.restart("manager");
      else await world.restartNode();
      assert.equal(ab.channel.revokedBelow("holder"), 1);
      await world.heal("m2");
      await dance;
      await world.run();
      assert.equal(ab.channel.revokedBelow("holder"), 2, "completed is told again");
      assert.deepEqual(userEvents(world), SENT);
      assert.deepEqual(eventsOfAll(world, ab), ["50000 claimed:update"]);
      assert.deepEqual(world.dangling(), []);
      assert.equal(record.updates(ab.channelId), UPDATES);
    },
  });
}

// A node that lost its newest states is behind, and its monitors close (contract section 3): the
// manager told the result when it stored it, and tells it once.
for (const [when, point] of [
  ["before it sent", "its commitment was received"],
  ["before it sent", "all was done"],
  ["after it sent", "its commitment was received"],
  ["after it sent", "all was done"],
] as const) {
  scenario({
    id: "S14",
    variant: `the node remembers the time ${when}; fulfilled and ${point}`,
    async run(make) {
      const world = await make();
      const { node } = world;
      const ab = await world.open("ab");
      const fresh = node.memory();
      hold(world);
      const paid = await pay(world, ab, 50_000);
      const memory = when === "before it sent" ? fresh : node.memory();
      await fulfil(paid);
      if (point === "all was done") await world.run();
      else await ab.commit("counterparty");
      await world.restartNode(memory);
      assert.ok(ab.isBehind, "the node may not touch the channel");
      await node.closeByMonitors(ab, "the node is behind");
      await world.run();
      await world.restart("manager");
      await world.run();
      await handleHeld(world);
      await world.run();
      await world.mineBroadcasts();
      await world.mine(300);
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), SENT, "never failed");
      assert.deepEqual([...userEvents(world)].sort(), ["channelClosed", ...SENT].sort());
      const { reason } = userEvent(world, "channelClosed").value;
      assert.equal(reason, ClosureReason.OUTDATED_NODE);
      const told = ["50000 claimed:update", "closed for operator:command", "spent by holder:chain"];
      assert.deepEqual(eventsOfAll(world, ab), told);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}

scenario({
  id: "S15",
  async run(make) {
    const world = await make();
    const { node } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    await fulfil(paid);
    await node.fastPath(paid.part, paid.payment.secret);
    await world.quiesce();
    await node.handleItems();
    assert.deepEqual(userEvents(world), ["paymentSent"], "on the word of the peer's fulfil");
    ab.disconnect(); // the peer restarts with what it was before it fulfilled, and fails
    ab.reconnect();
    refuse(paid);
    await world.run();
    assert.deepEqual(eventsOfAll(world, ab), ["50000 failed:update"]);
    assert.deepEqual(userEvents(world), ["paymentSent"], "it stays sent");
    assert.deepEqual(world.dangling(), [], "and the failure is acked without a word");
    assert.equal(world.record.preimages(), 0);
  },
});

scenario({
  id: "S16",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    for (let times = 0; times < 2; times++) {
      ab.disconnect();
      ab.reconnect();
      await fulfil(paid);
      await node.fastPath(paid.part, paid.payment.secret);
      await world.quiesce();
      await node.handleItems();
    }
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.deepEqual(eventsOfAll(world, ab), ["50000 claimed:update"]);
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.updates(ab.channelId), UPDATES);
    assert.equal(record.preimages(), 0);
  },
});

scenario({
  id: "S18",
  variant: "three channels",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const payment = await node.registerPayment(inSat(60_000));
    const parts = [];
    for (const [name, amountSat] of [
      ["ab", 10_000],
      ["ac", 20_000],
      ["ad", 30_000],
    ] as const) {
      parts.push(await node.payPart(payment, await world.open(name), inSat(amountSat)));
    }
    hold(world);
    for (const part of parts) await fulfil({ payment, part });
    await world.run();
    const [first] = userEvents(world);
    assert.equal(first, "paymentSent");
    assert.equal(unackedOf(world).length, parts.length, "what the node has not handled is kept");
    await handleHeld(world);
    await world.run();
    const path = "paymentPathSuccessful";
    assert.deepEqual(userEvents(world), ["paymentSent", path, path, path]);
    const { amountMsat, feePaidMsat } = userEvent(world, "paymentSent").value;
    assert.deepEqual([amountMsat, feePaidMsat], [60_000_000n, 0n]);
    for (const { link, htlc } of parts) {
      assert.deepEqual(eventsOfAll(world, link), [`${htlc.amountMsat / 1_000n} claimed:update`]);
      assert.equal(record.updates(link.channelId), UPDATES);
    }
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.preimages(), 0);
  },
});

scenario({
  id: "S18",
  variant: "one part is sent a second time",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const [ab, ac, ad] = [await world.open("ab"), await world.open("ac"), await world.open("ad")];
    hold(world, "paymentPathFailed");
    const payment = await node.registerPayment(inSat(30_000));
    const send = async (link: Link, amountMsat: Msat) => ({
      payment,
      part: await node.payPart(payment, link, amountMsat),
    });
    const first = await send(ab, inSat(10_000));
    const lost = await send(ac, inSat(20_000));
    refuse(lost);
    await world.run();
    await answer(world, "paymentPathFailed", { kind: "retrying" });
    const second = await send(ad, inSat(20_000));
    for (const paid of [first, second]) await fulfil(paid);
    await world.run();
    const [told, ...rest] = paymentEvents(world, payment);
    assert.equal(told, "paymentPathFailed");
    assert.deepEqual([...rest].sort(), [...SENT, "paymentPathSuccessful"].sort());
    assert.deepEqual(eventsOfAll(world, ac), ["20000 failed:update"]);
    assert.deepEqual(eventsOfAll(world, ad), ["20000 claimed:update"]);
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.preimages(), 0);
  },
});

scenario({
  id: "S22",
  async run(make) {
    const world = await make();
    const { record } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    await fulfil(paid);
    await ab.channel.signCommitment("counterparty");
    await world.partition("m2");
    const dance = ab.settle();
    await world.quiesce();
    await world.node.handleItems();
    await world.quiesce();
    const before = record.updates(ab.channelId);
    assert.deepEqual(userEvents(world), ["paymentSent"], "a claim waits for no monitor");
    assert.deepEqual(unackedOf(world, "m1"), [], "and is acked when it is handled");
    assert.equal(ab.channel.revokedBelow("holder"), 1, "not idle while an update is in flight");
    await assert.rejects(ab.channel.splices.negotiate(SPLICE_OUT), /settle everything first/);
    await world.heal("m2");
    await dance;
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.equal(record.updates(ab.channelId), before + 2, "our signature, and the secret");
    assert.equal(record.preimages(), 0);
  },
});

scenario({
  id: "S23",
  variant: "the peer is away",
  async run(make) {
    const world = await make();
    const { record } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    await fulfil(paid);
    await ab.commit("counterparty");
    ab.disconnect();
    const before = record.updates(ab.channelId);
    await world.run();
    assert.deepEqual(userEvents(world), ["paymentSent"]);
    assert.deepEqual(world.dangling(), [], "handled and acked while the peer is away");
    assert.equal(record.updates(ab.channelId), before, "handling it sends nothing");
    ab.reconnect();
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.equal(record.updates(ab.channelId), UPDATES);
    assert.equal(record.preimages(), 0);
  },
});

scenario({
  id: "S23",
  variant: "the channel is quiet before and after",
  async run(make) {
    const world = await make();
    const { record } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    await ab.channel.splices.negotiate(SPLICE_OUT);
    hold(world);
    await fulfil(paid);
    await ab.commit("counterparty");
    await ab.settle();
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    const before = record.updates(ab.channelId);
    assert.equal(before, UPDATES + 1, "the splice is an update");
    await handleHeld(world);
    await world.run();
    assert.equal(record.updates(ab.channelId), before, "handling it sends nothing");
    assert.deepEqual(eventsOfAll(world, ab), ["50000 claimed:update"]);
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.preimages(), 0);
  },
});
