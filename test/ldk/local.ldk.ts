/** The baseline of the matrix: two LDK nodes in processes of their own that keep their monitors themselves. */
import assert from "node:assert/strict";
import { until } from "../harness/cluster/chain-facts.js";
import { FUNDING_DEPTH, LdkWorld } from "../harness/ldk-node/world.js";

const VALUE_SAT = 1_000_000n;

describe("LDK nodes with monitors of their own", () => {
  let world: LdkWorld;
  before(async () => {
    world = await LdkWorld.open({ nodes: { A: 0, B: 0 } });
  });
  after(() => world.close());

  for (const anchors of [false, true]) {
    it(`pay each other over TCP (${anchors ? "anchors" : "static_remote_key"})`, async () => {
      const [a, b] = [world.node("A"), world.node("B")];
      if (!(await a.state()).peers.includes(b.nodeId)) await world.connect("A", "B");
      const userId = anchors ? 2n : 1n;
      const nodeId = b.nodeId;
      const pushMsat = 400_000_000n;
      await a.call("open", { nodeId, valueSat: VALUE_SAT, pushMsat, anchors, userId });
      await until(
        "the funding transaction",
        async () => (await world.bitcoind.mempool()).length > 0,
      );
      await world.mine(FUNDING_DEPTH);
      const find = async () => (await a.state()).channels.find((one) => one.userId === userId);
      await until("a usable channel", async () => (await find())?.usable === true);
      const channel = await find();
      assert.equal(channel?.anchors, anchors);
      const scid = channel?.scid ?? 0n;
      const terms = { msat: 5_000_000n, finalDelta: 40 };
      const { invoice, paymentHash } = await b.call("invoice", { ...terms, hold: false });
      await a.call("pay", { ...terms, invoice, path: [{ nodeId, scid }] });
      await until("PaymentSent", async () =>
        (await a.call("events", { since: 0 })).some(
          ({ type, payment_hash }) => type === "PaymentSent" && payment_hash === paymentHash,
        ),
      );
      // With monitors written at once a kill in the middle of an exchange could close the channel (R2).
      await until("both sides are done", async () =>
        [await a.state(), await b.state()].every(({ channels }) =>
          channels.every(({ inboundHtlcs, outboundHtlcs }) => inboundHtlcs + outboundHtlcs === 0),
        ),
      );
      await b.kill9();
      await b.start();
      await world.connect("A", "B");
      await until("the channel is usable again", async () => (await find())?.usable === true);
    });
  }
});
