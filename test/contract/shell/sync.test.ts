/**
 * A host that was down while the chain went on (onchain-engine 13): the production follower brings it to
 * the tip from its own stored headers, however many blocks it missed, through a fork inside the ring, and
 * never past one below it or past a block that bitcoind has deleted.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { BlockPruned } from "@farwatch/monitor-service/chain/chain-source";
import { ChainFollower, type FollowerStatus } from "@farwatch/monitor-service/chain/follower";
import { HEADER_RING_SIZE, MAX_REORG_DEPTH } from "@farwatch/monitor-service/chain/follow-chain";
import { eventually, recordingLog } from "@farwatch/monitor-service/chain/testing/quiet";
import { systemClock } from "@farwatch/monitor-service/chain/waker";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { offer, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { stripped, World } from "./world.js";

describe("sync after an absence", function () {
  this.timeout(120_000);
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.end());

  async function funded(): Promise<Channel> {
    const plan = createChannel({
      ...testChannelOptions,
      curve: world.curve,
      onUpdate: async (steps) => void (await world.accept(channel.channelId, steps)),
    });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat);
    const channel = plan.open(funding.outpoint);
    const request = world.manager.watch(channel.initialState("holder"));
    assert.ok((await world.host.watchChannel(world.manager.who, request)).ok);
    await world.mine(funding.raw);
    return channel;
  }

  /** The service comes back and follows until it rests. */
  async function comeBack(): Promise<FollowerStatus> {
    await world.up();
    const { sink } = world.running;
    const log = recordingLog();
    const follower = new ChainFollower({
      source: world.chain,
      sink,
      chain: "regtest",
      log,
      clock: systemClock,
    });
    const running = follower.run();
    await eventually("a verdict", () => follower.status().state !== "catchingUp", 60_000);
    const status = follower.status();
    await follower.stop();
    await running;
    await world.running.published();
    return status;
  }

  const state = (channel: Channel): MonitorState => {
    const view = world.host.channel(world.manager.who, channel.channelId);
    assert.ok(view.ok);
    return view.value.state;
  };
  const tip = () => world.chain.tipBlock.header;
  const justice = (parent: string): readonly Transaction[] =>
    world.chain.broadcasts
      .map((raw) => Transaction.fromBuffer(Buffer.from(raw)))
      .filter((tx) =>
        tx.ins.some(({ hash }) => Buffer.from(hash).reverse().toString("hex") === parent),
      );

  /** A revoked commitment of the counterparty, ready to be mined. */
  async function cheated(): Promise<{ channel: Channel; cheat: Uint8Array; txid: string }> {
    const channel = await funded();
    offer(channel, "holder", 50_000, "one");
    await channel.settle();
    const cheat = broadcastableCommitment(channel, "counterparty");
    const { txid } = channel.commitment("counterparty").built;
    offer(channel, "holder", 60_000, "two");
    await channel.settle();
    return { channel, cheat: stripped(cheat), txid };
  }

  for (const missed of [1, 13, HEADER_RING_SIZE + 60]) {
    it(`punishes what happened ${missed} blocks ago`, async () => {
      const { channel, cheat, txid } = await cheated();
      await world.down();
      world.chain.mine(1, { transactions: [cheat] });
      world.chain.mine(missed - 1);
      const status = await comeBack();
      assert.equal(status.state, "synced");
      assert.equal(status.tip.hash, tip().hash);
      const { spend, best } = state(channel);
      assert.equal(spend?.kind, "revoked");
      assert.equal(spend.block.height, tip().height - missed + 1);
      assert.equal(best.hash, tip().hash);
      assert.ok(justice(txid).length > 0);
    });
  }

  it("a fork while it was away: what the lost blocks said is gone", async () => {
    const { channel, cheat, txid } = await cheated();
    await world.mine(cheat);
    await world.mineEmpty(MAX_REORG_DEPTH - 1);
    assert.equal(state(channel).spend?.txid, txid);
    await world.down();
    world.chain.reorg(MAX_REORG_DEPTH, MAX_REORG_DEPTH + 30);
    const status = await comeBack();
    assert.equal(status.state, "synced");
    assert.equal(state(channel).spend, undefined);
    assert.equal(state(channel).best.hash, tip().hash);
  });

  it("a fork below what it may undo: nothing is touched, and a person is asked", async () => {
    const { channel, cheat, txid } = await cheated();
    await world.mine(cheat);
    await world.mineEmpty(MAX_REORG_DEPTH);
    const before = world.stateOf(channel.channelId);
    await world.down();
    world.chain.reorg(MAX_REORG_DEPTH + 1, MAX_REORG_DEPTH + 30);
    const status = await comeBack();
    assert.equal(status.reason, "forkTooDeep");
    assert.deepEqual(world.stateOf(channel.channelId), before);
    assert.equal(state(channel).spend?.txid, txid);
    assert.ok(justice(txid).length > 0, "what it knows stays published");
  });

  it("a missed block that bitcoind has deleted: it stops there and says so", async () => {
    const { channel, cheat } = await cheated();
    await world.down();
    world.chain.mine(3);
    world.chain.mine(1, { transactions: [cheat] });
    world.chain.mine(5);
    const { hash } = must(world.chain.best.at(-6), "the block of the cheat").header;
    world.chain.beforeBlock = (asked) => {
      if (asked === hash) throw new BlockPruned("Block not available (pruned data)");
    };
    const stopped = await comeBack();
    assert.equal(stopped.reason, "blockPruned");
    assert.equal(state(channel).best.height, tip().height - 6, "never past what it has not read");
    assert.equal(state(channel).spend, undefined);
    await world.down();
    world.chain.beforeBlock = () => undefined;
    const status = await comeBack();
    assert.equal(status.state, "synced");
    assert.equal(state(channel).spend?.kind, "revoked");
  });
});
