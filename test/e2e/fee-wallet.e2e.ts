/**
 * Goal: bitcoind's wallet pays for a transaction whose only input is not its own, as the monitor relies
 * on. Method: one real regtest bitcoind; a draft without a fee on an output anybody may spend.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { sha256 } from "@noble/hashes/sha2.js";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { txid, txidToInternal } from "@farwatch/protocol/ids";
import { BitcoindRpc } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { BitcoindSource } from "@farwatch/monitor-service/chain/bitcoind-source";
import { BitcoindWallet } from "@farwatch/monitor-service/chain/bitcoind-wallet";
import { startRegtest, type Regtest } from "../harness/bitcoind/node.js";

const VALUE_SAT = 30_000n;
const RATE = feeratePerKw(5_000);
/** OP_TRUE as a witness script. */
const ANYONE = Uint8Array.of(0x51);
const P2WSH_ANYONE = Uint8Array.from([0, 32, ...sha256(ANYONE)]);
/** As an HTLC-timeout: the real witness is shorter, so the feerate is a bit higher. */
const INPUT_WEIGHT = 452;

describe("the fee wallet on a real bitcoind", () => {
  let node: Regtest;
  let rpc: BitcoindRpc;
  before(async () => {
    node = await startRegtest();
    await node.mine(101);
    const { user, password } = node;
    rpc = new BitcoindRpc({ url: node.rpcUrl, auth: { kind: "password", user, password } });
  });
  after(async () => {
    rpc.close();
    await node.stop();
  });

  async function draft() {
    const coin = await node.fund(P2WSH_ANYONE, VALUE_SAT);
    await node.mine(1);
    const outpoint = { txid: txid(coin.txid), vout: coin.vout };
    const tx = new Transaction();
    tx.version = 2;
    tx.locktime = 50;
    tx.addInput(txidToInternal(outpoint.txid), outpoint.vout, 1);
    tx.addOutput(P2WSH_ANYONE, VALUE_SAT);
    return { tx, of: { draft: tx.toBuffer(), outpoint, inputWeight: INPUT_WEIGHT } };
  }
  const locked = async (): Promise<unknown> => node.rpc("listlockunspent", [], node.wallet.name);

  it("keeps input and output 0, pays the feerate, and is accepted", async () => {
    const { tx, of } = await draft();
    const funded = await new BitcoindWallet(rpc, node.wallet.name).fund(of, RATE);
    assert.ok(funded.ok, funded.ok ? "" : funded.error);
    const { rawTx, walletInputs } = funded.value;
    const final = Transaction.fromBuffer(rawTx);
    assert.deepEqual(final.ins[0], tx.ins[0]);
    assert.deepEqual(final.outs[0], tx.outs[0]);
    assert.deepEqual([final.version, final.locktime], [2, 50]);
    assert.equal(final.ins.length, 1 + walletInputs.length);
    final.setWitness(0, [ANYONE]);
    const spent = walletInputs.reduce((sum, { valueSat }) => sum + valueSat, VALUE_SAT);
    const fee = spent - final.outs.reduce((sum, { value }) => sum + value, 0n);
    const fullWeight = final.weight() - ANYONE.length - 2 + (INPUT_WEIGHT - 4 * 41);
    const rate = (Number(fee) * 1000) / fullWeight;
    assert.ok(rate >= RATE * 0.99 && rate <= RATE * 1.02, `${rate} sat per 1000 weight units`);
    const sent = await node.rpc("sendrawtransaction", [toHex(final.toBuffer())]);
    assert.equal(sent, final.getId());
    await node.mine(1);
    assert.deepEqual(await locked(), [], "a spent coin is not locked any more");
  });

  it("funds and replaces while the mempool holds another's cheaper spend of the same output", async () => {
    const { tx, of } = await draft();
    const theirs = tx.clone();
    theirs.locktime = 0;
    must(theirs.outs[0], "output").value = VALUE_SAT - 200n;
    theirs.setWitness(0, [ANYONE]);
    await node.rpc("sendrawtransaction", [toHex(theirs.toBuffer())]);
    const { user, password } = node;
    const auth = { kind: "password", user, password } as const;
    const source = await BitcoindSource.open({
      rpc: new BitcoindRpc({ url: node.rpcUrl, auth }),
      chain: "regtest",
    });
    const spender = must(await source.mempoolSpender(of.outpoint), "their spend");
    assert.equal(spender, theirs.getId());
    assert.deepEqual(await source.mempoolTx(spender), Uint8Array.from(theirs.toBuffer()));
    const funded = await new BitcoindWallet(rpc, node.wallet.name).fund(of, RATE);
    assert.ok(funded.ok, funded.ok ? "" : funded.error);
    const ours = Transaction.fromBuffer(funded.value.rawTx);
    ours.setWitness(0, [ANYONE]);
    const sent = await source.broadcast(ours.toBuffer());
    assert.deepEqual(sent, { kind: "accepted" });
    assert.equal(await source.mempoolSpender(of.outpoint), ours.getId());
    assert.equal(await source.mempoolTx(spender), undefined);
    await source.close();
    await node.mine(1);
  });

  it("locks its coins until they are released", async () => {
    const wallet = new BitcoindWallet(rpc, node.wallet.name);
    const { of } = await draft();
    const funded = await wallet.fund(of, RATE);
    assert.ok(funded.ok);
    const coins = await locked();
    assert.ok(Array.isArray(coins));
    for (const { outpoint } of funded.value.walletInputs) {
      assert.ok(coins.some((coin) => isDeepStrictEqual(coin, { ...outpoint })));
    }
    await wallet.release(funded.value);
    await wallet.release(funded.value);
    assert.deepEqual(await locked(), []);
  });

  it("says why it cannot: no such wallet, no coins, only unconfirmed coins", async () => {
    const { of } = await draft();
    const missing = await new BitcoindWallet(rpc, "nobody").fund(of, RATE);
    assert.ok(!missing.ok && missing.error.startsWith("fundrawtransaction: "));
    await node.rpc("createwallet", ["poor"]);
    const poor = new BitcoindWallet(rpc, "poor");
    const refused = async (): Promise<void> => {
      const funded = await poor.fund(of, RATE);
      assert.ok(!funded.ok);
      assert.match(funded.error, /insufficient funds/i);
    };
    await refused();
    await node.fund(String(await node.rpc("getnewaddress", [], "poor")), 100_000n);
    await refused();
    await node.mine(1);
    const funded = await poor.fund(of, RATE);
    assert.ok(funded.ok, funded.ok ? "" : funded.error);
  });
});
