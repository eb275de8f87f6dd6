/**
 * Goal: bitcoind's wallet pays for transactions whose first inputs are not its own, and bitcoind's verdicts
 * on packages are understood, as the monitor relies on. Method: one real regtest bitcoind; plans over
 * outputs that anybody may spend.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { sha256 } from "@noble/hashes/sha2.js";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { outpointKey, txid, txidToInternal, type Outpoint } from "@farwatch/protocol/ids";
import { SHARED_ANCHOR_SCRIPT } from "@farwatch/protocol/bolt/scripts";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { BitcoindSource } from "@farwatch/monitor-service/chain/bitcoind-source";
import { BitcoindWallet } from "@farwatch/monitor-service/chain/bitcoind-wallet";
import type { FundingPlan } from "@farwatch/monitor-service/tx/funding-plan";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";

const VALUE_SAT = 30_000n;
const RATE = feeratePerKw(5_000);
/** OP_TRUE as a witness script. */
const ANYONE = Uint8Array.of(0x51);
const P2WSH_ANYONE = Uint8Array.from([0, 32, ...sha256(ANYONE)]);
/** As an HTLC-timeout: the real witness is shorter, so the feerate is a bit higher. */
const INPUT_WEIGHT = 452;
const NO_COINS = { own: [], others: [] };

describe("the fee wallet on a real bitcoind", function () {
  this.timeout(120_000);
  let node: Regtest;
  let rpc: BitcoindRpc;
  let source: BitcoindSource;
  let wallet: BitcoindWallet;
  before(async () => {
    node = await startRegtest();
    await node.mine(110);
    const { user, password } = node;
    const auth = { kind: "password", user, password } as const;
    rpc = new BitcoindRpc({ url: node.rpcUrl, auth });
    source = await BitcoindSource.open({
      rpc: new BitcoindRpc({ url: node.rpcUrl, auth }),
      chain: "regtest",
    });
    wallet = new BitcoindWallet(rpc, node.wallet.name);
  });
  after(async () => {
    await source.close();
    rpc.close();
    await node.stop();
  });

  async function anyones(valueSat = VALUE_SAT): Promise<Outpoint> {
    const coin = await node.fund(P2WSH_ANYONE, valueSat);
    await node.mine(1);
    return { txid: txid(coin.txid), vout: coin.vout };
  }
  const planFor = (
    outpoints: readonly Outpoint[],
    fields: Partial<FundingPlan> = {},
  ): FundingPlan => ({
    version: 2,
    locktime: 50,
    inputs: outpoints.map((outpoint) => ({
      outpoint,
      valueSat: sat(VALUE_SAT),
      scriptPubkey: P2WSH_ANYONE,
      sequence: 1,
      inputWeight: INPUT_WEIGHT,
    })),
    outputs: outpoints.map(() => ({ scriptPubkey: P2WSH_ANYONE, valueSat: sat(VALUE_SAT) })),
    parent: undefined,
    feeratePerKw: RATE,
    maxFeeSat: sat(1_000_000),
    maxWeight: 400_000,
    ...fields,
  });
  async function funded(
    plan: FundingPlan,
    use = NO_COINS as Parameters<BitcoindWallet["fund"]>[1],
  ) {
    const result = await wallet.fund(plan, use);
    assert.ok(result.ok, result.ok ? "" : result.error);
    const tx = Transaction.fromBuffer(result.value.rawTx);
    for (const index of plan.inputs.keys()) tx.setWitness(index, [ANYONE]);
    const spent = [...plan.inputs, ...result.value.walletInputs];
    const fee =
      spent.reduce((sum, { valueSat }) => sum + valueSat, 0n) -
      tx.outs.reduce((sum, { value }) => sum + value, 0n);
    return { tx, raw: Uint8Array.from(tx.toBuffer()), fee, coins: result.value.walletInputs };
  }
  const locked = async (): Promise<readonly unknown[]> => {
    const coins = await node.rpc("listlockunspent", [], node.wallet.name);
    assert.ok(Array.isArray(coins));
    return coins;
  };

  it("keeps inputs and outputs at their places, pays the feerate, and is accepted", async () => {
    const outpoints = [await anyones(), await anyones()];
    const plan = planFor(outpoints);
    const { tx, raw, fee, coins } = await funded(plan);
    for (const [index, { txid: of, vout }] of outpoints.entries()) {
      assert.deepEqual(tx.ins[index]?.hash, txidToInternal(of));
      assert.deepEqual([tx.ins[index].index, tx.ins[index].sequence], [vout, 1]);
      assert.equal(tx.outs[index]?.value, VALUE_SAT);
    }
    assert.deepEqual([tx.version, tx.locktime], [2, 50]);
    assert.equal(tx.ins.length, 2 + coins.length);
    const real = outpoints.length * (ANYONE.length + 2);
    const full = tx.weight() - real + outpoints.length * (INPUT_WEIGHT - 4 * 41);
    const rate = (Number(fee) * 1000) / full;
    assert.ok(rate >= RATE * 0.99 && rate <= RATE * 1.03, `${rate} sat per 1000 weight units`);
    assert.deepEqual(await source.broadcast(raw), { kind: "accepted" });
    await node.mine(1);
    assert.deepEqual(await locked(), [], "nothing is locked that was not asked for");
  });

  it("replaces with the same coins, and leaves those of others alone", async () => {
    const [one, two] = [await anyones(), await anyones()];
    const first = await funded(planFor([one]));
    assert.equal((await source.broadcast(first.raw)).kind, "accepted");
    const own = first.coins.map(({ outpoint }) => outpoint);
    const other = await funded(planFor([two]), { own: [], others: own });
    const keys = new Set(own.map(outpointKey));
    assert.ok(other.coins.every(({ outpoint }) => !keys.has(outpointKey(outpoint))));
    const dearer = planFor([one], { feeratePerKw: feeratePerKw(8_000) });
    const again = await funded(dearer, { own, others: [] });
    assert.deepEqual(
      again.coins.map(({ outpoint }) => outpointKey(outpoint)),
      own.map(outpointKey),
    );
    assert.deepEqual(await source.broadcast(again.raw), { kind: "accepted" });
    await wallet.release(txid(again.tx.getId()), own);
    await node.mine(1);
  });

  it("funds and replaces while the mempool holds another's cheaper spend of the same output", async () => {
    const outpoint = await anyones();
    const theirs = new Transaction();
    theirs.version = 2;
    theirs.addInput(txidToInternal(outpoint.txid), outpoint.vout, 1);
    theirs.addOutput(P2WSH_ANYONE, VALUE_SAT - 200n);
    theirs.setWitness(0, [ANYONE]);
    assert.equal((await source.broadcast(theirs.toBuffer())).kind, "accepted");
    const spender = must(await source.mempoolSpender(outpoint), "their spend");
    assert.equal(spender, theirs.getId());
    assert.deepEqual(await source.mempoolTx(spender), Uint8Array.from(theirs.toBuffer()));
    const { tx, raw } = await funded(planFor([outpoint]));
    assert.deepEqual(await source.broadcast(raw), { kind: "accepted" });
    assert.equal(await source.mempoolSpender(outpoint), tx.getId());
    assert.equal(await source.mempoolTx(spender), undefined);
    await node.mine(1);
  });

  it("keeps and releases coins", async () => {
    const { tx, coins } = await funded(planFor([await anyones()]));
    const outpoints = coins.map(({ outpoint }) => outpoint);
    await wallet.keep(outpoints);
    await wallet.keep(outpoints);
    const now = await locked();
    for (const outpoint of outpoints) {
      assert.ok(now.some((coin) => isDeepStrictEqual(coin, { ...outpoint })));
    }
    await wallet.release(txid(tx.getId()), outpoints);
    await wallet.release(txid(tx.getId()), outpoints);
    assert.deepEqual(await locked(), []);
    const all = await wallet.confirmedSat();
    assert.ok(all > 0n);
    await wallet.keep(outpoints);
    assert.equal(await wallet.confirmedSat(), all, "kept coins count");
    await wallet.release(txid(tx.getId()), outpoints);
  });

  it("says why it cannot: no such wallet, no coins, only unconfirmed coins", async () => {
    const plan = planFor([await anyones()]);
    const missing = await new BitcoindWallet(rpc, "nobody").fund(plan, NO_COINS);
    assert.ok(!missing.ok && missing.error.startsWith("fundrawtransaction: "));
    await node.rpc("createwallet", ["poor"]);
    const poor = new BitcoindWallet(rpc, "poor");
    const refused = async (): Promise<void> => {
      const result = await poor.fund(plan, NO_COINS);
      assert.ok(!result.ok);
      assert.match(result.error, /insufficient funds/i);
    };
    await refused();
    await node.fund(String(await node.rpc("getnewaddress", [], "poor")), 100_000n);
    await refused();
    await node.mine(1);
    const result = await poor.fund(plan, NO_COINS);
    assert.ok(result.ok, result.ok ? "" : result.error);
  });

  it("stays within the weight of a version-3 child, or says that it cannot", async () => {
    const small = "small";
    await node.rpc("createwallet", [small]);
    const address = String(await node.rpc("getnewaddress", [], small));
    for (let coin = 0; coin < 20; coin++) await node.fund(address, 10_000n);
    await node.mine(1);
    const parent = { weight: 2_000, feeSat: sat(0) };
    const anchor = {
      outpoint: { txid: txid("ab".repeat(32)), vout: 0 },
      valueSat: sat(240),
      scriptPubkey: SHARED_ANCHOR_SCRIPT,
      sequence: 0xfffffffd,
      inputWeight: 165,
    };
    const child = planFor([], {
      version: 3,
      locktime: 0,
      inputs: [anchor],
      parent,
      maxWeight: 4_000,
    });
    const crowd = new BitcoindWallet(rpc, small);
    const few = await crowd.fund({ ...child, feeratePerKw: feeratePerKw(10_000) }, NO_COINS);
    assert.ok(few.ok, few.ok ? "" : few.error);
    const tx = Transaction.fromBuffer(few.value.rawTx);
    assert.equal(tx.version, 3);
    assert.ok(tx.ins.length > 3 && tx.weight() <= 4_000, `${tx.weight()}`);
    const many = await crowd.fund({ ...child, feeratePerKw: feeratePerKw(30_000) }, NO_COINS);
    assert.ok(!many.ok, "20 coins would be needed");
  });

  describe("packages", () => {
    /** Spends them to anybody; `feeSat` less than they hold. */
    function spending(outpoints: readonly Outpoint[], held: bigint, feeSat: bigint, version = 2) {
      const tx = new Transaction();
      tx.version = version;
      for (const [index, { txid: of, vout }] of outpoints.entries()) {
        tx.addInput(txidToInternal(of), vout, 0xfffffffd);
        tx.setWitness(index, [ANYONE]);
      }
      tx.addOutput(P2WSH_ANYONE, held - feeSat);
      return tx;
    }
    const rawOf = (...txs: readonly Transaction[]) =>
      txs.map((tx) => Uint8Array.from(tx.toBuffer()));
    const outputOf = (tx: Transaction): Outpoint => ({ txid: txid(tx.getId()), vout: 0 });
    const verdict = async (...txs: readonly Transaction[]): Promise<string> => {
      const result = await source.broadcastPackage(rawOf(...txs));
      return result.kind === "refused" ? result.reason : result.kind;
    };

    for (const version of [2, 3]) {
      it(`version ${version}: too cheap, taken, known, replaced, in a block`, async () => {
        const [a, b] = [await anyones(), await anyones()];
        const parentFee = version === 3 ? 0n : 110n;
        const parent = spending([a], VALUE_SAT, parentFee, version);
        const child = (fee: bigint) =>
          spending([outputOf(parent), b], 2n * VALUE_SAT - parentFee, fee, version);
        assert.equal(await verdict(parent, child(0n)), "insufficientFee");
        assert.equal(await verdict(parent, child(3_000n)), "accepted");
        assert.equal(await verdict(parent, child(3_000n)), "accepted", "known");
        assert.equal(await verdict(parent, child(3_001n)), "insufficientFee", "no replacement");
        assert.equal(await verdict(parent, child(9_000n)), "accepted", "replaced");
        await node.mine(1);
        assert.equal(await verdict(parent, child(9_000n)), "alreadyKnown", "in a block");
        assert.equal(await verdict(parent, child(9_001n)), "missingInputs", "spent");
      });
    }

    it("a parent that is in a block already, and one that can never be", async () => {
      const [a, b] = [await anyones(), await anyones()];
      const parent = spending([a], VALUE_SAT, 1_000n);
      assert.equal((await source.broadcast(parent.toBuffer())).kind, "accepted");
      await node.mine(1);
      const child = spending([outputOf(parent), b], 2n * VALUE_SAT - 1_000n, 3_000n);
      assert.equal(await verdict(parent, child), "accepted");
      const nobodys = spending([{ txid: txid("77".repeat(32)), vout: 0 }], VALUE_SAT, 1_000n);
      const orphan = spending([outputOf(nobodys)], VALUE_SAT - 1_000n, 1_000n);
      assert.equal(await verdict(nobodys, orphan), "missingInputs");
      await node.mine(1);
    });

    it("a parent that somebody's dearer transaction conflicts with", async () => {
      const [a, b] = [await anyones(), await anyones()];
      const theirs = spending([a], VALUE_SAT, 5_000n);
      assert.equal((await source.broadcast(theirs.toBuffer())).kind, "accepted");
      const parent = spending([a], VALUE_SAT, 110n);
      const child = (fee: bigint) => spending([outputOf(parent), b], 2n * VALUE_SAT - 110n, fee);
      assert.equal(await verdict(parent, child(1_000n)), "insufficientFee");
      assert.equal(await verdict(parent, child(20_000n)), "accepted");
      await node.mine(1);
    });
  });
});
