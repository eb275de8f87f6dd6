/** HTLCs of a channel that is being closed by agreement, and such that never reached a closed one. */
import assert from "node:assert/strict";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { cooperativeCloseTx } from "../harness/channel/cooperative-close.js";
import { theyClose } from "./acts/chain.js";
import {
  claim,
  endOf,
  fail,
  failsTold,
  forward,
  forwardsTold,
  nameOf,
  openHops,
  receive,
  toldOf,
} from "./acts/forwards.js";
import { eventsOfAll, paymentEvents, userEvent, userEvents } from "./acts/look.js";
import { fulfil, inSat, pay, refuse } from "./acts/payments.js";
import { assertRefused } from "./acts/refusals.js";
import { scenario } from "./scenario.js";

const CLOSING_FEE_SAT = 1_000n;
const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
const CHANNEL_CLOSED = "the channel closed";

scenario({
  id: "S84",
  variant: "own payments",
  async run(make) {
    const world = await make({ monitors: 1 });
    const bc = await world.open("bc");
    const claimed = await pay(world, bc, 10_000);
    const failed = await pay(world, bc, 20_000);
    await bc.channel.shutdown(
      "holder",
      bc.channel.setup.sides.holder.party.identity.destinationScript,
    );
    assert.throws(() => cooperativeCloseTx(bc.channel, CLOSING_FEE_SAT), /settle everything first/);
    await fulfil(claimed);
    refuse(failed);
    await world.run();
    assert.deepEqual(paymentEvents(world, claimed.payment), SENT);
    assert.deepEqual(paymentEvents(world, failed.payment), FAILED);
    assert.deepEqual(world.dangling(), []);
    await world.mine(1, [cooperativeCloseTx(bc.channel, CLOSING_FEE_SAT)]);
    await world.run();
    const { reason } = userEvent(world, "channelClosed").value;
    assert.equal(reason, ClosureReason.COOPERATIVE);
    const told = ["10000 claimed:update", "20000 failed:update", "spent by mutual:chain"];
    assert.deepEqual(eventsOfAll(world, bc), told);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(), 0);
  },
});

scenario({
  id: "S84",
  variant: "forwards",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { ab, bc } = await openHops(world);
    const claimed = await forward(world, { ab, bc }, 10_000);
    const failed = await forward(world, { ab, bc }, 20_000);
    await bc.channel.shutdown(
      "holder",
      bc.channel.setup.sides.holder.party.identity.destinationScript,
    );
    await claim(claimed);
    await fail(failed);
    assert.equal(bc.channel.liveHtlcs().length, 0);
    await world.mine(1, [cooperativeCloseTx(bc.channel, CLOSING_FEE_SAT)]);
    await world.run();
    assert.deepEqual(forwardsTold(world), [toldOf(claimed)]);
    assert.deepEqual(failsTold(world), [nameOf(failed.inbound)]);
    assert.deepEqual([endOf(claimed), endOf(failed)], ["gone claim", "gone fail"]);
    const { reason } = userEvent(world, "channelClosed").value;
    assert.equal(reason, ClosureReason.COOPERATIVE);
    const told = ["9999 claimed:update", "19999 failed:update", "spent by mutual:chain"];
    assert.deepEqual(eventsOfAll(world, bc), told);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(ab.channelId), 1);
  },
});

scenario({
  id: "S85",
  variant: "never committed",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const payment = await node.registerPayment(inSat(10_000));
    const own = await node.planPart(payment, bc, inSat(10_000));
    const received = await receive(world, ab, 20_000);
    const onward = node.plan(received, bc);
    await theyClose(world, bc);
    await world.run();
    for (const held of [own, onward]) {
      await node.notSent(held, CHANNEL_CLOSED);
      await world.run();
    }
    assert.deepEqual(userEvents(world), ["channelClosed", ...FAILED, "htlcHandlingFailed"]);
    assert.deepEqual(failsTold(world), [nameOf(received)]);
    assert.equal(ab.stageOf(received.htlc.id), "gone");
    await world.mine(6);
    await world.run();
    assert.deepEqual(eventsOfAll(world, bc), ["spent by counterparty:chain"]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S85",
  variant: "its commitment was accepted: the monitors decide",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const received = await receive(world, ab, 20_000);
    const onward = node.plan(received, bc);
    node.offer(onward);
    await bc.channel.signCommitment("holder"); // and C never gets it
    await theyClose(world, bc, 0);
    await assertRefused(node.notSent(onward, CHANNEL_CLOSED), "htlcCommitted");
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed"]);
    assert.equal(ab.stageOf(received.htlc.id), "standing");
    await world.mine(5);
    await world.run();
    assert.deepEqual(failsTold(world), [nameOf(received)]);
    assert.equal(ab.stageOf(received.htlc.id), "gone");
    const told = ["spent by counterpartyPrevious:chain", "19999 failed:chain"];
    assert.deepEqual(eventsOfAll(world, bc), told);
    assert.deepEqual(world.dangling(), []);
  },
});
