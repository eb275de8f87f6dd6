/**
 * Goal: our own outputs reach the operator's wallet by themselves, on a real chain with real processes.
 * Method: a monitor with a sweep destination from bitcoind's own wallet; what arrived, from which outputs
 * and at which fee is read back from bitcoind.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import type { ChannelType } from "@farwatch/protocol/channel";
import { txidFromInternal } from "@farwatch/protocol/ids";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import { sweepToRemote } from "../harness/channel/claims.js";
import { findUntrimmed } from "../harness/channel/commitment.js";
import { until } from "../harness/cluster/chain-facts.js";
import { Stage } from "../harness/cluster/stage.js";

const TYPES = ["static_remote_key", "anchors_zero_fee_htlc"] as const;
const EVERY_BLOCK = { FARWATCH_MONITOR_SWEEP_EVERY_BLOCKS: "1" };
const descriptor = (desc: string) => ({ FARWATCH_MONITOR_SWEEP_DESCRIPTOR: desc });
const SHORT_CLTV = 25;
/** Of the channel engine; our delayed outputs wait so long. */
const CONTEST_DELAY = 144;
const BUMP_BLOCKS = 12;

const Descriptors = z.object({
  descriptors: z.array(z.object({ desc: z.string(), active: z.boolean(), internal: z.boolean() })),
});
const Entry = z.object({ fees: z.object({ base: z.number() }) });
const AddressInfo = z.object({ ismine: z.boolean() });
const Decoded = z.object({ address: z.string() });

describe("sweeps on a real chain", () => {
  let bitcoind: Regtest;
  before(async () => {
    bitcoind = await startRegtest({ zmq: true });
    await bitcoind.mine(101); // the wallet is made with its first coin
  });
  after(() => bitcoind.stop());

  const open = (
    sweep: Readonly<Record<string, string>>,
    channelType: ChannelType = "static_remote_key",
  ): Promise<Stage> => Stage.open({ bitcoind, channelType, env: { ...sweep, ...EVERY_BLOCK } });
  const isOurWallets = async (hex: string): Promise<boolean> => {
    const { address } = Decoded.parse(await bitcoind.rpc("decodescript", [hex]));
    const info = await bitcoind.rpc("getaddressinfo", [address], bitcoind.wallet.name);
    return AddressInfo.parse(info).ismine;
  };
  const ownOutputs = async (stage: Stage) => {
    const { ownOutputs: own } = await stage.monitor.channel(stage.node.channel.channelId);
    return own.map(({ outpoint, sweptBy, spentBy }) => ({
      txid: txidFromInternal(must(outpoint, "outpoint").txid),
      vout: must(outpoint, "outpoint").vout,
      sweptBy: sweptBy === undefined ? undefined : txidFromInternal(sweptBy),
      spentBy: spentBy === undefined ? undefined : txidFromInternal(spentBy),
    }));
  };

  for (const channelType of TYPES) {
    it(`collect to_local and second stages of ${channelType} at a descriptor`, async () => {
      const listed = await bitcoind.rpc("listdescriptors", [], bitcoind.wallet.name);
      const { descriptors } = Descriptors.parse(listed);
      const found = descriptors.find(
        ({ desc, active, internal }) => active && !internal && desc.startsWith("wpkh("),
      );
      const stage = await open(descriptor(must(found, "a descriptor").desc), channelType);
      try {
        const { node } = stage;
        const ours = await node.offerPayment(30_000n, SHORT_CLTV);
        await node.channel.forceClose("holder");
        const { txid, vout } = node.channel.funding;
        await stage.confirmed({ txid, vout });
        const commitment = node.channel.commitment("holder");
        const { outputIndex } = findUntrimmed(commitment, ours.htlc);
        await stage.mine(ours.htlc.cltvExpiry - (await bitcoind.height()));
        const htlc = { txid: commitment.built.txid, vout: must(outputIndex, "untrimmed") };
        const secondStage = await stage.confirmed(htlc);
        await stage.mine(CONTEST_DELAY);
        const toLocal = must(commitment.built.toLocalIndex, "to_local");
        const sweep = await stage.confirmed({ txid: commitment.built.txid, vout: toLocal });
        assert.ok(await isOurWallets(must(sweep.tx.vout[0], "output").scriptPubKey.hex));
        assert.equal(sweep.tx.vout.length, 1);
        assert.deepEqual(
          sweep.tx.vin.map(({ txid: from }) => from).sort(),
          [commitment.built.txid, secondStage.txid].sort(),
        );
        const own = await ownOutputs(stage);
        assert.deepEqual(
          own.map(({ spentBy }) => spentBy),
          own.map(({ sweptBy }) => sweptBy),
        );
        assert.equal(own.length, 2);
        await stage.settle();
      } finally {
        await stage.close();
      }
    });
  }

  it("replace a version that does not confirm by one that pays more", async () => {
    const stage = await open(await address());
    try {
      await stage.broadcast(broadcastableCommitment(stage.node.channel, "counterparty"));
      await stage.mine(6);
      const [first] = await ownOutputs(stage);
      const { txid, vout } = must(first, "to_remote");
      const place = { txid, vout };
      await stage.inMempool(place);
      const feeOf = async (txid: string): Promise<number> =>
        Entry.parse(await bitcoind.rpc("getmempoolentry", [txid])).fees.base;
      const cheap = must((await bitcoind.mempool())[0], "the sweep");
      const paid = await feeOf(cheap);
      for (let block = 0; block < BUMP_BLOCKS; block++) {
        await bitcoind.mineEmpty();
        await stage.synced();
      }
      await until("another version", async () => !(await bitcoind.mempool()).includes(cheap));
      const [dear] = await bitcoind.mempool();
      assert.ok((await feeOf(must(dear, "the replacement"))) > paid);
      const spend = await stage.confirmed(place);
      assert.equal(spend.txid, dear);
      assert.equal((await ownOutputs(stage))[0]?.spentBy, dear);
      await stage.mine(6);
      await stage.settle();
    } finally {
      await stage.close();
    }
  });

  it("leave an output alone that the node spends first", async () => {
    const stage = await open(await address());
    try {
      const { channel } = stage.node;
      await stage.broadcast(broadcastableCommitment(channel, "counterparty"));
      await stage.mine(1);
      const { number } = channel.commitment("counterparty");
      const bySelf = await stage.broadcast(sweepToRemote(channel, "counterparty", number));
      for (let block = 0; block < 8; block++) {
        await bitcoind.mineEmpty();
        await stage.synced();
      }
      assert.deepEqual(await bitcoind.mempool(), [bySelf]);
      assert.equal((await ownOutputs(stage))[0]?.sweptBy, undefined);
      await stage.mine(1);
      assert.equal((await ownOutputs(stage))[0]?.spentBy, bySelf);
      await stage.settle();
    } finally {
      await stage.close();
    }
  });

  const address = async () => ({
    FARWATCH_MONITOR_SWEEP_ADDRESS: String(
      await bitcoind.rpc("getnewaddress", [], bitcoind.wallet.name),
    ),
  });
});
