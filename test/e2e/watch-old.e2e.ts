/**
 * Goal: a channel is watched from a block far below the headers a monitor keeps, on a real chain.
 * Method: the shell over bitcoind; the channel is funded, and closed, before the monitor hears of it. Once
 * its best block has been reorganised away as well.
 */
import assert from "node:assert/strict";
import { blockHash, blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import { txid } from "@farwatch/protocol/ids";
import { HEADER_RING_SIZE } from "@farwatch/monitor-service/chain/follow-chain";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../harness/channel/channel.js";
import { testChannelOptions } from "../harness/channel/test-channel.js";
import { BumpHost } from "./bump-host.js";

/** Below our oldest header: several calls of a manager. */
const BELOW = 100;
const CALLS = 20;

describe("watching a channel from an old block, on bitcoind", function () {
  this.timeout(120_000);
  let node: Regtest;
  let host: BumpHost;
  /** Closed long ago by the counterparty, unseen. */
  let closed: { readonly channel: Channel; readonly from: BlockPoint };
  /** Its best block lost against another one, long ago. */
  let stale: { readonly channel: Channel; readonly from: BlockPoint };

  before(async () => {
    node = await startRegtest({});
    await node.mine(101);
    const from = await tip();
    closed = { channel: await funded(), from };
    await node.mine(3);
    await node.generateBlock([closeOf(closed.channel)]);
    const channel = await funded();
    await node.mine(2);
    stale = { channel, from: await tip() };
    await node.invalidateBlock(stale.from.hash);
    await node.mine(BELOW + HEADER_RING_SIZE);
    host = await BumpHost.start(node);
  });
  after(async () => {
    await host.end();
    await node.stop();
  });

  const tip = async (): Promise<BlockPoint> => ({
    height: blockHeight(await node.height()),
    hash: blockHash(await node.bestHash()),
  });
  const closeOf = (channel: Channel): string =>
    Buffer.from(broadcastableCommitment(channel, "counterparty")).toString("hex");

  async function funded(): Promise<Channel> {
    const plan = createChannel(testChannelOptions);
    const funding = await node.fund(plan.fundingScriptPubkey, plan.setup.capacitySat);
    await node.generateBlock([funding.txid]);
    return plan.open({ txid: txid(funding.txid), vout: funding.vout });
  }

  /** Sends the same bytes until they are taken. */
  async function insist({ channel, from }: typeof closed): Promise<void> {
    const initial = channel.initialState("holder", { bestBlock: from });
    for (let calls = 1; ; calls++) {
      const watched = await host.watch(initial);
      if (watched.ok) return;
      assert.equal(watched.error.reason, "chainBehind");
      assert.ok(calls < CALLS, "it never gets there");
    }
  }

  it("finds the funding and the close in the blocks since then", async () => {
    const { channel, from } = closed;
    await insist(closed);
    const { fundingConfirmedAt, spend, best } = host.state(channel);
    assert.equal(fundingConfirmedAt, from.height + 1);
    assert.deepEqual([spend?.kind, spend?.block.height], ["counterparty", from.height + 5]);
    assert.deepEqual(best, await tip());
    await host.restart();
    assert.equal(host.state(channel).spend?.kind, "counterparty");
  });

  it("starts below a best block that a reorganisation removed, and goes on from our tip", async () => {
    const { channel } = stale;
    await insist(stale);
    assert.equal(host.state(channel).spend, undefined);
    await node.generateBlock([closeOf(channel)]);
    await host.follow();
    assert.equal(host.state(channel).spend?.kind, "counterparty");
  });
});
