/** Transactions of BOLT 3 appendix C as plain data. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { appendixC, preimageC } from "../bolt/bolt3-vectors.test.js";
import { parseTx, serializeTx } from "./parsed-tx.js";

const vector = must(appendixC.cases[1], "five HTLCs");

describe("parsed transaction", () => {
  it("has the outpoint, fields and values of a commitment", () => {
    const tx = parseTx(fromHex(vector.commitmentTx));
    const { fundingTxid, fundingOutputIndex } = appendixC.parameters;
    assert.deepEqual(must(tx.inputs[0], "input").outpoint, {
      txid: fundingTxid,
      vout: fundingOutputIndex,
    });
    assert.deepEqual([tx.version, tx.locktime >>> 24, tx.outputs.length], [2, 0x20, 7]);
    const values = tx.outputs.map((output) => output.valueSat);
    assert.deepEqual(values.slice(0, 5), [1000n, 2000n, 2000n, 3000n, 4000n]);
  });

  it("keeps the witness, so that a preimage can be read", () => {
    const htlc = must(vector.htlcTxs[2], "HTLC-success of HTLC 1");
    const tx = parseTx(fromHex(htlc.tx));
    const input = must(tx.inputs[0], "input");
    assert.deepEqual(input.witness[3], preimageC(1));
    assert.equal(input.outpoint.vout, htlc.outputIndex);
    assert.equal(input.outpoint.txid, parseTx(fromHex(vector.commitmentTx)).txid);
  });

  it("shares no memory with the bytes it was read from", () => {
    const raw = fromHex(vector.commitmentTx);
    const tx = parseTx(raw);
    const before = toHex(must(tx.outputs[0], "output").scriptPubkey);
    raw.fill(0);
    assert.equal(toHex(must(tx.outputs[0], "output").scriptPubkey), before);
  });

  it("is written again to the bytes it was read from, unless they held a scriptSig", () => {
    for (const hex of [vector.commitmentTx, ...vector.htlcTxs.map(({ tx }) => tx)]) {
      assert.deepEqual(toHex(must(serializeTx(parseTx(fromHex(hex))), "bytes")), hex);
    }
    const tx = Transaction.fromHex(vector.commitmentTx);
    tx.setInputScript(0, Uint8Array.of(0x51));
    assert.equal(serializeTx(parseTx(tx.toBuffer())), undefined);
  });

  it("throws on bytes that are no transaction", () => {
    assert.throws(() => parseTx(fromHex(vector.commitmentTx).subarray(0, 100)));
    assert.throws(() => parseTx(fromHex(`${vector.commitmentTx}00`)));
  });
});
