/** The shape of a commitment is found exactly where a full parse finds it. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import fc from "fast-check";
import { txid } from "@farwatch/protocol/ids";
import { commitmentShaped } from "./commitment-shape.js";
import { mineBlock } from "./testing/fake-chain.js";
import { verifyBlock } from "./verify-block.js";

interface Plan {
  readonly inputs: number;
  readonly sequence: number;
  readonly locktime: number;
  readonly script: number;
}

function build({ inputs, sequence, locktime, script }: Plan, index: number): Transaction {
  const tx = new Transaction();
  for (let i = 0; i < inputs; i++) {
    tx.addInput(new Uint8Array(32).fill(index + 1), i, sequence, new Uint8Array(script));
  }
  tx.locktime = locktime;
  tx.addOutput(new Uint8Array(22), 1n);
  return tx;
}

const upper = (byte: number): fc.Arbitrary<number> =>
  fc.nat(0xffffff).map((lower) => byte * 0x1000000 + lower);
const plans = fc.array(
  fc.record({
    inputs: fc.integer({ min: 1, max: 2 }),
    sequence: fc.oneof(upper(0x80), upper(0x7f), fc.constant(0xffffffff)),
    locktime: fc.oneof(upper(0x20), upper(0x21), fc.constant(0)),
    script: fc.constantFrom(0, 1, 253),
  }),
  { maxLength: 8 },
);

describe("commitment shape", () => {
  it("is one input without script, an 80 before its sequence and a 20 before the locktime", () => {
    let found = 0;
    fc.assert(
      fc.property(plans, (list) => {
        const txs = list.map(build);
        const expected = list.flatMap(({ inputs, sequence, locktime, script }, index) =>
          inputs === 1 && sequence >>> 24 === 0x80 && locktime >>> 24 === 0x20 && script === 0
            ? [txid(txs[index]?.getId() ?? "")]
            : [],
        );
        const { header, raw } = mineBlock(undefined, {
          transactions: txs.map((tx) => Uint8Array.from(tx.toBuffer())),
        });
        const block = verifyBlock(header, raw);
        assert.ok(block.ok);
        assert.deepEqual(commitmentShaped(raw, block.value.txids), expected);
        found += expected.length;
      }),
      { numRuns: 60 },
    );
    assert.ok(found > 0, "some had the shape");
  });
});
