/**
 * What a wallet completes for us: planned within its limits, signed only when what the wallet gave back is
 * still ours (onchain-engine 9.9, 9.10). Signatures are checked by running the scripts.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { ChannelType } from "@farwatch/protocol/channel";
import { outpointKey, txidToInternal } from "@farwatch/protocol/ids";
import {
  batchPlan,
  childPlan,
  COINS_WEIGHT,
  dearest,
  htlcBatches,
  MAX_STANDARD_TX_WEIGHT,
  pairWeight,
  TRUC_MAX_WEIGHT,
  type BumpPlan,
} from "@farwatch/monitor-service/monitor/bumps/bump-plans";
import { bumpRequests } from "@farwatch/monitor-service/monitor/bumps/bump-requests";
import { completeBump } from "@farwatch/monitor-service/monitor/bumps/complete-bump";
import type {
  CommitmentBump,
  HtlcBump,
  HtlcToBump,
} from "@farwatch/monitor-service/monitor/effect";
import { spendFailure } from "@farwatch/monitor-service/tx/testing/script-check";
import { seedSigner } from "../channel/seed-signer.js";
import { DEFAULT_SEEDS } from "../channel/setup.js";
import { secretNamed } from "../channel/test-channel.js";
import { COIN_SAT, coinNamed, fundedWith, planFeeSat } from "./fake-fee-wallet.js";
import { feerates, protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { pay, type Payment } from "./scenario.js";

const TYPES = ["anchors_zero_fee_htlc", "zero_fee_commitments"] as const;

const theirs = (sats: readonly number[]): readonly Payment[] =>
  sats.map((value, index) => ({ from: "counterparty", sat: value, name: `theirs ${index}` }));

/** Our commitment with received HTLCs whose preimages are known, broadcast and not confirmed. */
async function closing(sats: readonly number[], channelType: ChannelType = TYPES[0]) {
  const p = await protectedChannel({ channelType });
  const htlcs = await pay(p, ...theirs(sats));
  for (const [index, { source }] of htlcs.entries()) {
    p.learn(secretNamed(`theirs ${index}`).preimage, source.sourceKey);
  }
  await p.channel.forceClose("holder", true);
  return p;
}

async function closed(sats: readonly number[], channelType: ChannelType = TYPES[0]) {
  const p = await closing(sats, channelType);
  p.minePublished("holderCommitment");
  return p;
}

function commitmentRequest(p: ProtectedChannel): CommitmentBump {
  const [request] = bumpRequests(p.ctx, p.state);
  assert.ok(request?.kind === "commitment");
  return request;
}

function htlcRequest(p: ProtectedChannel): HtlcBump {
  const [request] = bumpRequests(p.ctx, p.state);
  assert.ok(request?.kind === "htlcs");
  return request;
}

const planOf = (request: HtlcBump): BumpPlan =>
  must(batchPlan(request, request.htlcs), "worth a fee");

/** Completes with wallet coins, signs as the shell does, and runs the script of each of our inputs. */
function assertSpends(p: ProtectedChannel, plan: BumpPlan, feeSat: bigint): Transaction {
  const coins = [coinNamed(0), coinNamed(1)];
  const done = completeBump(plan, fundedWith(plan, feeSat, coins));
  assert.ok(done.ok, done.ok ? "" : done.error);
  const { tasks, finish, txid, spends, role } = done.value;
  assert.equal(role, plan.role);
  const ours = plan.inputs.map(({ outpoint }) => outpoint);
  assert.deepEqual(spends.map(outpointKey), [...ours, ...coins].map(outpointKey));
  const signer = seedSigner(p.ctx.curve, DEFAULT_SEEDS.holder);
  const tx = Transaction.fromBuffer(finish(signer.sign(p.state.parameters.channelKeysId, tasks)));
  assert.equal(tx.getId(), txid);
  for (const [index, { scriptPubkey, valueSat, sequence, inputWeight }] of plan.inputs.entries()) {
    if (tasks.length > 0) {
      const prevout = { script: scriptPubkey, value: valueSat };
      assert.equal(spendFailure(tx, index, prevout), undefined, `input ${index}`);
    }
    assert.equal(tx.ins[index]?.sequence, sequence);
    const weight = 4 * 41 + witnessBytes(tx, index);
    assert.ok(weight <= inputWeight && inputWeight < weight + 8, `${weight} of ${inputWeight}`);
  }
  return tx;
}

/** Items are shorter than 253 bytes. */
const witnessBytes = (tx: Transaction, index: number): number =>
  must(tx.ins[index], "input").witness.reduce((sum, item) => sum + 1 + item.length, 1);

for (const channelType of TYPES) {
  describe(`monitor core: the child of our ${channelType} commitment`, () => {
    it("spends the anchor, pays for both, and may be replaced", async () => {
      const p = await closing([30_000], channelType);
      p.feerates = feerates(2_000);
      p.mine();
      const request = commitmentRequest(p);
      const plan = must(childPlan(request), "worth a fee");
      const tx = assertSpends(p, plan, planFeeSat(plan));
      const zeroFee = channelType === "zero_fee_commitments";
      assert.equal(tx.version, zeroFee ? 3 : 2);
      assert.equal(tx.ins[0]?.sequence, 0xfffffffd);
      const [, ...coins] = tx.ins;
      const spent = must(request.anchor, "anchor").valueSat + COIN_SAT * BigInt(coins.length);
      const fee = spent - tx.outs.reduce((sum, { value }) => sum + value, 0n);
      const together = Number(request.commitmentFeeSat + fee) * 1000;
      const rate = together / (request.commitmentWeight + tx.weight());
      const target = request.targetFeerate;
      assert.ok(rate >= target && rate < target * 1.05, `${rate} sat per 1000 weight units`);
      assert.equal(plan.maxWeight, zeroFee ? 4_000 : 400_000);
    });

    it("is not made when the wallet's limit on weight or fee is passed", async () => {
      const p = await closing([30_000], channelType);
      p.mine();
      const plan = must(childPlan(commitmentRequest(p)), "worth a fee");
      const exactly = plan.maxFeeSat;
      assertSpends(p, plan, exactly);
      const dear = completeBump(plan, fundedWith(plan, exactly + 1n, [coinNamed(0)]));
      assert.deepEqual(dear, { ok: false, error: "feeTooHigh" });
      const coins = Array.from({ length: 14 }, (_, vout) => coinNamed(vout));
      const heavy = completeBump(plan, fundedWith(plan, 1_000n, coins));
      const zeroFee = channelType === "zero_fee_commitments";
      assert.equal(heavy.ok ? "" : heavy.error, zeroFee ? "tooHeavy" : "");
    });
  });
}

describe("monitor core: when a commitment gets a child", () => {
  it("not while its own feerate is enough", async () => {
    const p = await closing([30_000]);
    const { commitmentFeeSat, commitmentWeight } = commitmentRequest(p);
    const own = Number((commitmentFeeSat * 1000n) / BigInt(commitmentWeight));
    const asking = (rate: number) => ({
      ...commitmentRequest(p),
      targetFeerate: feeratePerKw(rate),
    });
    assert.equal(childPlan(asking(own)), undefined);
    assert.ok(childPlan(asking(own + 1)) !== undefined);
  });

  it("at most at the feerate that what is at stake allows, and not for nothing", async () => {
    const p = await closing([30_000]);
    const request = { ...commitmentRequest(p), targetFeerate: feeratePerKw(1_000_000) };
    const few = must(childPlan({ ...request, maxFeeSat: sat(2_000) }), "worth a fee");
    assert.ok(planFeeSat(few) <= 2_000n && planFeeSat(few) > 1_990n);
    assert.equal(childPlan({ ...request, maxFeeSat: sat(0) }), undefined);
    assert.equal(childPlan({ ...request, anchor: undefined }), undefined);
  });

  it("at most at the operator's highest feerate", async () => {
    const p = await closing([30_000]);
    p.feerates = feerates(30_000);
    p.mine();
    const ctx = { ...p.ctx, maxFeerate: feeratePerKw(10_000) };
    assert.equal(bumpRequests(ctx, p.state)[0]?.targetFeerate, 10_000);
    p.minePublished("holderCommitment");
    assert.equal(bumpRequests(ctx, p.state)[0]?.targetFeerate, 10_000);
  });
});

for (const channelType of TYPES) {
  describe(`monitor core: second stages of ${channelType} in one transaction`, () => {
    it("stand with their outputs at one index, and spend", async () => {
      const p = await closed([30_000, 20_000, 40_000], channelType);
      const request = htlcRequest(p);
      const plan = planOf(request);
      const tx = assertSpends(p, plan, planFeeSat(plan));
      for (const [index, { input, output }] of request.htlcs.entries()) {
        assert.equal(tx.ins[index]?.index, input.outpoint.vout);
        assert.equal(tx.outs[index]?.value, output.valueSat);
        assert.equal(input.valueSat, output.valueSat, "the HTLC pays nothing");
      }
      assert.equal(tx.locktime, 0);
      assert.equal(tx.version, channelType === "zero_fee_commitments" ? 3 : 2);
      const half = (30_000n + 20_000n + 40_000n) / 2n;
      assert.equal(plan.maxFeeSat, half);
      assertSpends(p, plan, half);
      const dear = completeBump(plan, fundedWith(plan, half + 1n, [coinNamed(0)]));
      assert.deepEqual(dear, { ok: false, error: "feeTooHigh" });
    });
  });
}

describe("monitor core: which second stages share a transaction", () => {
  const values = (groups: readonly (readonly HtlcToBump[])[]) =>
    groups.map((group) => group.map(({ output }) => Number(output.valueSat)));
  const never = () => false;
  const at = (request: HtlcBump, rate: number): HtlcBump => ({
    ...request,
    targetFeerate: feeratePerKw(rate),
  });

  it("all that bear the feerate, the most valuable first; the others alone", async () => {
    const p = await closed([30_000, 5_000, 40_000]);
    const request = htlcRequest(p);
    assert.deepEqual(values(htlcBatches(at(request, 2_000), request.htlcs, never)), [
      [40_000, 30_000, 5_000],
    ]);
    // 2,500 sat for 663 weight units are 3,770 sat per 1000.
    assert.deepEqual(values(htlcBatches(at(request, 3_770), request.htlcs, never)), [
      [40_000, 30_000, 5_000],
    ]);
    const dear = at(request, 3_771);
    assert.deepEqual(values(htlcBatches(dear, request.htlcs, never)), [[40_000, 30_000], [5_000]]);
    const small = must(
      request.htlcs.find(({ output }) => output.valueSat === 5_000n),
      "small",
    );
    const plan = must(batchPlan(dear, [small]), "worth a fee");
    // Half of it over 663 and 42, two coins of 273 and change of 172 weight units.
    assert.equal(plan.feeratePerKw, Math.floor((2_500 * 1000) / (663 + 42 + 2 * 273 + 172)));
  });

  it("none that is not worth the lowest feerate", async () => {
    // 253 sat per 1000 weight units of 1423 are 360.02 sat, and half of an HTLC is rounded down.
    for (const [value, count] of [
      [721, 0],
      [722, 1],
    ] as const) {
      const p = await closed([value]);
      const request = htlcRequest(p);
      assert.equal(htlcBatches(request, request.htlcs, never).length, count, `${value} sat`);
    }
  });

  it("apart stands what somebody else spends too", async () => {
    const p = await closed([30_000, 20_000, 40_000]);
    const request = htlcRequest(p);
    const apart = ({ output }: HtlcToBump): boolean => output.valueSat === 30_000n;
    assert.deepEqual(values(htlcBatches(at(request, 500), request.htlcs, apart)), [
      [40_000, 20_000],
      [30_000],
    ]);
  });

  it("as many as the weight limit of the version leaves room for", async () => {
    const p = await closed([30_000]);
    const request = htlcRequest(p);
    const [one] = request.htlcs;
    assert.ok(one !== undefined);
    for (const [version, limit] of [
      [2, MAX_STANDARD_TX_WEIGHT],
      [3, TRUC_MAX_WEIGHT],
    ] as const) {
      const most = Math.floor((limit - COINS_WEIGHT) / pairWeight(one));
      const many = Array.from({ length: most + 1 }, (_, vout) => ({
        ...one,
        input: { ...one.input, outpoint: { ...one.input.outpoint, vout } },
      }));
      const groups = htlcBatches({ ...request, version }, many, never);
      assert.deepEqual(
        groups.map(({ length }) => length),
        [most, 1],
      );
    }
  });

  it("the highest feerate that a batch may pay is half of its value", async () => {
    const p = await closed([30_000, 20_000]);
    const plan = dearest(planOf(htlcRequest(p)));
    assert.ok(planFeeSat(plan) <= 25_000n && planFeeSat(plan) > 24_990n);
  });
});

describe("monitor core: what a wallet changed", () => {
  it("is not signed", async () => {
    const p = await closed([30_000, 20_000]);
    const plan = planOf(htlcRequest(p));
    const at = <T>(items: readonly T[], index: number): T => must(items[index], "item");
    const other = txidToInternal(coinNamed(0).txid);
    const spoilers: readonly [string, (tx: Transaction) => void][] = [
      ["changed", (tx) => void (tx.version = 3)],
      ["changed", (tx) => void (tx.locktime = 1)],
      ["changed", (tx) => void (at(tx.ins, 1).sequence = 0)],
      ["changed", (tx) => void (at(tx.ins, 0).index += 1)],
      ["changed", (tx) => void (at(tx.ins, 1).hash = other)],
      ["changed", (tx) => void (at(tx.ins, 0).script = Uint8Array.of(0x51))],
      ["changed", (tx) => void (at(tx.outs, 1).value -= 1n)],
      ["changed", (tx) => void (at(tx.outs, 0).script = Uint8Array.of(0x51))],
      ["changed", (tx) => void tx.outs.reverse()],
      ["changed", (tx) => void tx.ins.reverse()],
      ["otherInputs", (tx) => void tx.addInput(other, 9)],
      ["otherInputs", (tx) => void tx.ins.pop()],
      ["otherInputs", (tx) => void (at(tx.ins, 2).index = 5)],
      ["unsigned", (tx) => tx.setWitness(2, [])],
      ["overspent", (tx) => void (at(tx.outs, 2).value = COIN_SAT + 1n)],
    ];
    const coins = [coinNamed(0)];
    for (const [error, spoil] of spoilers) {
      const done = completeBump(plan, fundedWith(plan, 1_000n, coins, spoil));
      assert.deepEqual(done, { ok: false, error }, spoil.toString());
    }
    const unreadable = completeBump(plan, { rawTx: Uint8Array.of(1, 2), walletInputs: [] });
    assert.deepEqual(unreadable, { ok: false, error: "unreadable" });
    const good = fundedWith(plan, 1_000n, coins);
    const [coin] = good.walletInputs;
    assert.ok(coin !== undefined);
    const richer = { ...coin, valueSat: sat(COIN_SAT + 25_000n) };
    const dear = completeBump(plan, { ...good, walletInputs: [richer] });
    assert.deepEqual(dear, { ok: false, error: "feeTooHigh" });
    const twice = completeBump(plan, { ...good, walletInputs: [coin, coin] });
    assert.deepEqual(twice, { ok: false, error: "otherInputs" });
  });
});
