/**
 * Goal: on anchor channels a wallet brings our commitment and its second stages through a congested
 * mempool. Method: one real bitcoind whose mempool is full of dearer transactions, so that it takes no
 * commitment by itself, and which mines nothing below 10 sat/vB; the monitor's shell with bitcoind's
 * wallet; blocks mined by bitcoind from its mempool.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import { msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta } from "@farwatch/protocol/block";
import { fromHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import { outpointKey, type Txid } from "@farwatch/protocol/ids";
import { parseTx, type ParsedTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import type { Channel } from "../harness/channel/channel.js";
import { offer, secretNamed } from "../harness/channel/test-channel.js";
import { BumpHost } from "./bump-host.js";
import { congest } from "./congestion.js";

/** MB; the least that bitcoind allows. */
const SMALL_MEMPOOL = "-maxmempool=5";
/** BTC per 1000 vbytes: between what fills the mempool and 20 sat/vB, the monitor's without an estimate. */
const MINES_FROM = "-blockmintxfee=0.00010";
/** sat/vB; a keyed commitment pays 1. */
const CONGESTED = 2;
const MATURE_COINS = 50;
const BLOCKS_TO_EXPIRY = 20;
const INBOUND = ["in 0", "in 1", "in 2"];
const OUTBOUND = ["out 0", "out 1", "out 2"];
const HTLC_SAT = 60_000;

const entry = z.object({ fees: z.object({ ancestor: z.number() }), ancestorsize: z.number() });

describe("a wallet's fees on a real chain", function () {
  this.timeout(240_000);
  let node: Regtest;
  let host: BumpHost;
  let others: ReadonlySet<string>;
  before(async () => {
    node = await startRegtest({ extraArgs: [SMALL_MEMPOOL, MINES_FROM] });
    await node.mine(100 + MATURE_COINS);
    host = await BumpHost.start(node);
    await congest(node, CONGESTED);
    others = new Set(await node.mempool());
  });
  after(async () => {
    await host.end();
    await node.stop();
  });

  const mine = async (): Promise<void> => {
    await node.mine(1);
    await host.follow();
  };
  const mineEmpty = async (count: number): Promise<void> => {
    await node.mineEmpty(count);
    await host.follow();
  };

  /** Three HTLCs each way; the preimages of the received ones are known; our commitment is wanted. */
  async function closing(channelType: ChannelType): Promise<{ channel: Channel; expiry: number }> {
    const channel = await host.open({
      channelType,
      capacitySat: sat(1_000_000),
      pushMsat: msat(400_000_000),
      holder: { contestDelay: blockDelta(6) },
      counterparty: { contestDelay: blockDelta(6) },
    });
    const expiry = (await node.height()) + BLOCKS_TO_EXPIRY;
    for (const name of INBOUND) offer(channel, "counterparty", HTLC_SAT, name, expiry + 40);
    for (const name of OUTBOUND) offer(channel, "holder", HTLC_SAT, name, expiry);
    await channel.settle();
    await host.learn(
      channel,
      INBOUND.map((name) => secretNamed(name).preimage),
    );
    await channel.forceClose("holder", true);
    return { channel, expiry };
  }

  const rawOf = async (of: string): Promise<ParsedTx> =>
    parseTx(fromHex(String(await node.rpc("getrawtransaction", [of]))));
  /** What is in the mempool besides the crowd. */
  async function ours(): Promise<readonly ParsedTx[]> {
    const found = (await node.mempool()).filter((id) => !others.has(id));
    return Promise.all(found.map(rawOf));
  }
  async function onlyOurs(): Promise<ParsedTx> {
    const [only, ...more] = await ours();
    assert.equal(more.length, 0);
    return must(only, "a transaction in the mempool");
  }
  /** Of a transaction with all it builds on, in sat/vB. */
  async function packageRate(of: Txid): Promise<number> {
    const { fees, ancestorsize } = entry.parse(await node.rpc("getmempoolentry", [of]));
    return (fees.ancestor * 1e8) / ancestorsize;
  }
  async function childOf(commitment: Txid): Promise<ParsedTx> {
    const child = (await ours()).find(({ txid: of }) => of !== commitment);
    return must(child, `a child; ${host.warnings.join("; ")}`);
  }

  for (const channelType of ["anchors_zero_fee_htlc", "zero_fee_commitments"] as const) {
    it(`${channelType}: a commitment that the mempool refuses, and all of its HTLCs`, async () => {
      const { channel, expiry } = await closing(channelType);
      const commitment = parseTx(broadcastableCommitment(channel, "holder")).txid;
      assert.deepEqual(await ours(), [], "refused alone");
      await mineEmpty(1);
      const first = await childOf(commitment);
      assert.equal((await ours()).length, 2);
      assert.equal(first.inputs[0]?.outpoint.txid, commitment);
      assert.ok((await packageRate(first.txid)) >= 20);
      await host.restart();
      assert.equal((await childOf(commitment)).txid, first.txid, "a restart makes no other");
      assert.equal((await host.rows()).length, 1);

      await mineEmpty(1);
      const second = await childOf(commitment);
      assert.notEqual(second.txid, first.txid, "replaced");
      assert.equal((await ours()).length, 2);
      assert.ok((await packageRate(second.txid)) >= 25);
      assert.deepEqual(spent(second), spent(first), "with the same coins");
      await mine();
      const claim = await onlyOurs();
      assert.equal(claimsOn(claim, commitment), INBOUND.length);
      assert.equal(claim.inputs.length, INBOUND.length + 1, "one coin pays for all");

      await mine();
      assert.deepEqual(await ours(), []);
      await mineEmpty(expiry - (await node.height()));
      const refunds = await onlyOurs();
      assert.equal(claimsOn(refunds, commitment), OUTBOUND.length);
      assert.equal(refunds.locktime, expiry);
      await mineEmpty(15);
      const raised = await onlyOurs();
      assert.notEqual(raised.txid, refunds.txid, "raised after 15 blocks");
      assert.deepEqual(spent(raised), spent(refunds), "with the same coins");
      await mine();
      assert.deepEqual(await ours(), []);
      await mineEmpty(6);
      assert.equal((await host.rows()).length, 0, "nothing is left to pay for");
    });
  }
});

const spent = ({ inputs }: ParsedTx): readonly string[] =>
  inputs.map(({ outpoint }) => outpointKey(outpoint));

const claimsOn = ({ inputs }: ParsedTx, commitment: Txid): number =>
  inputs.filter(({ outpoint }) => outpoint.txid === commitment).length;
