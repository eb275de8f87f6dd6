/** The node's own payments, resolved off chain. */
import assert from "node:assert/strict";
import { scenario } from "./scenario.js";
import { claim, pay } from "./world/own-payments.js";
import { HANDLED, type Handler } from "./world/world-client.js";
import { WorldChannel } from "./world/world-channel.js";

scenario({
  id: "S11",
  async run(make) {
    const world = await make();
    const channel = await WorldChannel.open(world, { name: "ab" });
    const payment = await pay(world, channel, { name: "p", amountSat: 50_000 });
    const { handle } = world.client;
    world.client.handle = () => undefined; // the user takes its time
    await claim(channel, payment);
    await world.quiesce();
    assert.deepEqual(world.record.userEvents(), ["paymentSent", "paymentPathSuccessful"]);
    assert.equal(
      world.dangling().length,
      world.monitors.length,
      "the claim waits for its handling",
    );
    assert.equal(channel.channel.revokedBelow("counterparty"), 2, "no secret waits for it");
    world.client.handle = handle;
    await world.client.done(world.unhandled());
    await world.quiesce();
    assert.equal(world.dangling().length, 0);
    assert.equal(world.record.updates(channel.channelId), 6);
    assert.equal(world.record.preimages(), 0);
  },
});

scenario({
  id: "S12",
  async run(make) {
    const world = await make();
    world.client.handle = abandons;
    const channel = await WorldChannel.open(world, { name: "ab" });
    const payment = await pay(world, channel, { name: "p", amountSat: 50_000 });
    const { channel: dance } = channel;
    dance.failHtlc(payment.htlc);
    await dance.signCommitment("counterparty");
    await dance.receiveCommitment("holder");
    await world.quiesce();
    assert.deepEqual(world.record.userEvents(), [], "not before the counterparty has revoked");
    await dance.settle();
    await world.quiesce();
    assert.deepEqual(world.record.userEvents(), ["paymentPathFailed", "paymentFailed"]);
    assert.equal(world.dangling().length, 0);
    assert.equal(world.record.updates(channel.channelId), 6);
    assert.equal(world.record.preimages(), 0);
  },
});

/** A failed part ends its payment. */
const abandons: Handler = (item) => {
  if (item.item?.$case !== "userEvent") return undefined;
  if (item.item.value.event?.$case !== "paymentPathFailed") return HANDLED;
  return { $case: "abandon", value: { reason: "one attempt is enough" } };
};
