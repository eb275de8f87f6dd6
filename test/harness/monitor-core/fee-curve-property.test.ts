/**
 * The fee of a claim over its life (reliability P-9): whatever the estimates do, whichever inputs are
 * spent by others and given back by reorganisations, it never falls while the inputs can pay it, each
 * version can replace the one before (BIP 125), and it is at its highest before the deadline.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import { outpointKey, perCommitmentSecret } from "@farwatch/protocol/ids";
import { addClaims } from "@farwatch/monitor-service/monitor/claims/add-claims";
import { liveInputs } from "@farwatch/monitor-service/monitor/claims/claim-inputs";
import { claimTransaction } from "@farwatch/monitor-service/monitor/claims/claim-tx";
import { nextBump, question, refreshClaims } from "@farwatch/monitor-service/monitor/claims/fees";
import type { Claim, ClaimInput } from "@farwatch/monitor-service/monitor/state";
import { change, startWork, type Work } from "@farwatch/monitor-service/monitor/work";
import { deadlineFeerate, feeAtFeerate } from "@farwatch/monitor-service/tx/fee";
import { NOWHERE } from "../channel/test-channel.js";
import { BASE, feerates, protectedChannel } from "./protected-channel.js";

const RUNS = 150;
const SEED = 20_261_126;
/** bitcoind's incrementalrelayfee, sat per virtual byte of 4 weight units. */
const RULE_4 = (weight: number): bigint => BigInt(Math.ceil(weight / 4));
const MAX_FEERATE = feeratePerKw(100_000);

const START = BASE.height;
const DELAY = 60;
const DEADLINE = START + DELAY;

/** to_local-like inputs: one claim, one deadline. */
const inputOf = (vout: number, valueSat: number): ClaimInput => ({
  kind: "revokedToLocal",
  outpoint: { txid: NOWHERE.txid, vout },
  valueSat: sat(valueSat),
  script: new Uint8Array(77),
  createdAt: START,
  contestedFrom: blockHeight(DEADLINE),
  notBefore: blockHeight(0),
  deadline: blockHeight(DEADLINE),
  secret: perCommitmentSecret(new Uint8Array(32).fill(1)),
});

const block = fc.record({
  estimate: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 3, arbitrary: fc.integer({ min: 253, max: 5_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 253, max: 120_000 }) },
  ),
  /** Spent by somebody when it was not, given back when it was; most blocks touch none. */
  toggles: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.nat(3) },
  ),
});

function toggle(work: Work, vout: number): void {
  const key = outpointKey({ txid: NOWHERE.txid, vout });
  const spends = new Map(work.state.outputSpends);
  const spend = { txid: NOWHERE.txid, height: work.state.best.height, byPreimage: false };
  if (!spends.delete(key)) spends.set(key, spend);
  change(work, { outputSpends: spends });
}

/** The weight its version was chosen for. */
const weightOf = ({ ctx, state }: Work, claim: Claim): number =>
  question(
    ctx,
    state,
    claim.inputs.filter(({ outpoint }) => !claim.leftOut.includes(outpointKey(outpoint))),
  ).weight;

/** What holds between one block and the next. */
function assertStep(work: Work, before: Claim, after: Claim): void {
  const { ctx, state } = work;
  if (before.feeratePerKw === undefined || after.feeSat === undefined) return;
  const rate = must(after.feeratePerKw, "a version has a feerate");
  assert.ok(rate <= MAX_FEERATE, "the operator's limit");
  const live = liveInputs(state, after);
  if (live.length === 0) return;
  const asked = question(ctx, state, live);
  const carried = feeAtFeerate(before.feeratePerKw, asked.weight);
  const canPay = asked.valueSat - carried.feeSat >= asked.dustLimitSat;
  if (canPay) assert.ok(rate >= before.feeratePerKw, `${before.feeratePerKw} -> ${rate}`);
  assert.ok(asked.valueSat - after.feeSat >= asked.dustLimitSat, "no dust");
  const isVoid = after.leftOut.some((key) => !before.leftOut.includes(key));
  if (before.feeSat === undefined || isVoid || before.feeSat === after.feeSat) return;
  const least = before.feeSat + RULE_4(weightOf(work, after));
  assert.ok(after.feeSat >= least, `${before.feeSat} -> ${after.feeSat}: BIP 125`);
}

/** Highest that an estimate may pay, unless a replacement would need more than there is. */
function assertAtTop(work: Work, claim: Claim): void {
  const inputs = liveInputs(work.state, claim);
  if (inputs.length === 0 || claim.feeSat === undefined) return;
  const asked = question(work.ctx, work.state, inputs);
  const top = deadlineFeerate(asked, 0);
  const rate = must(claim.feeratePerKw, "feerate");
  const step = feeAtFeerate(feeratePerKw(253), asked.weight).feeSat;
  const isNext = claim.feeSat + step > feeAtFeerate(top, asked.weight).feeSat;
  assert.ok(rate >= top || isNext, `${rate} < ${top}`);
}

describe("monitor core: the fee of a claim over its life", function () {
  this.timeout(30_000);

  it("never falls, can always be a replacement, and is highest before the deadline", async () => {
    const p = await protectedChannel();
    const ctx = { ...p.ctx, maxFeerate: MAX_FEERATE };
    let raises = 0;
    let regrouped = 0;
    let tops = 0;
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 600, max: 400_000 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 0, max: DELAY - 3 }),
        fc.array(block, { minLength: DELAY, maxLength: DELAY }),
        (values, opened, blocks) => {
          const work = startWork(ctx, p.state);
          const at = (height: number): void =>
            change(work, {
              best: { height: blockHeight(height), hash: blockHash("0c".repeat(32)) },
            });
          at(START + opened);
          change(work, { feerates: feerates(1_000) });
          addClaims(
            work,
            values.map((value, vout) => inputOf(vout, value)),
          );
          const claims = (): readonly Claim[] => work.state.claims;
          for (let height = START + opened + 1; height < DEADLINE; height++) {
            const { estimate, toggles } = must(blocks[height - START], "block");
            const before = claims();
            at(height);
            if (estimate !== undefined) change(work, { feerates: feerates(estimate) });
            if (toggles !== undefined && toggles < values.length) toggle(work, toggles);
            refreshClaims(work);
            for (const [index, claim] of claims().entries()) {
              const was = must(before[index], "the same claims");
              assertStep(work, was, claim);
              if (claim.feeSat !== was.feeSat) raises++;
              if (claim.leftOut !== was.leftOut) regrouped++;
              const publish = claimTransaction(work.state, claim);
              const live = liveInputs(work.state, claim);
              if (publish !== undefined) assert.equal(publish.spends.length, live.length);
              // Two blocks before the deadline what is offered can confirm in the last block before it.
              if (height !== DEADLINE - 2 && height !== DEADLINE - 1) continue;
              assertAtTop(work, claim);
              tops++;
            }
          }
        },
      ),
      { numRuns: RUNS, seed: SEED },
    );
    assert.ok(raises > RUNS && regrouped > RUNS && tops > RUNS, `${raises} ${regrouped} ${tops}`);
  });

  it("asks for more, and sooner, the nearer the deadline is", () => {
    const asked = {
      estimate: feeratePerKw(253),
      weight: 700,
      valueSat: sat(100_000),
      dustLimitSat: sat(330),
      highest: MAX_FEERATE,
    };
    fc.assert(
      fc.property(fc.integer({ min: -5, max: 200 }), fc.nat(50), (near, farther) => {
        const far = near + farther;
        assert.ok(deadlineFeerate(asked, near) >= deadlineFeerate(asked, far));
        const height = blockHeight(700);
        assert.ok(nextBump(height, height + near) <= nextBump(height, height + far));
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });
});
