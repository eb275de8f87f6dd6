/** The node's own payments that fail in part or as a whole, off chain. */
import assert from "node:assert/strict";
import { readReason } from "@farwatch/protocol/convert/htlc-failure";
import { paymentId } from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import { NOTHING } from "../harness/routing/memory.js";
import { GIVE_UP, type Answer } from "../harness/routing/policy.js";
import { eventsOf, eventsOfAll, unackedOf, userEvent, userEvents } from "./acts/look.js";
import { answer, fulfil, hold, inSat, pay, refuse, type Paid } from "./acts/payments.js";
import { scenario, type MakeWorld } from "./scenario.js";

/** Of a payment that RegisterPayment never named. */
const unregistered = paymentId("77".repeat(32));
const RETRYING: Answer = { kind: "retrying" };
const PART_FAILED = "paymentPathFailed";
const FAILED = [PART_FAILED, "paymentFailed"];
const SENT = ["paymentSent", "paymentPathSuccessful"];
/** Updates of one part: two commitments and one secret to add it, the same to remove it. */
const UPDATES = 6;

/** Two parts of a payment, on a channel each; the user answers failed parts later. */
async function twoParts(make: MakeWorld) {
  const world = await make();
  const { node } = world;
  hold(world, PART_FAILED);
  const [ab, ac] = [await world.open("ab"), await world.open("ac")];
  const payment = await node.registerPayment(inSat(30_000));
  const first: Paid = { payment, part: await node.payPart(payment, ab, inSat(10_000)) };
  const second: Paid = { payment, part: await node.payPart(payment, ac, inSat(20_000)) };
  refuse(second);
  await world.run();
  assert.deepEqual(userEvents(world), [PART_FAILED], "the payment goes on");
  assert.deepEqual(unackedOf(world), ["20000 failed:update"], "until the part is handled");
  return { world, ab, ac, first };
}

scenario({
  id: "S19",
  variant: "the other is claimed",
  async run(make) {
    const { world, ab, ac, first } = await twoParts(make);
    await answer(world, PART_FAILED, { kind: "handled" });
    await world.run();
    assert.deepEqual(world.dangling(), [], "acked with the part");
    await fulfil(first);
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED, ...SENT]);
    assert.deepEqual(eventsOfAll(world, ab), ["10000 claimed:update"]);
    assert.deepEqual(eventsOfAll(world, ac), ["20000 failed:update"]);
    assert.equal(world.record.preimages(), 0);
  },
});

scenario({
  id: "S19",
  variant: "the payment is abandoned while one lives",
  async run(make) {
    const { world, first } = await twoParts(make);
    await answer(world, PART_FAILED, GIVE_UP);
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED], "never failed while a part lives");
    assert.deepEqual(world.dangling(), []);
    refuse(first);
    await world.run();
    await answer(world, PART_FAILED, { kind: "handled" });
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED, PART_FAILED, "paymentFailed"]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S19",
  variant: "the payment is abandoned, and the other is claimed",
  async run(make) {
    const { world, first } = await twoParts(make);
    await answer(world, PART_FAILED, GIVE_UP);
    await fulfil(first);
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED, ...SENT], "paid is paid");
    assert.deepEqual(world.dangling(), []);
  },
});

/** One attempt that failed and waits for the node's decision. */
async function failedOnce(make: MakeWorld) {
  const world = await make();
  hold(world, PART_FAILED, "paymentFailed");
  const ab = await world.open("ab");
  const first = await pay(world, ab, 50_000);
  refuse(first);
  await world.run();
  assert.deepEqual(userEvents(world), [PART_FAILED]);
  const again = async (): Promise<Paid> => {
    const { payment } = first;
    return { payment, part: await world.node.payPart(payment, ab, inSat(50_001)) };
  };
  return { world, ab, again };
}

scenario({
  id: "S20",
  variant: "the second attempt is claimed",
  async run(make) {
    const { world, ab, again } = await failedOnce(make);
    await answer(world, PART_FAILED, RETRYING);
    await fulfil(await again());
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED, ...SENT]);
    assert.deepEqual(eventsOfAll(world, ab), ["50000 failed:update", "50001 claimed:update"]);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.updates(ab.channelId), 2 * UPDATES);
    assert.equal(world.record.preimages(), 0);
  },
});

scenario({
  id: "S20",
  variant: "no attempt is left",
  async run(make) {
    const { world, ab, again } = await failedOnce(make);
    await answer(world, PART_FAILED, RETRYING);
    await world.run();
    assert.deepEqual(world.dangling(), [], "a decision to go on is enough");
    refuse(await again());
    await world.run();
    await answer(world, PART_FAILED, GIVE_UP);
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED, ...FAILED]);
    assert.deepEqual(unackedOf(world), ["50001 failed:update"], "the last one waits for the end");
    await answer(world, "paymentFailed", { kind: "handled" });
    await world.run();
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.updates(ab.channelId), 2 * UPDATES);
  },
});

scenario({
  id: "S20",
  variant: "one failure that comes again is one decision",
  async run(make) {
    const { world, ab, again } = await failedOnce(make);
    world.crash("manager");
    await world.restart("manager");
    await world.run();
    const deliveries = world.node.told.map((told) => told.deliveries);
    if (world.undisturbed) assert.deepEqual(deliveries, [2], "the same item again");
    for (const { name } of world.monitors) await world.partition(name);
    await answer(world, PART_FAILED, RETRYING); // stored, and no ack gets out
    world.crash("manager");
    for (const { name } of world.monitors) await world.heal(name);
    await world.restart("manager");
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED], "not a word more");
    assert.deepEqual(world.dangling(), [], "the ack is made up for");
    await fulfil(await again());
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED, ...SENT]);
    assert.deepEqual(eventsOfAll(world, ab), ["50000 failed:update", "50001 claimed:update"]);
  },
});

/** incorrect_or_unknown_payment_details (BOLT 4) with amount and height; only the payer reads it. */
const onion = (): HtlcFailReason => ({
  cause: { kind: "onionError", packet: new Uint8Array(292).fill(0x24) },
  holdTime: 7,
  attributionData: undefined,
});

for (const [variant, totalSat] of [
  ["all of it", 50_000],
  ["one part of a payment in two", 80_000],
] as const) {
  scenario({
    id: "S24",
    variant,
    async run(make) {
      const world = await make();
      const { node } = world;
      const ab = await world.open("ab");
      const payment = await node.registerPayment(inSat(totalSat));
      const part = await node.payPart(payment, ab, inSat(50_000));
      refuse({ payment, part }, onion());
      await ab.commit("counterparty");
      await world.quiesce();
      assert.deepEqual(eventsOf(world, ab), [], "not before the counterparty has revoked");
      await world.run();
      assert.deepEqual(userEvents(world), FAILED);
      const { reason } = userEvent(world, PART_FAILED).value;
      assert.ok(reason !== undefined);
      assert.deepEqual(readReason(reason, "reason"), onion(), "what the payee said, untouched");
      assert.deepEqual(eventsOfAll(world, ab), ["50000 failed:update"]);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.updates(ab.channelId), UPDATES);
    },
  });
}

scenario({
  id: "D8",
  variant: "nobody registered it, and the manager was down when it failed",
  async run(make) {
    const world = await make();
    const { node } = world;
    const ab = await world.open("ab");
    const payment = { paymentId: unregistered, secret: node.newSecret(), isProbe: false };
    const part = await node.payPart(payment, ab, inSat(50_000));
    refuse({ payment, part });
    await ab.commit("counterparty");
    await ab.revoke("holder");
    await ab.commit("holder");
    for (const { name } of world.monitors) await world.partition(name);
    const dance = ab.settle(); // the last secret is accepted and reaches no monitor
    await world.quiesce();
    world.crash("manager");
    for (const { name } of world.monitors) await world.heal(name);
    await world.restart("manager");
    await dance;
    await world.run();
    assert.deepEqual(userEvents(world), FAILED);
    assert.deepEqual(eventsOfAll(world, ab), ["50000 failed:update"]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "D8",
  variant: "the node forgot it",
  async run(make) {
    const world = await make();
    hold(world);
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    refuse(paid);
    await world.run();
    assert.deepEqual(userEvents(world), [PART_FAILED]);
    await world.restartNode(NOTHING);
    assert.ok(ab.isBehind);
    await world.node.closeByMonitors(ab, "the node is behind");
    await world.run();
    await answer(world, PART_FAILED, GIVE_UP);
    await world.run();
    assert.deepEqual([...userEvents(world)].sort(), ["channelClosed", ...FAILED].sort());
    for (const kind of ["channelClosed", "paymentFailed"] as const) {
      await answer(world, kind, { kind: "handled" });
    }
    await world.restart("manager");
    await world.run();
    assert.deepEqual(world.dangling(), []);
  },
});
