/** Fees of claims: first choice, bumps, and where a claim stops being worth a transaction. */
import assert from "node:assert/strict";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import {
  FEERATE_FLOOR,
  bumpFee,
  carriedFee,
  chooseFirstFee,
  deadlineFeerate,
  dustLimitSat,
  feeAtFeerate,
  type FeeChoice,
  type FeeQuestion,
} from "./fee.js";

const DUST = sat(294);
const question = (estimate: number, valueSat: number, weight = 1000): FeeQuestion => ({
  estimate: feeratePerKw(estimate),
  weight,
  valueSat: sat(valueSat),
  dustLimitSat: DUST,
});
const choice = (feeSat: number, feerate: number): FeeChoice => ({
  feeSat: sat(feeSat),
  feeratePerKw: feeratePerKw(feerate),
});

describe("first fee of a claim", () => {
  it("is the estimate, at least the floor", () => {
    assert.deepEqual(chooseFirstFee(question(2000, 100_000)), choice(2000, 2000));
    assert.deepEqual(chooseFirstFee(question(0, 100_000)), choice(253, 253));
    assert.deepEqual(chooseFirstFee(question(252, 100_000)), choice(253, 253));
    assert.deepEqual(chooseFirstFee(question(254, 100_000, 617)), choice(156, 254));
  });

  it("is at most half of the value", () => {
    assert.deepEqual(chooseFirstFee(question(50_000, 100_000)), choice(50_000, 50_000));
    assert.deepEqual(chooseFirstFee(question(50_001, 100_000)), choice(50_000, 50_000));
    assert.deepEqual(chooseFirstFee(question(0xffffffff, 100_000)), choice(50_000, 50_000));
  });

  it("is not chosen when half of the value is below the floor", () => {
    // The floor costs 253 satoshis at this weight; half of 506 is exactly that.
    const rich = { ...question(253, 506), dustLimitSat: sat(0) };
    assert.deepEqual(chooseFirstFee(rich), choice(253, 253));
    assert.equal(chooseFirstFee({ ...rich, valueSat: sat(505) }), undefined);
  });

  it("leaves an output at the dust limit and never below it", () => {
    // Half of 560 is 280: the output would be 280, so the fee gives way to the dust limit.
    const lowered = must(chooseFirstFee(question(1000, 560)), "worth it");
    assert.deepEqual(lowered, choice(266, 266));
    assert.deepEqual(chooseFirstFee(question(1000, 547)), choice(253, 253));
    assert.equal(chooseFirstFee(question(1000, 546)), undefined);
    // 156 satoshis are 252.8 sat/kw at 617 WU: they count as the rate that was asked for.
    assert.deepEqual(chooseFirstFee(question(254, 450, 617)), choice(156, 254));
    assert.deepEqual(chooseFirstFee(question(300, 450, 617)), choice(156, 253));
    assert.equal(chooseFirstFee(question(1000, 0)), undefined);
  });
});

describe("fee of a replacement", () => {
  const first = choice(2000, 2000);

  it("follows a higher estimate", () => {
    for (const strategy of ["force", "highest"] as const) {
      assert.deepEqual(bumpFee(question(3000, 100_000), first, strategy), choice(3000, 3000));
    }
  });

  it("rises by a quarter when forced and the estimate is not higher", () => {
    assert.deepEqual(bumpFee(question(253, 100_000), first, "force"), choice(2500, 2500));
    assert.deepEqual(bumpFee(question(2000, 100_000), first, "force"), choice(2500, 2500));
    assert.equal(bumpFee(question(253, 100_000), first, "highest"), first);
    assert.equal(bumpFee(question(3000, 100_000), first, "retry"), first);
  });

  it("pays at least the previous fee and 253 sat/kw of its own (BIP 125)", () => {
    assert.deepEqual(bumpFee(question(2001, 100_000), first, "force"), choice(2253, 2253));
    assert.deepEqual(bumpFee(question(2252, 100_000), first, "highest"), choice(2253, 2253));
    assert.deepEqual(bumpFee(question(2254, 100_000), first, "force"), choice(2254, 2254));
    const low = choice(253, 253);
    assert.deepEqual(bumpFee(question(253, 100_000), low, "force"), choice(506, 506));
  });

  it("may take more than half of the value, down to exactly the dust limit", () => {
    const at = (value: number) => bumpFee(question(253, value), choice(2000, 2000), "force");
    assert.deepEqual(at(2500 + 294), choice(2500, 2500));
    assert.deepEqual(at(2500 + 293), choice(2499, 2499));
    assert.deepEqual(at(2253 + 294), choice(2253, 2253));
    assert.equal(at(2253 + 293), undefined, "too little for a replacement");
  });

  it("always grows until nothing is left", () => {
    const asked = question(1000, 9000, 617);
    let current = must(chooseFirstFee(asked), "first");
    for (let rounds = 0; rounds < 100; rounds++) {
      const next = bumpFee(asked, current, "force");
      if (next === undefined) break;
      assert.ok(next.feeSat >= current.feeSat + 156n, "BIP 125 increment");
      assert.ok(next.feeratePerKw > current.feeratePerKw);
      assert.ok(asked.valueSat - next.feeSat >= DUST);
      current = next;
    }
    assert.ok(asked.valueSat - current.feeSat < DUST + 156n, "nothing is left to add");
    assert.equal(bumpFee(asked, current, "force"), undefined);
  });

  it("is refused when the inputs left cannot pay the previous fee", () => {
    assert.equal(bumpFee(question(253, 2293), first, "retry"), undefined);
    assert.equal(bumpFee(question(253, 2294), first, "retry"), first);
  });

  it("stays where it is when the same estimate is given again", () => {
    const asked = question(2500, 100_000, 617);
    const raised = must(bumpFee(asked, choice(617, 1000), "highest"), "raised");
    assert.deepEqual(raised, choice(1542, 2500));
    assert.equal(bumpFee(asked, raised, "highest"), raised);
  });

  it("is at least what a deadline asks for", () => {
    const least = (rate: number) =>
      bumpFee(question(253, 100_000), first, "highest", feeratePerKw(rate));
    assert.equal(least(2000), first);
    assert.deepEqual(least(2100), choice(2253, 2253));
    assert.deepEqual(least(9000), choice(9000, 9000));
  });

  it("is not chosen while even the floor is uneconomic", () => {
    assert.equal(bumpFee(question(253, 500), choice(100, 253), "force"), undefined);
  });
});

describe("the operator's limit", () => {
  const limited = (estimate: number, highest: number) => ({
    ...question(estimate, 100_000),
    highest: feeratePerKw(highest),
  });

  it("caps first fees and bumps, and never lowers what was paid before", () => {
    assert.deepEqual(chooseFirstFee(limited(5000, 3000)), choice(3000, 3000));
    const at = (previous: number, estimate = 253) =>
      bumpFee(limited(estimate, 3000), choice(previous, previous), "force");
    assert.deepEqual(at(2000, 5000), choice(3000, 3000));
    assert.deepEqual(at(2700), choice(3000, 3000));
    assert.equal(at(2748), undefined, "a replacement would have to pay 3001");
    assert.equal(at(3000), undefined);
    assert.equal(at(4000), undefined);
    assert.deepEqual(
      bumpFee(limited(5000, 3000), choice(4000, 4000), "highest"),
      choice(4000, 4000),
    );
  });
});

describe("fee as a deadline nears", () => {
  it("is half of the value, or the limit, two blocks before; half of that for each block more", () => {
    const asked = question(253, 64_000);
    const at = (blocksLeft: number) => deadlineFeerate(asked, blocksLeft);
    assert.deepEqual(
      [-5, 0, 1, 2, 3, 4, 7].map(at),
      [32_000, 32_000, 32_000, 32_000, 16_000, 8_000, 1_000],
    );
    assert.equal(at(Number.POSITIVE_INFINITY), 0);
    assert.equal(deadlineFeerate({ ...asked, highest: feeratePerKw(5_000) }, 3), 2_500);
  });
});

describe("fee of a claim with other inputs than before", () => {
  const carried = (valueSat: number, rate: number, standing: number, estimate = 253) =>
    carriedFee(question(estimate, valueSat, 500), feeratePerKw(rate), sat(standing));

  it("keeps the feerate, or follows a higher estimate", () => {
    assert.deepEqual(carried(100_000, 2000, 0), choice(1000, 2000));
    assert.deepEqual(carried(100_000, 2000, 0, 3000), choice(1500, 3000));
    assert.deepEqual(feeAtFeerate(feeratePerKw(2000), 500), choice(1000, 2000));
  });

  it("pays half of the value when the inputs left cannot pay it", () => {
    assert.deepEqual(carried(1294, 2000, 0), choice(1000, 2000));
    assert.deepEqual(carried(1293, 2000, 0), choice(646, 1292));
    assert.equal(carried(250, 2000, 0), undefined);
  });

  it("pays for what it replaces, down to dust", () => {
    assert.deepEqual(carried(100_000, 2000, 874), choice(1000, 2000));
    assert.deepEqual(carried(100_000, 2000, 875), choice(1001, 2002));
    assert.deepEqual(carried(1293, 2000, 700), choice(999, 1998));
    assert.deepEqual(carried(1293, 2000, 873), choice(999, 1998));
    assert.equal(carried(1293, 2000, 874), undefined);
  });
});

describe("dust limit of an output script", () => {
  it("is the one of BOLT 3 for each form", () => {
    const limits: readonly [string, bigint][] = [
      [`0014${"11".repeat(20)}`, 294n],
      [`0020${"11".repeat(32)}`, 330n],
      [`5120${"11".repeat(32)}`, 330n],
      [`a914${"11".repeat(20)}87`, 540n],
      [`76a914${"11".repeat(20)}88ac`, 546n],
      [`6002${"11".repeat(2)}`, 354n],
      [`5128${"11".repeat(40)}`, 354n],
      ["6a", 546n],
      ["", 546n],
    ];
    for (const [script, limit] of limits) {
      assert.equal(dustLimitSat(fromHex(script)), limit, script);
    }
  });
  it("goes with a floor of 1 sat/vB rounded up", () => {
    assert.equal(FEERATE_FLOOR, 253);
  });
});
