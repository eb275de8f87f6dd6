/** BOLT 3 Appendix A numbers, the fee example of "Fee Calculation", and the dust boundary. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, msat, sat, type FeeratePerKw } from "@farwatch/protocol/amount";
import { appendixC, appendixF } from "./bolt3-vectors.test.js";
import type { ChannelType } from "@farwatch/protocol/bolt/channel-type";
import {
  DELAYED_OUTPUT_WITNESS,
  HTLC_OUTPUT_WEIGHT,
  REVOKED_TO_LOCAL_WITNESS,
  commitmentFeeSat,
  commitmentWeight,
  counterpartyOfferedWitness,
  counterpartyReceivedWitness,
  feeForWeight,
  htlcFeeSat,
  isTrimmed,
  revokedHtlcWitness,
  secondStageWeight,
  toRemoteWitness,
  trimThresholdSat,
} from "@farwatch/protocol/bolt/weights";

const PLAIN: ChannelType = "static_remote_key";
const ANCHORS: ChannelType = "anchors_zero_fee_htlc";

describe("weights", () => {
  it("are those of BOLT 3 Appendix A", () => {
    assert.equal(commitmentWeight(PLAIN, 0), 724);
    assert.equal(commitmentWeight(ANCHORS, 0), 1124);
    assert.equal(HTLC_OUTPUT_WEIGHT, 172);
    assert.equal(commitmentWeight(PLAIN, 483), 724 + 172 * 483);
    assert.equal(secondStageWeight(PLAIN, true), 663);
    assert.equal(secondStageWeight(ANCHORS, true), 666);
    assert.equal(secondStageWeight(PLAIN, false), 703);
    assert.equal(secondStageWeight(ANCHORS, false), 706);
  });

  it("of claims are those of onchain-engine 2.5", () => {
    assert.equal(REVOKED_TO_LOCAL_WITNESS, 155);
    assert.equal(DELAYED_OUTPUT_WITNESS, 154);
    assert.equal(revokedHtlcWitness(PLAIN, true), 1 + 1 + 73 + 1 + 33 + 1 + 133);
    assert.equal(revokedHtlcWitness(PLAIN, false), 1 + 1 + 73 + 1 + 33 + 1 + 139);
    assert.equal(counterpartyOfferedWitness(PLAIN), 1 + 1 + 73 + 1 + 32 + 1 + 133);
    assert.equal(counterpartyReceivedWitness(PLAIN), 1 + 1 + 73 + 1 + 1 + 1 + 139);
    assert.equal(revokedHtlcWitness(ANCHORS, true), revokedHtlcWitness(PLAIN, true) + 3);
    assert.equal(revokedHtlcWitness(ANCHORS, false), revokedHtlcWitness(PLAIN, false) + 3);
    assert.equal(counterpartyOfferedWitness(ANCHORS), counterpartyOfferedWitness(PLAIN) + 3);
    assert.equal(counterpartyReceivedWitness(ANCHORS), counterpartyReceivedWitness(PLAIN) + 3);
    assert.equal(toRemoteWitness(PLAIN), 109);
    assert.equal(toRemoteWitness(ANCHORS), 113);
  });

  it("are never below the weight of a transaction of appendices C and F", () => {
    for (const vector of appendixC.cases) {
      const weight = Transaction.fromHex(vector.commitmentTx).weight();
      assert.ok(weight <= commitmentWeight(PLAIN, vector.htlcTxs.length), vector.name);
      for (const htlc of vector.htlcTxs) {
        const expected = secondStageWeight(PLAIN, htlc.kind === "timeout");
        assert.ok(Transaction.fromHex(htlc.tx).weight() <= expected);
      }
    }
    for (const vector of appendixF.cases) {
      const weight = Transaction.fromHex(vector.expectedCommitmentTxHex).weight();
      assert.ok(weight <= commitmentWeight(ANCHORS, vector.htlcDescs.length), vector.name);
    }
  });

  it("give the base fees that appendix C prints", () => {
    for (const vector of appendixC.cases) {
      if (vector.baseFeeSat === undefined) continue;
      const feerate = feeratePerKw(vector.feeratePerKw);
      const fee = commitmentFeeSat(PLAIN, feerate, vector.htlcTxs.length);
      assert.equal(fee, BigInt(vector.baseFeeSat), vector.name);
    }
  });

  it("give the fees of the BOLT 3 example: 5000 sat/kw, dust limit 546", () => {
    const feerate = feeratePerKw(5000);
    assert.equal(htlcFeeSat(PLAIN, true, feerate), 3315n);
    assert.equal(htlcFeeSat(PLAIN, false, feerate), 3515n);
    const trimmed = [
      { offered: true, amountMsat: msat(5_000_000) },
      { offered: true, amountMsat: msat(1_000_000) },
      { offered: false, amountMsat: msat(7_000_000) },
      { offered: false, amountMsat: msat(800_000) },
    ].map((htlc) => isTrimmed(PLAIN, htlc, feerate, sat(546)));
    assert.deepEqual(trimmed, [false, true, false, true]);
    assert.equal(commitmentFeeSat(PLAIN, feerate, 2), 5340n);
  });

  it("round fees down", () => {
    assert.equal(feeForWeight(feeratePerKw(999), 1), 0n);
    assert.equal(feeForWeight(feeratePerKw(1000), 1), 1n);
    assert.equal(feeForWeight(feeratePerKw(0xffffffff), 400_000), 1717986918000n);
  });

  it("keep an HTLC exactly at the threshold and trim it one millisatoshi below", () => {
    const dust = sat(546);
    const types: readonly [ChannelType, FeeratePerKw][] = [
      [PLAIN, feeratePerKw(253)],
      [PLAIN, feeratePerKw(0)],
      [ANCHORS, feeratePerKw(5000)],
    ];
    for (const offered of [true, false]) {
      for (const [type, feerate] of types) {
        const threshold = trimThresholdSat(type, offered, feerate, dust);
        const at = (amount: bigint): boolean =>
          isTrimmed(type, { offered, amountMsat: msat(amount) }, feerate, dust);
        assert.equal(at(threshold * 1000n), false);
        assert.equal(at(threshold * 1000n - 1n), true);
        assert.equal(at(threshold * 1000n + 999n), false);
      }
    }
    assert.equal(trimThresholdSat(PLAIN, true, feeratePerKw(253), dust), 546n + 167n);
    assert.equal(trimThresholdSat(ANCHORS, true, feeratePerKw(253), dust), 546n);
  });
});
