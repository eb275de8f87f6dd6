/** The node's own payments, resolved off chain. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { HANDLED, HOLD } from "../harness/routing/policy.js";
import { scenario } from "./scenario.js";

const AMOUNT = msat(50_000_000);

scenario({
  id: "S11",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const payment = await node.registerPayment(AMOUNT);
    const { htlc } = await node.payPart(payment, ab, AMOUNT);
    node.policy = { ...node.policy, answer: () => HOLD };
    await ab.channel.fulfillHtlc(htlc, payment.secret.preimage);
    await world.run();
    assert.deepEqual(record.userEvents(), ["paymentSent", "paymentPathSuccessful"]);
    assert.equal(world.dangling().length, world.monitors.length, "acked when it is handled");
    assert.equal(ab.channel.revokedBelow("counterparty"), 2, "no secret waits for the user");
    for (const told of node.told) await node.finish(told, HANDLED);
    await world.run();
    assert.equal(world.dangling().length, 0);
    assert.equal(record.updates(ab.channelId), 6);
    assert.equal(record.preimages(), 0);
  },
});

scenario({
  id: "S12",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const payment = await node.registerPayment(AMOUNT);
    const { htlc } = await node.payPart(payment, ab, AMOUNT);
    ab.channel.failHtlc(htlc);
    await ab.commit("counterparty");
    await world.quiesce();
    assert.deepEqual(record.userEvents(), [], "not before the counterparty has revoked");
    await world.run();
    assert.deepEqual(record.userEvents(), ["paymentPathFailed", "paymentFailed"]);
    assert.equal(world.dangling().length, 0);
    assert.equal(record.updates(ab.channelId), 6);
    assert.equal(record.preimages(), 0);
  },
});
