/**
 * Goal: every way a channel can end honestly, on a real chain with real processes.
 * Method: a node with its channel engine plays both parties; the monitor must act by itself, and the
 * user must be told exactly once; at the end the monitor holds nothing.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { CHANNEL_TYPES } from "@farwatch/protocol/channel";
import { Transaction } from "bitcoinjs-lib";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { anchorChild } from "../harness/channel/anchor-child.js";
import { broadcastableCommitment, htlcSuccessTx } from "../harness/channel/broadcast.js";
import { findUntrimmed } from "../harness/channel/commitment.js";
import { cooperativeCloseTx } from "../harness/channel/cooperative-close.js";
import type { HtlcRef } from "../harness/channel/ledger.js";
import type { Side } from "../harness/channel/setup.js";
import { Stage } from "../harness/cluster/stage.js";

const SHORT_CLTV = 25;

const place = (stage: Stage, side: Side, htlc: HtlcRef) => {
  const commitment = stage.node.channel.commitment(side);
  const { outputIndex } = findUntrimmed(commitment, htlc);
  return { txid: commitment.built.txid, vout: must(outputIndex, "untrimmed") };
};

/** A zero-fee commitment needs a child of its owner's to pay for it. */
async function publishTheirs(stage: Stage, raw: Uint8Array): Promise<void> {
  const { bitcoind, node } = stage;
  const commitment = node.channel.commitment("counterparty");
  if (commitment.built.sharedAnchorIndex === undefined) return void (await stage.broadcast(raw));
  const child = await anchorChild(bitcoind.wallet, commitment, 2_000n);
  await bitcoind.rpc("submitpackage", [[raw, child].map(toHex)]);
}

describe("closes on a real chain", () => {
  let bitcoind: Regtest;
  before(async () => {
    bitcoind = await startRegtest({ zmq: true });
  });
  after(() => bitcoind.stop());

  for (const channelType of CHANNEL_TYPES) {
    describe(channelType, () => {
      let stage: Stage;
      beforeEach(async () => {
        stage = await Stage.open({ channelType, bitcoind });
      });
      afterEach(() => stage.close());

      it("claims with a preimage and after the timeout when the counterparty closes", async () => {
        const { node } = stage;
        const ours = await node.offerPayment(30_000n, SHORT_CLTV);
        const theirs = await node.receiveOffer(25_000n);
        await node.channel.learnPreimage("holder", theirs.preimage);
        const raw = broadcastableCommitment(node.channel, "counterparty");
        await publishTheirs(stage, raw);
        await stage.mine(1);
        const claim = await stage.confirmed(place(stage, "counterparty", theirs.htlc));
        stage.assertOurs(claim);
        await stage.mine(ours.htlc.cltvExpiry - (await bitcoind.height()));
        const refund = await stage.confirmed(place(stage, "counterparty", ours.htlc));
        stage.assertOurs(refund);
        await stage.mine(6);
        const failed = await stage.told("paymentPathFailed");
        assert.equal(failed.paymentId.toString("hex"), ours.paymentId);
        const closed = await stage.told("channelClosed");
        assert.equal(
          Buffer.from(must(closed.closingTxid, "txid")).reverse().toString("hex"),
          Transaction.fromBuffer(Buffer.from(raw)).getId(),
        );
        await stage.told("spendableOutputs");
        await stage.settle();
      });

      it("tells a cooperative close as one, with its output", async () => {
        const { node } = stage;
        await node.fulfill(await node.offerPayment(20_000n));
        await stage.broadcast(cooperativeCloseTx(node.channel, 500n));
        await stage.mine(6);
        const closed = await stage.told("channelClosed");
        assert.equal(closed.reason, 1, "cooperative");
        const { outputs } = await stage.told("spendableOutputs");
        assert.equal(outputs[0]?.kind?.$case, "staticOutput");
        assert.equal(stage.userEvents().filter(({ $case }) => $case === "paymentSent").length, 1);
        await stage.settle();
      });

      it("closes with our commitment: HTLC-success, HTLC-timeout, delayed outputs", async () => {
        const { node } = stage;
        const ours = await node.offerPayment(30_000n, SHORT_CLTV);
        const theirs = await node.receiveOffer(25_000n);
        await node.channel.learnPreimage("holder", theirs.preimage);
        await node.channel.forceClose("holder");
        const { txid, vout } = node.channel.funding;
        const commitment = await stage.confirmed({ txid, vout });
        assert.equal(commitment.txid, node.channel.commitment("holder").built.txid);
        await stage.confirmed(place(stage, "holder", theirs.htlc));
        await stage.mine(ours.htlc.cltvExpiry - (await bitcoind.height()));
        await stage.confirmed(place(stage, "holder", ours.htlc));
        await stage.mine(6);
        await stage.told("paymentPathFailed");
        await stage.told("channelClosed");
        await stage.mine(144);
        const { outputs } = await stage.told("spendableOutputs");
        assert.equal(outputs[0]?.kind?.$case, "delayedPayment");
        await stage.settle();
        const spendable = stage.userEvents().filter(({ $case }) => $case === "spendableOutputs");
        assert.equal(spendable.length, 3, "to_local and both second-stage outputs");
      });

      it("goes on chain by itself when our HTLC expires", async () => {
        const { node } = stage;
        const ours = await node.offerPayment(30_000n, SHORT_CLTV);
        await stage.mine(ours.htlc.cltvExpiry + 3 - (await bitcoind.height()));
        const { txid, vout } = node.channel.funding;
        await stage.confirmed({ txid, vout });
        await stage.confirmed(place(stage, "holder", ours.htlc));
        await stage.mine(6);
        const closed = await stage.told("channelClosed");
        assert.equal(closed.reason, 4, "htlc deadline");
        await stage.told("paymentPathFailed");
        await stage.settle();
      });
    });
  }

  describe("static_remote_key only", () => {
    let stage: Stage;
    beforeEach(async () => {
      stage = await Stage.open({ channelType: "static_remote_key", bitcoind });
    });
    afterEach(() => stage.close());

    it("learns a preimage from the counterparty's HTLC-success: PaymentSent at once", async () => {
      const { node } = stage;
      const ours = await node.offerPayment(30_000n);
      const { channel } = node;
      const { number } = channel.commitment("counterparty");
      await stage.broadcast(broadcastableCommitment(channel, "counterparty"));
      await stage.mine(1);
      await stage.broadcast(
        htlcSuccessTx(channel, "counterparty", number, ours.htlc, ours.preimage),
      );
      await stage.mine(1);
      const sent = await stage.told("paymentSent");
      assert.deepEqual(Uint8Array.from(sent.preimage), Uint8Array.from(ours.preimage));
      await stage.settle();
      await stage.mine(8);
      const results = stage.userEvents().map(({ $case }) => $case);
      assert.ok(!results.includes("paymentFailed") && !results.includes("paymentPathFailed"));
    });
  });
});
