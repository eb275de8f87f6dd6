/**
 * Claims that bitcoind refuses, and claims it may have lost (onchain-engine 9.7): the shell looks into the
 * mempool, the core decides, the next version is durable before it goes out; everything outstanding is
 * offered again every half minute.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHeight } from "@farwatch/protocol/block";
import { htlcId, outpointKey, txid, txidFromInternal } from "@farwatch/protocol/ids";
import type { BroadcastResult } from "@farwatch/monitor-service/chain/chain-source";
import { REFUSALS_PER_BLOCK } from "@farwatch/monitor-service/monitor/constants";
import { REBROADCAST_MS } from "@farwatch/monitor-service/runtime/limits";
import { broadcastableCommitment, htlcSuccessTx } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { forwardSource } from "../../harness/channel/sources.js";
import { offer, secretNamed, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { World } from "./world.js";

const TOO_CHEAP: BroadcastResult = {
  kind: "refused",
  reason: "insufficientFee",
  message: "insufficient fee, rejecting replacement",
};

describe("refused and lost claims", function () {
  this.timeout(120_000);
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.end());

  /** A channel whose counterparty has two commitments: to_local and one HTLC are in the older one. */
  async function cheatable(): Promise<{ channel: Channel; cheat: Uint8Array }> {
    const plan = createChannel({
      ...testChannelOptions,
      curve: world.curve,
      onUpdate: async (steps) => void (await world.accept(channel.channelId, steps)),
    });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat, 1);
    const channel = plan.open(funding.outpoint);
    const request = world.manager.watch(channel.initialState("holder"));
    assert.ok((await world.host.watchChannel(world.manager.who, request)).ok);
    await world.mine(funding.raw);
    offer(channel, "counterparty", 60_000, "theirs", 900);
    await channel.settle();
    const cheat = broadcastableCommitment(channel, "counterparty");
    offer(channel, "holder", 30_000, "ours", 900);
    await channel.settle();
    return { channel, cheat };
  }

  const sent = (): readonly Transaction[] =>
    world.chain.broadcasts.map((raw) => Transaction.fromBuffer(Buffer.from(raw)));
  const paid = (tx: Transaction): bigint => must(tx.outs[0], "output").value;

  it("raises a refused claim at once and durably, and stops for this block in time", async () => {
    const { channel, cheat } = await cheatable();
    world.chain.judge = () => TOO_CHEAP;
    await world.mine(cheat);
    assert.equal(sent().length, 1 + REFUSALS_PER_BLOCK);
    const outputs = sent().map(paid);
    assert.deepEqual(
      outputs,
      [...new Set(outputs)].sort((a, b) => Number(b - a)),
      "each pays more",
    );
    const before = world.stateOf(channel.channelId);
    await world.restart();
    assert.deepEqual(world.stateOf(channel.channelId), before);
    await world.openSession();
    world.chain.judge = () => ({ kind: "accepted" });
    world.chain.broadcasts.length = 0;
    await world.mineEmpty(1);
    assert.equal(paid(must(sent()[0], "again")), outputs.at(-1), "goes on where it was");
  });

  it("leaves out what somebody else's unconfirmed transaction spends", async () => {
    const { channel, cheat } = await cheatable();
    const { built, htlcs } = channel.commitment("counterparty", 1);
    const vout = must(htlcs[0]?.outputIndex, "HTLC output");
    const foreign = new Transaction();
    foreign.addInput(Buffer.from(built.tx.getHash()), vout);
    foreign.addOutput(Uint8Array.of(0x51), 50_000n);
    const spender = txid(foreign.getId());
    world.chain.mempoolTxs.set(spender, Uint8Array.from(foreign.toBuffer()));
    world.chain.mempoolSpenders.set(outpointKey({ txid: built.txid, vout }), spender);
    const conflicts = (tx: Transaction): boolean =>
      tx.ins.some(({ hash, index }) => txidFromInternal(hash) === built.txid && index === vout);
    world.chain.judge = (raw) =>
      conflicts(Transaction.fromBuffer(Buffer.from(raw))) ? TOO_CHEAP : { kind: "accepted" };
    await world.mine(cheat);
    const joint = must(sent()[0], "joint");
    assert.equal(joint.ins.length, 2);
    const accepted = sent().filter((tx) => !conflicts(tx));
    assert.deepEqual(
      accepted.map(({ ins }) => ins.length),
      [1],
      "to_local goes on alone",
    );
  });

  it("gives a preimage seen in the mempool to the channel the HTLC was forwarded from", async () => {
    const inbound = await world.open({ holder: { channelKeysId: new Uint8Array(32).fill(0x44) } });
    const { channel } = await cheatable();
    const { preimage, paymentHash } = secretNamed("forward");
    const cltvExpiry = blockHeight(260);
    const amountMsat = msat(40_000_000);
    const from = {
      channelId: inbound.channelId,
      htlcId: htlcId(3n),
      amountMsat,
      cltvExpiry: blockHeight(330),
      userChannelId: undefined,
    };
    const add = { amountMsat, paymentHash, cltvExpiry, source: forwardSource(from) };
    const htlc = channel.addHtlc("holder", add);
    await channel.settle();
    const { number } = channel.commitment("counterparty");
    const theirs = htlcSuccessTx(channel, "counterparty", number, htlc, preimage);
    const spender = Transaction.fromBuffer(Buffer.from(theirs));
    const { hash, index } = must(spender.ins[0], "input");
    const spent = outpointKey({ txid: txidFromInternal(hash), vout: index });
    world.chain.mempoolTxs.set(txid(spender.getId()), theirs);
    world.chain.mempoolSpenders.set(spent, txid(spender.getId()));
    await world.mine(broadcastableCommitment(channel, "counterparty"));
    world.chain.judge = () => TOO_CHEAP;
    const knows = (): boolean => {
      const view = world.host.channel(world.manager.who, inbound.channelId);
      assert.ok(view.ok);
      return view.value.state.preimages.has(paymentHash);
    };
    assert.equal(knows(), false);
    await world.mineEmpty(260 - 200);
    assert.equal(knows(), true);
  });

  it("knows an older version of its own in the mempool from somebody else's", async () => {
    const { cheat } = await cheatable();
    world.chain.judge = (raw) => {
      const tx = Transaction.fromBuffer(Buffer.from(raw));
      const isFirst = world.chain.mempoolTxs.size === 0;
      if (!isFirst) return TOO_CHEAP;
      world.chain.mempoolTxs.set(txid(tx.getId()), raw);
      for (const { hash, index } of tx.ins) {
        const key = outpointKey({ txid: txidFromInternal(hash), vout: index });
        world.chain.mempoolSpenders.set(key, txid(tx.getId()));
      }
      return { kind: "accepted" };
    };
    await world.mine(cheat);
    await world.mineEmpty(15); // the first bump is due
    assert.ok(
      sent().every(({ ins }) => ins.length === 2),
      "never split by our own transaction",
    );
  });

  it("offers everything outstanding again every half minute, and logs it once a block", async () => {
    const { cheat } = await cheatable();
    await world.mine(cheat);
    const first = sent().length;
    const [again] = world.chain.broadcasts;
    await world.running.maintain();
    await world.running.published();
    assert.equal(sent().length, first, "not yet");
    world.chain.judge = () => ({ kind: "alreadyKnown" });
    const lines = world.lines.length;
    for (let round = 1; round <= 2; round++) {
      world.nowMs += REBROADCAST_MS;
      await world.running.maintain();
      await world.running.published();
      assert.equal(sent().length, first + round);
      assert.deepEqual(world.chain.broadcasts.at(-1), again, "the same bytes");
    }
    assert.equal(world.lines.length, lines);
  });
});
