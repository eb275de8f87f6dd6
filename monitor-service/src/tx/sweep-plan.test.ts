import assert from "node:assert/strict";
import fc from "fast-check";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta } from "@farwatch/protocol/block";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { outpointKey, txid } from "@farwatch/protocol/ids";
import { toLocalScript } from "@farwatch/protocol/bolt/scripts";
import { claimWeight } from "./claim.js";
import { FEERATE_FLOOR } from "./fee.js";
import {
  dueSweeps,
  firstVersion,
  isWorthSweeping,
  MAX_SWEEP_INPUTS,
  nextVersion,
  SWEEP_BUMP_BLOCKS,
  sweepTx,
  type Candidate,
  type Sweep,
  type SweepMoment,
} from "./sweep-plan.js";

const point = nobleCurve.publicKey(new Uint8Array(32).fill(3));
const witnessScript = toLocalScript(point, blockDelta(144), point);
const script = Uint8Array.from([0, 20, ...new Uint8Array(20).fill(1)]);

const candidate = (n: number, valueSat: number | bigint, matureAt = 100): Candidate => ({
  matureAt,
  input: {
    kind: "delayedOutput",
    outpoint: { txid: txid(n.toString(16).padStart(64, "0")), vout: 0 },
    valueSat: sat(valueSat),
    contestDelay: blockDelta(144),
    witnessScript,
  },
});
const at = (height: number, estimate = 1_000, highest?: number): SweepMoment => ({
  height,
  estimate: feeratePerKw(estimate),
  highest: highest === undefined ? undefined : feeratePerKw(highest),
});
const keys = (group: readonly Candidate[]) => group.map(({ input }) => outpointKey(input.outpoint));
const first = (group: readonly Candidate[], moment: SweepMoment): Sweep =>
  must(firstVersion(1, script, group, moment), "a first version");
const spent = (sweep: Sweep, group: readonly Candidate[]): bigint => {
  const out = must(sweepTx(sweep, group).outs[0], "output").value;
  return group.reduce((sum, { input }) => sum + input.valueSat, 0n) - out;
};

describe("sweep plan", () => {
  it("lets outputs wait for company, at most as long as told", () => {
    const group = [candidate(1, 50_000, 100), candidate(2, 50_000, 105)];
    assert.deepEqual(dueSweeps(group, at(108), 10), []);
    assert.deepEqual(dueSweeps(group, at(109), 10), [group]);
    assert.deepEqual(dueSweeps([candidate(1, 50_000, 100)], at(100), 1).length, 1);
    assert.deepEqual(dueSweeps([], at(500), 1), []);
  });

  it("leaves out what would pay more than half of itself, until fees fall", () => {
    // 41 bytes outside and 154 weight units in the witness: 318 weight units.
    const poor = candidate(1, 635);
    const rich = candidate(2, 636);
    assert.equal(isWorthSweeping(poor.input, feeratePerKw(1_000)), false);
    assert.equal(isWorthSweeping(rich.input, feeratePerKw(1_000)), true);
    assert.deepEqual(dueSweeps([poor, rich], at(500), 1), [[rich]]);
    assert.deepEqual(dueSweeps([poor, rich], at(500, 999), 1), [[poor, rich]]);
  });

  it("puts at most so many outputs into one transaction", () => {
    const many = Array.from({ length: MAX_SWEEP_INPUTS + 1 }, (_, n) => candidate(n, 50_000));
    const groups = dueSweeps(many, at(500), 1);
    assert.deepEqual(
      groups.map((group) => group.length),
      [MAX_SWEEP_INPUTS, 1],
    );
    const inputs = must(groups[0], "the full one").map(({ input }) => input);
    // Delayed outputs have the longest witnesses; bitcoind relays up to 400,000.
    assert.ok(Math.abs(claimWeight(inputs, script) - 64_000) < 1_000, "as the limit says");
  });

  it("pays the estimate first, a quarter more at every bump, and the estimate when that is higher", () => {
    const group = [candidate(1, 90_000), candidate(2, 90_000)];
    const one = first(group, at(500));
    assert.equal(one.feeratePerKw, 1_000);
    assert.deepEqual(one.spends, keys(group));
    assert.equal(nextVersion(one, group, at(500 + SWEEP_BUMP_BLOCKS - 1)), undefined);
    const two = must(nextVersion(one, group, at(500 + SWEEP_BUMP_BLOCKS)), "a bump");
    // BIP 125's increment of 253 is more than a quarter here.
    assert.ok(two.feeratePerKw > 1_250 && two.feeratePerKw <= 1_253);
    assert.equal(two.txids.length, 2);
    assert.equal(two.txids[0], one.txids[0]);
    const three = must(nextVersion(two, group, at(600, 9_000)), "a bump");
    assert.equal(three.feeratePerKw, 9_000);
    const four = must(nextVersion(three, group, at(700)), "a bump");
    assert.equal(four.feeratePerKw, 11_250);
  });

  it("stops at the operator's highest feerate and keeps the newest version", () => {
    const group = [candidate(1, 90_000)];
    let sweep = first(group, at(500, 1_000, 2_000));
    for (let height = 512; height < 700; height += SWEEP_BUMP_BLOCKS) {
      sweep = nextVersion(sweep, group, at(height, 1_000, 2_000)) ?? sweep;
    }
    assert.ok(sweep.feeratePerKw > 1_900 && sweep.feeratePerKw <= 2_000);
    assert.equal(nextVersion(sweep, group, at(900, 5_000, 2_000)), undefined);
  });

  it("goes on without what somebody else spent, at no lower feerate", () => {
    const group = [candidate(1, 90_000), candidate(2, 90_000), candidate(3, 90_000)];
    const one = first(group, at(500, 4_000));
    const left = group.slice(1);
    const two = must(nextVersion(one, left, at(501)), "another composition, at once");
    assert.deepEqual(two.spends, keys(left));
    assert.deepEqual(two.inputs, keys(group), "what it was made for is not forgotten");
    assert.equal(two.feeratePerKw, 4_000);
    const three = must(nextVersion(two, group, at(502)), "a reorganisation gave it back");
    assert.deepEqual(three.spends, keys(group));
    assert.ok(three.feeSat >= two.feeSat + 253n, "it replaces the one that may be in mempools");
    assert.equal(nextVersion(three, [], at(503)), undefined);
  });

  it("builds the same transaction again, and says its txid", () => {
    const group = [candidate(1, 90_000), candidate(2, 40_000)];
    const sweep = first(group, at(500));
    const tx = sweepTx(sweep, group);
    assert.equal(tx.getId(), sweep.txids.at(-1));
    assert.deepEqual(tx.toBuffer(), sweepTx(sweep, group).toBuffer());
    assert.equal(tx.locktime, 500);
    assert.equal(tx.outs.length, 1);
  });

  it("never leaves dust, never pays below the floor or above the value (property)", () => {
    const values = fc.array(fc.bigInt({ min: 330n, max: 200_000n }), {
      minLength: 1,
      maxLength: 8,
    });
    const estimate = fc.integer({ min: 1, max: 50_000 });
    fc.assert(
      fc.property(values, estimate, fc.array(estimate, { maxLength: 6 }), (amounts, now, later) => {
        const group = amounts.map((value, n) => candidate(n, value));
        let sweep = firstVersion(1, script, group, at(100, now));
        let height = 100;
        for (const next of later) {
          if (sweep === undefined) return;
          height += SWEEP_BUMP_BLOCKS;
          const bumped = nextVersion(sweep, group, at(height, next));
          if (bumped === undefined) continue;
          const weight = claimWeight(
            group.map(({ input }) => input),
            script,
          );
          const increment = (BigInt(weight) * 253n) / 1_000n;
          assert.ok(bumped.feeSat >= sweep.feeSat + increment, "BIP 125 rule 4");
          sweep = bumped;
        }
        if (sweep === undefined) return;
        assert.equal(spent(sweep, group), sweep.feeSat);
        assert.ok(must(sweepTx(sweep, group).outs[0], "output").value >= 294n);
        assert.ok(sweep.feeratePerKw >= FEERATE_FLOOR);
      }),
      { numRuns: 200 },
    );
  });
});
