/**
 * Goal: the demo's story as a test, on both channel types, and a justice transaction that a reorg
 * removes. Method: real processes; what was spent, by whom and where is read back from bitcoind.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { broadcastableCommitment, htlcTimeoutTx } from "../harness/channel/broadcast.js";
import { findSpend } from "../harness/cluster/chain-facts.js";
import { Stage } from "../harness/cluster/stage.js";
import { runBreach } from "../demo/breach.js";
import type { Stage as DemoStage } from "../demo/stage.js";
import { Timeline } from "../demo/timeline.js";

describe("a breach while the manager is dead", () => {
  for (const channelType of ["static_remote_key", "anchors_zero_fee_htlc"] as const) {
    it(`loses nothing on a ${channelType} channel, through two crashes`, async () => {
      let stage: DemoStage | undefined;
      try {
        const result = await runBreach(channelType, new Timeline(true), (built) => (stage = built));
        assert.ok(result.ok, JSON.stringify(result));
        assert.equal(result.revoked_outputs, 5, "to_local and four HTLCs");
        assert.equal(result.claimed_outputs, result.revoked_outputs);
        assert.ok(result.payments >= 5);
        assert.equal(result.events_replayed, result.events_held);
        assert.equal(result.pending_after, 0);
      } finally {
        await stage?.cluster.stop();
        await stage?.bitcoind.stop();
      }
    });
  }
});

/** A revoked state with one HTLC each way; gives back its number and its outputs that are not ours. */
async function revokedState(stage: Stage) {
  const { node } = stage;
  const ours = await node.offerPayment(30_000n, 30);
  const theirs = await node.receiveOffer(25_000n, 30);
  const { number, built } = node.channel.commitment("counterparty");
  await node.fulfill(ours);
  await node.fulfill(theirs);
  const indices = [built.toLocalIndex, ...built.htlcOutputIndex].filter((i) => i !== undefined);
  return { number, ours, theirs, txid: built.txid, indices };
}

describe("justice under reorgs and second stages", () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.open({ channelType: "static_remote_key", zmq: true });
  });
  afterEach(() => stage.close());

  it("publishes justice again when a reorg removes it", async () => {
    const { bitcoind, node } = stage;
    const { number, txid, indices } = await revokedState(stage);
    await stage.broadcast(broadcastableCommitment(node.channel, "counterparty", number));
    await stage.mine(1);
    for (const vout of indices) await stage.inMempool({ txid, vout });
    await stage.mine(1);
    const justiceBlock = await bitcoind.bestHash();
    const before = await stage.monitor.channel(node.channel.channelId);
    await bitcoind.invalidateBlock(justiceBlock);
    await bitcoind.mineEmpty(2);
    await stage.synced();
    for (const vout of indices) {
      assert.notEqual(await bitcoind.rpc("gettxout", [txid, vout, false]), null, "unspent again");
      await stage.inMempool({ txid, vout });
    }
    const from = await bitcoind.height();
    await stage.mine(7);
    for (const vout of indices) {
      const spend = await findSpend(bitcoind, { txid, vout }, from);
      assert.ok(spend);
      stage.assertOurs(spend);
    }
    const after = await stage.monitor.channel(node.channel.channelId);
    assert.ok(after.nextEventId > before.nextEventId, "outputs became spendable after the reorg");
    await stage.settle();
    const closed = stage.userEvents().filter(({ $case }) => $case === "channelClosed");
    assert.equal(closed.length, 1, "the close is told once");
  });

  it("follows the cheater's second stage and takes its output", async () => {
    const { bitcoind, node } = stage;
    const { number, theirs, txid } = await revokedState(stage);
    const raw = broadcastableCommitment(node.channel, "counterparty", number);
    // The cheater waits for the expiry of what it offered, so that its HTLC-timeout confirms at once.
    await stage.mine(theirs.htlc.cltvExpiry - (await bitcoind.height()));
    const timeout = htlcTimeoutTx(node.channel, "counterparty", number, theirs.htlc);
    const block = await bitcoind.generateBlock([
      Buffer.from(raw).toString("hex"),
      Buffer.from(timeout).toString("hex"),
    ]);
    assert.ok(block);
    const second = Transaction.fromBuffer(Buffer.from(timeout)).getId();
    const spend = await stage.confirmed({ txid: second, vout: 0 });
    stage.assertOurs(spend);
    const { built } = node.channel.commitment("counterparty", number);
    for (const vout of [built.toLocalIndex, ...built.htlcOutputIndex]) {
      if (vout === undefined) continue;
      assert.equal(await bitcoind.rpc("gettxout", [txid, vout, false]), null, `${vout} is spent`);
    }
    await stage.mine(6);
    await stage.settle();
  });
});
