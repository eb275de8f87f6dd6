/** The interpreter of testing/script-check.ts against every transaction of BOLT 3 appendices C and F. */
import assert from "node:assert/strict";
import { Transaction, crypto } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { appendixC, appendixF } from "../bolt/bolt3-vectors.test.js";
import { PAY_TO_ANCHOR, spendFailure, type Prevout } from "./testing/script-check.js";

const FALSE = new Uint8Array(0);
const TRUE = Uint8Array.of(1);
const fundingPrevout: Prevout = {
  script: Uint8Array.of(0, 32, ...crypto.sha256(fromHex(appendixC.fundingWitnessScript))),
  value: BigInt(appendixC.parameters.fundingSat),
};

describe("script check", () => {
  const families = [
    ...appendixC.cases.map((v) => [v.commitmentTx, v.htlcTxs.map((htlc) => htlc.tx)] as const),
    ...appendixF.cases.map(
      (v) => [v.expectedCommitmentTxHex, v.htlcDescs.map((htlc) => htlc.resolutionTxHex)] as const,
    ),
  ];

  it("accepts every transaction of BOLT 3 appendices C and F", () => {
    for (const [parentHex, childrenHex] of families) {
      const parent = Transaction.fromHex(parentHex);
      assert.equal(spendFailure(parent, 0, fundingPrevout), undefined);
      for (const child of childrenHex.map((hex) => Transaction.fromHex(hex))) {
        const prevout = must(parent.outs[must(child.ins[0], "input").index], "HTLC output");
        assert.equal(spendFailure(child, 0, prevout), undefined);
      }
    }
  });

  it("lets anyone spend a shared anchor, with an empty witness only", () => {
    const tx = new Transaction();
    tx.addInput(new Uint8Array(32), 0);
    const anchor = { script: PAY_TO_ANCHOR, value: 240n };
    assert.equal(spendFailure(tx, 0, anchor), undefined);
    tx.setWitness(0, [TRUE]);
    assert.ok(spendFailure(tx, 0, anchor));
  });

  it("refuses them once value, locktime, sequence or a witness item is another", () => {
    const [parentHex, childrenHex] = must(families[1], "five HTLCs");
    const parent = Transaction.fromHex(parentHex);
    for (const hex of childrenHex) {
      const child = Transaction.fromHex(hex);
      const prevout = must(parent.outs[must(child.ins[0], "input").index], "HTLC output");
      assert.ok(spendFailure(child, 0, { ...prevout, value: prevout.value + 1n }));
      const changes: readonly ((tx: Transaction) => void)[] = [
        (tx) => (tx.locktime += 1),
        (tx) => (must(tx.ins[0], "input").sequence = 2),
        (tx) => must(tx.ins[0], "input").witness.splice(2, 1, FALSE),
        (tx) => must(tx.ins[0], "input").witness.shift(),
      ];
      for (const change of changes) {
        const changed = child.clone();
        change(changed);
        assert.ok(spendFailure(changed, 0, prevout));
      }
    }
  });
});
