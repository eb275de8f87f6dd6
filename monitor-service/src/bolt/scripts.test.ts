/** Every witness script that BOLT 3 appendices B and C print, and the outputs of appendix F. */
import assert from "node:assert/strict";
import { Transaction, crypto } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { blockDelta, blockHeight } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { appendixB, appendixC, appendixF, htlcC, keyC, keysC } from "./bolt3-vectors.test.js";
import {
  anchorScript,
  fundingOutputScript,
  fundingScript,
  htlcWitnessScript,
  offeredHtlcScript,
  p2wpkh,
  receivedHtlcScript,
  toLocalScript,
  toRemoteOutput,
} from "@farwatch/protocol/bolt/scripts";
import { derToCompact } from "@farwatch/protocol/bolt/signature";

const localFunding = fromHex(appendixB.localFundingPubkey);
const remoteFunding = fromHex(appendixB.remoteFundingPubkey);

describe("scripts", () => {
  it("BOLT 3 appendix B: funding output, with the keys given in either order", () => {
    const tx = Transaction.fromHex(appendixB.fundingTx);
    const output = must(tx.outs[appendixB.fundingOutputIndex], "funding output");
    assert.equal(tx.getId(), appendixB.fundingTxid);
    assert.equal(output.value, BigInt(appendixB.fundingSat));
    for (const keys of [
      [localFunding, remoteFunding],
      [remoteFunding, localFunding],
    ] as const) {
      assert.equal(toHex(fundingScript(...keys)), appendixB.fundingWitnessScript);
      assert.deepEqual(fundingOutputScript(...keys), Uint8Array.from(output.script));
    }
  });

  it("BOLT 3 appendix B: the whole funding transaction, signed by the coinbase key", () => {
    const secret = fromHex(appendixB.coinbasePrivkey);
    const coinbase = must(Transaction.fromHex(appendixB.coinbaseTx).outs[0], "coinbase output");
    const expected = Transaction.fromHex(appendixB.fundingTx);
    const change = must(expected.outs[1], "change output");
    const tx = new Transaction();
    tx.version = 2;
    tx.addInput(fromHex(appendixB.inputTxid).reverse(), appendixB.inputIndex);
    tx.addOutput(fundingOutputScript(localFunding, remoteFunding), BigInt(appendixB.fundingSat));
    tx.addOutput(change.script, BigInt(appendixB.changeSat));
    const digest = tx.hashForSignature(0, coinbase.script, 1);
    const scriptSig = must(expected.ins[0], "input").script;
    const der = scriptSig.subarray(1, 1 + must(scriptSig[0], "push") - 1);
    assert.deepEqual(nobleCurve.ecdsaSign(digest, secret), derToCompact(Uint8Array.from(der)));
    tx.setInputScript(0, scriptSig);
    assert.equal(tx.toHex(), appendixB.fundingTx);
  });

  for (const vector of appendixC.cases) {
    it(`BOLT 3 appendix C: scripts of ${vector.name}`, () => {
      for (const entry of vector.htlcScripts) {
        const script = htlcWitnessScript("static_remote_key", keysC, htlcC(entry.htlc));
        assert.equal(toHex(script), entry.script, `htlc ${entry.htlc}`);
        assert.equal(htlcC(entry.htlc).offered, entry.direction === "offered");
      }
      if (vector.toLocal === undefined) return;
      const delay = blockDelta(appendixC.parameters.localDelay);
      const { revocationPubkey, broadcasterDelayedPubkey } = keysC;
      const script = toLocalScript(revocationPubkey, delay, broadcasterDelayedPubkey);
      assert.equal(toHex(script), vector.toLocal.script);
    });
  }

  it("BOLT 3 appendix F: anchors and a to_remote that waits one block", () => {
    const vector = must(appendixF.cases[0], "simple case");
    const outputs = Transaction.fromHex(vector.expectedCommitmentTxHex).outs;
    const present = outputs.map((output) => toHex(output.script));
    const toRemote = toRemoteOutput("anchors_zero_fee_htlc", keyC("remotePaymentBasepoint"));
    assert.ok(present.includes(toHex(toRemote.scriptPubkey)));
    for (const script of [localFunding, remoteFunding].map(anchorScript)) {
      assert.ok(present.includes(`0020${toHex(crypto.sha256(script))}`));
    }
  });

  it("pays to_remote by P2WPKH without anchors", () => {
    const point = keyC("remotePaymentBasepoint");
    const output = toRemoteOutput("static_remote_key", point);
    assert.equal(output.witnessScript, undefined);
    assert.deepEqual(output.scriptPubkey, p2wpkh(point));
    assert.equal(toHex(p2wpkh(point)), "0014cc1b07838e387deacd0e5232e1e8b49f4c29e484");
  });

  it("have the lengths that weights reckon with", () => {
    const { paymentHash } = htlcC(0);
    const received = (height: number) =>
      receivedHtlcScript("static_remote_key", keysC, paymentHash, blockHeight(height)).length;
    assert.equal(offeredHtlcScript("static_remote_key", keysC, paymentHash).length, 133);
    assert.equal(offeredHtlcScript("anchors_zero_fee_htlc", keysC, paymentHash).length, 136);
    assert.deepEqual([16, 17, 500, 900_000, 8_388_608].map(received), [136, 137, 138, 139, 140]);
    const delayed = (csv: number) =>
      toLocalScript(keysC.revocationPubkey, blockDelta(csv), keysC.broadcasterDelayedPubkey).length;
    assert.deepEqual([16, 127, 144, 32_767, 32_768].map(delayed), [75, 76, 77, 77, 78]);
  });

  it("reject keys of another length", () => {
    assert.throws(() => anchorScript(localFunding.subarray(1)), /33 bytes/);
    assert.throws(() => fundingScript(localFunding, new Uint8Array(65)), /33 bytes/);
  });
});
