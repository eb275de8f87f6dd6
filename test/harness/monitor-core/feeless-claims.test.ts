/**
 * Second stages of our own commitment on anchor channels: wanted at the right height, signed only when
 * what the wallet gave back is still ours and costs at most half of the HTLC (onchain-engine 9.10).
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { outpointKey, txidToInternal } from "@farwatch/protocol/ids";
import type { FeelessClaim } from "@farwatch/monitor-service/monitor/effect";
import { feelessClaims } from "@farwatch/monitor-service/monitor/feeless-claims";
import { spendFailure } from "@farwatch/monitor-service/tx/script-check.test";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../channel/setup.js";
import { secretNamed } from "../channel/test-channel.js";
import { COIN_SAT, coinNamed, fundedWith } from "./fake-fee-wallet.js";
import { feerates, protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { htlcOutpoint, number, pay } from "./scenario.js";

const THEIRS_SAT = 30_000;
/** Half of it. */
const HIGHEST_FEE = BigInt(THEIRS_SAT) / 2n;

async function closed(theirsSat = THEIRS_SAT) {
  const p = await protectedChannel({ channelType: "anchors_zero_fee_htlc" });
  const [ours, theirs] = await pay(
    p,
    { from: "holder", sat: 20_000, name: "ours", expiry: 520 },
    { from: "counterparty", sat: theirsSat, name: "theirs", expiry: 560 },
  );
  assert.ok(ours !== undefined && theirs !== undefined);
  const at = number(p, "holder");
  await p.channel.forceClose("holder", true);
  p.minePublished("holderCommitment");
  const learn = () => p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
  const places = {
    ours: htlcOutpoint(p, "holder", at, ours),
    theirs: htlcOutpoint(p, "holder", at, theirs),
  };
  return { p, learn, places };
}

const wanted = (p: ProtectedChannel): readonly FeelessClaim[] => feelessClaims(p.ctx, p.state);
const signer = (p: ProtectedChannel) => seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder);

/** Completes with a wallet coin, signs as the shell does, and runs the script of input 0. */
function assertSpends(p: ProtectedChannel, claim: FeelessClaim, feeSat: bigint): void {
  const done = claim.complete(fundedWith(claim, feeSat, coinNamed(0)));
  assert.ok(done.ok, done.ok ? "" : done.error);
  const { tasks, finish, txid, spends } = done.value;
  assert.deepEqual(spends.map(outpointKey), [claim.outpoint, coinNamed(0)].map(outpointKey));
  const tx = Transaction.fromBuffer(
    finish(signer(p).sign(p.state.parameters.channelKeysId, tasks)),
  );
  assert.equal(tx.getId(), txid);
  const { built } = p.channel.commitment("holder");
  const prevout = must(built.tx.outs[claim.outpoint.vout], "HTLC output");
  assert.equal(spendFailure(tx, 0, prevout), undefined);
  assert.equal(tx.ins[0]?.sequence, 1, "BOLT 3: one block after the commitment");
  assert.ok(
    4 * 41 + witnessBytes(tx) <= claim.inputWeight && claim.inputWeight < 170 + witnessBytes(tx),
    "the weight the wallet is told is a close upper bound",
  );
}

/** Of input 0; its items are shorter than 253 bytes. */
const witnessBytes = (tx: Transaction): number =>
  must(tx.ins[0], "input").witness.reduce((sum, item) => sum + 1 + item.length, 1);

describe("monitor core: second stages without a fee", () => {
  it("HTLC-timeout is wanted at expiry and not before", async () => {
    const { p, places } = await closed();
    p.mineTo(519);
    assert.deepEqual(wanted(p), []);
    p.mineTo(520);
    const [claim] = wanted(p);
    assert.ok(claim !== undefined && wanted(p).length === 1);
    assert.equal(claim.role, "holderHtlcTimeout");
    assert.deepEqual(claim.outpoint, places.ours);
    assert.equal(claim.inputWeight, 164 + 288);
    assert.equal(Transaction.fromBuffer(claim.draft).locktime, 520);
    assertSpends(p, claim, 1_000n);
    assert.deepEqual(p.published(), [], "none goes out without a fee");
  });

  it("HTLC-success is wanted as soon as the preimage is known", async () => {
    const { p, learn, places } = await closed();
    assert.deepEqual(wanted(p), []);
    learn();
    const [claim] = wanted(p);
    assert.ok(claim !== undefined && wanted(p).length === 1);
    assert.equal(claim.role, "holderHtlcSuccess");
    assert.deepEqual(claim.outpoint, places.theirs);
    assert.equal(claim.inputWeight, 164 + 327);
    assertSpends(p, claim, 1_000n);
    p.reload();
    assert.equal(wanted(p).length, 1, "after a restart too");
  });

  it("nothing is wanted of static_remote_key, which pays its own fee", async () => {
    const p = await protectedChannel({ channelType: "static_remote_key" });
    await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 520 });
    await p.channel.forceClose("holder", true);
    p.minePublished("holderCommitment");
    p.mineTo(520);
    assert.equal(p.published("holderHtlcTimeout").length, 1);
    assert.deepEqual(wanted(p), []);
  });

  it("the feerate is the urgent one, less when that would take more than half", async () => {
    const { p, learn } = await closed();
    learn();
    p.feerates = feerates(2_000);
    p.mine();
    assert.equal(wanted(p)[0]?.targetFeerate, 2_000);
    p.feerates = feerates(1_000_000);
    p.mine();
    const capped = must(wanted(p)[0], "claim").targetFeerate;
    // 706 of the HTLC transaction, two P2WPKH coins of 273 and change of 172 weight units.
    assert.equal(capped, Math.floor((Number(HIGHEST_FEE) * 1000) / (706 + 2 * 273 + 172)));
  });

  it("an HTLC not worth the lowest feerate is left, one just above is not", async () => {
    // 253 sat per 1000 weight units of 1424 are 360.3 sat, and half a HTLC is rounded down.
    for (const [value, count] of [
      [721, 0],
      [722, 1],
    ] as const) {
      const { p, learn } = await closed(value);
      learn();
      assert.equal(wanted(p).length, count, `${value} sat`);
    }
  });

  it("a fee of exactly half is signed, one satoshi more is not", async () => {
    const { p, learn } = await closed();
    learn();
    const claim = must(wanted(p)[0], "claim");
    assertSpends(p, claim, HIGHEST_FEE);
    const dear = claim.complete(fundedWith(claim, HIGHEST_FEE + 1n, coinNamed(0)));
    assert.deepEqual(dear, { ok: false, error: "feeTooHigh" });
  });

  it("whatever the wallet changed or left out is not signed", async () => {
    const { p, learn } = await closed();
    learn();
    const claim = must(wanted(p)[0], "claim");
    const first = <T>(items: readonly T[]): T => must(items[0], "first");
    const other = txidToInternal(coinNamed(0).txid);
    const spoilers: readonly [string, (tx: Transaction) => void][] = [
      ["changed", (tx) => void (tx.version = 3)],
      ["changed", (tx) => void (tx.locktime = 1)],
      ["changed", (tx) => void (first(tx.ins).sequence = 0)],
      ["changed", (tx) => void (first(tx.ins).index += 1)],
      ["changed", (tx) => void (first(tx.ins).hash = other)],
      ["changed", (tx) => void (first(tx.ins).script = Uint8Array.of(0x51))],
      ["changed", (tx) => void (first(tx.outs).value -= 1n)],
      ["changed", (tx) => void (first(tx.outs).script = Uint8Array.of(0x51))],
      ["changed", (tx) => void tx.outs.reverse()],
      ["changed", (tx) => void tx.ins.reverse()],
      ["otherInputs", (tx) => void tx.addInput(other, 9)],
      ["otherInputs", (tx) => void tx.ins.pop()],
      ["otherInputs", (tx) => void (must(tx.ins[1], "coin").index = 5)],
      ["unsigned", (tx) => tx.setWitness(1, [])],
      ["overspent", (tx) => void (must(tx.outs[1], "change").value = COIN_SAT + 1n)],
    ];
    for (const [error, spoil] of spoilers) {
      const done = claim.complete(fundedWith(claim, 1_000n, coinNamed(0), spoil));
      assert.deepEqual(done, { ok: false, error }, spoil.toString());
    }
    const unreadable = claim.complete({ rawTx: Uint8Array.of(1, 2), walletInputs: [] });
    assert.deepEqual(unreadable, { ok: false, error: "unreadable" });
    const good = fundedWith(claim, 1_000n, coinNamed(0));
    const [coin] = good.walletInputs;
    assert.ok(coin !== undefined);
    const richer = { ...coin, valueSat: sat(COIN_SAT + HIGHEST_FEE) };
    const dear = claim.complete({ ...good, walletInputs: [richer] });
    assert.deepEqual(dear, { ok: false, error: "feeTooHigh" });
    const twice = claim.complete({ ...good, walletInputs: [coin, coin] });
    assert.deepEqual(twice, { ok: false, error: "otherInputs" });
  });
});
