/** The obscured number of BOLT 3 appendix C, as its transactions carry it, and the limits. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { commitmentNumber } from "@farwatch/protocol/ids";
import { appendixC, appendixF, keyC } from "./bolt3-vectors.test.js";
import {
  MAX_COMMITMENT_INDEX,
  commitmentIndex,
  commitmentNumberOfIndex,
  decodeCommitmentNumber,
  encodeCommitmentNumber,
  obscureFactor,
} from "@farwatch/protocol/bolt/commitment-number";

const FACTOR = BigInt(`0x${appendixC.parameters.obscureFactor}`);
const LAST = commitmentNumber(2 ** 48 - 1);

describe("commitment number", () => {
  it("has the obscuring factor of appendix C, opener first", () => {
    const local = keyC("localPaymentBasepoint");
    const remote = keyC("remotePaymentBasepoint");
    assert.equal(obscureFactor(local, remote), FACTOR);
    assert.notEqual(obscureFactor(remote, local), FACTOR);
  });

  it("stands in every commitment transaction of appendices C and F", () => {
    const transactions = [
      ...appendixC.cases.map((vector) => vector.commitmentTx),
      ...appendixF.cases.map((vector) => vector.expectedCommitmentTxHex),
    ];
    const number = commitmentNumber(appendixC.parameters.commitmentNumber);
    for (const hex of transactions) {
      const tx = Transaction.fromHex(hex);
      const { sequence } = must(tx.ins[0], "funding input");
      const fields = { locktime: tx.locktime, sequence };
      assert.deepEqual(encodeCommitmentNumber(number, FACTOR), fields);
      assert.equal(decodeCommitmentNumber(tx.locktime, sequence, FACTOR), number);
    }
  });

  it("survives the round trip at every bit and at both ends", () => {
    const numbers = [...Array(48).keys()].map((bit) => commitmentNumber(2 ** bit));
    for (const number of [commitmentNumber(0), ...numbers, LAST]) {
      for (const factor of [0n, FACTOR, MAX_COMMITMENT_INDEX]) {
        const { locktime, sequence } = encodeCommitmentNumber(number, factor);
        assert.equal(locktime >>> 24, 0x20);
        assert.equal(sequence >>> 24, 0x80);
        assert.equal(decodeCommitmentNumber(locktime, sequence, factor), number);
      }
    }
  });

  it("is not read from fields of another shape", () => {
    const { locktime, sequence } = encodeCommitmentNumber(commitmentNumber(7), FACTOR);
    assert.equal(decodeCommitmentNumber(0, 0xffffffff, FACTOR), undefined);
    assert.equal(decodeCommitmentNumber(locktime, 0xfffffffd, FACTOR), undefined);
    assert.equal(decodeCommitmentNumber(700_000, sequence, FACTOR), undefined);
    assert.equal(decodeCommitmentNumber(locktime + 0x1000000, sequence, FACTOR), undefined);
    assert.equal(decodeCommitmentNumber(locktime, sequence - 0x1000000, FACTOR), undefined);
  });

  it("counts up while the commitment index counts down from 2^48-1", () => {
    assert.equal(commitmentIndex(commitmentNumber(0)), 281474976710655n);
    assert.equal(commitmentIndex(commitmentNumber(42)), 281474976710613n);
    assert.equal(commitmentIndex(LAST), 0n);
    assert.equal(commitmentNumberOfIndex(281474976710613n), 42);
    assert.throws(() => commitmentNumberOfIndex(281474976710656n), /48 bits/);
  });

  it("rejects a factor that does not fit in 48 bits", () => {
    const number = commitmentNumber(1);
    assert.throws(() => encodeCommitmentNumber(number, MAX_COMMITMENT_INDEX + 1n), /48 bits/);
  });
});
