/**
 * Commitment transactions of BOLT 3 appendices C and F byte for byte, and the rules behind them.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import {
  appendixC,
  appendixF,
  htlcC,
  htlcIdsOf,
  keyC,
  specOfC,
  specOfF,
} from "./bolt3-vectors.test.js";
import {
  addFundingWitness,
  buildCommitment,
  commitmentSighash,
  rebuildCommitment,
  type BuiltCommitment,
  type CommitmentSpec,
  type KnownHtlcOutput,
} from "./commitment-tx.js";
import { derToCompact } from "@farwatch/protocol/bolt/signature";

const fundingScript = fromHex(appendixC.fundingWitnessScript);
const fundingSat = sat(appendixC.parameters.fundingSat);
const localFunding = keyC("localFundingPubkey");
const remoteFunding = keyC("remoteFundingPubkey");

/** Checks both signatures, adds them and returns the finished transaction. */
function signed(built: BuiltCommitment, remoteSignature: string): string {
  const digest = commitmentSighash(built.tx, fundingScript, fundingSat);
  const remote = must(derToCompact(fromHex(remoteSignature)), "remote signature");
  assert.ok(nobleCurve.ecdsaVerify(remote, digest, remoteFunding));
  assert.deepEqual(nobleCurve.ecdsaSign(digest, keyC("remoteFundingPrivkey")), remote);
  const local = nobleCurve.ecdsaSign(digest, keyC("localFundingPrivkey"));
  const tx = built.tx.clone();
  addFundingWitness(tx, remoteFunding, remote, localFunding, local);
  const swapped = built.tx.clone();
  addFundingWitness(swapped, localFunding, local, remoteFunding, remote);
  assert.equal(swapped.toHex(), tx.toHex());
  return tx.toHex();
}

/** What a node would tell the monitor about a commitment it built. */
const rebuilt = (spec: CommitmentSpec, built: BuiltCommitment): BuiltCommitment => {
  const valueAt = (index: number | undefined) =>
    sat(index === undefined ? 0n : must(built.tx.outs[index], "output").value);
  return rebuildCommitment(nobleCurve, {
    ...spec,
    toBroadcasterSat: valueAt(built.toLocalIndex),
    toCountersignatorySat: valueAt(built.toRemoteIndex),
    htlcs: spec.htlcs.map((htlc, i) => ({ ...htlc, outputIndex: built.htlcOutputIndex[i] })),
  });
};

const caseC = (prefix: string) =>
  must(
    appendixC.cases.find((vector) => vector.name.startsWith(prefix)),
    prefix,
  );

describe("commitment transaction", () => {
  for (const vector of appendixC.cases) {
    it(`BOLT 3 appendix C: ${vector.name}`, () => {
      const spec = specOfC(vector);
      const built = buildCommitment(nobleCurve, spec);
      assert.equal(signed(built, vector.remoteSignature), vector.commitmentTx);
      assert.equal(built.txid, Transaction.fromHex(vector.commitmentTx).getId());
      const ids = htlcIdsOf(vector.name);
      for (const { htlc, outputIndex } of vector.htlcTxs) {
        assert.equal(built.htlcOutputIndex[ids.indexOf(htlc)], outputIndex, `htlc ${htlc}`);
      }
      const kept = built.htlcOutputIndex.filter((index) => index !== undefined);
      assert.equal(kept.length, vector.htlcTxs.length);
      if (vector.actualFeeSat !== undefined)
        assert.equal(built.feeSat, BigInt(vector.actualFeeSat));
      assert.deepEqual(rebuilt(spec, built), built);
    });
  }

  for (const vector of appendixF.cases) {
    it(`BOLT 3 appendix F: ${vector.name}`, () => {
      const spec = specOfF(vector);
      const built = buildCommitment(nobleCurve, spec);
      assert.equal(signed(built, vector.remoteSigHex), vector.expectedCommitmentTxHex);
      assert.deepEqual(rebuilt(spec, built), built);
    });
  }

  it("names the outputs of both sides", () => {
    const outputs = (built: BuiltCommitment) => [
      built.toLocalAnchorIndex,
      built.toRemoteAnchorIndex,
      built.toRemoteIndex,
      built.toLocalIndex,
    ];
    const cases = appendixF.cases.map((vector) => buildCommitment(nobleCurve, specOfF(vector)));
    assert.deepEqual(outputs(must(cases[0], "simple")), [0, 1, 2, 3]);
    assert.deepEqual(outputs(must(cases[1], "single anchor")), [0, undefined, undefined, 1]);
    const plain = buildCommitment(nobleCurve, specOfC(caseC("simple")));
    assert.deepEqual(outputs(plain), [undefined, undefined, 0, 1]);
  });

  it("gives both sides an anchor as soon as there is an HTLC", () => {
    const spec = specOfF(must(appendixF.cases[2], "five HTLCs"));
    const values = { toBroadcasterSat: sat(0), toCountersignatorySat: sat(0) };
    const anchorsWith = (htlcs: readonly KnownHtlcOutput[]) => {
      const built = rebuildCommitment(nobleCurve, { ...spec, ...values, htlcs });
      return [built.toLocalAnchorIndex, built.toRemoteAnchorIndex];
    };
    assert.deepEqual(anchorsWith([{ ...htlcC(0), outputIndex: 2 }]), [0, 1]);
    assert.deepEqual(anchorsWith([htlcC(0)]), [undefined, undefined]);
  });

  it("orders HTLCs with equal outputs by cltv_expiry, then as they were given or indexed", () => {
    const spec = { ...specOfC(caseC("simple")), feeratePerKw: feeratePerKw(253) };
    const [late, early] = [htlcC(5), { ...htlcC(6), amountMsat: htlcC(5).amountMsat }];
    const built = buildCommitment(nobleCurve, { ...spec, htlcs: [late, early, late] });
    assert.deepEqual(built.htlcOutputIndex, [1, 0, 2]);
    const values = { toBroadcasterSat: sat(6_000_000), toCountersignatorySat: sat(3_000_000) };
    const known = [
      { ...late, outputIndex: 2 },
      { ...early, outputIndex: 0 },
      { ...late, outputIndex: 1 },
    ];
    const again = rebuildCommitment(nobleCurve, { ...spec, ...values, htlcs: known });
    assert.deepEqual(again.htlcOutputIndex, [2, 0, 1]);
  });

  it("keeps a main output exactly at the dust limit and drops it one satoshi below", () => {
    const base = { ...specOfC(caseC("simple")), feeratePerKw: feeratePerKw(0) };
    const at = (amount: number) =>
      buildCommitment(nobleCurve, {
        ...base,
        toBroadcasterMsat: msat(amount * 1000 + 999),
        toCountersignatoryMsat: msat(amount * 1000 + 999),
      });
    assert.equal(at(546).tx.outs.length, 2);
    assert.equal(at(545).tx.outs.length, 0);
    assert.equal(at(545).feeSat, 10_000_000n);
  });

  it("takes fee and anchors from the opener, whichever side that is", () => {
    const spec = { ...specOfF(must(appendixF.cases[0], "simple")), broadcasterIsOpener: false };
    const { tx, toLocalIndex, toRemoteIndex, feeSat } = buildCommitment(nobleCurve, spec);
    const cost = 16_860n + 660n; // 15000 * 1124 / 1000, two anchors
    assert.equal(must(tx.outs[must(toLocalIndex, "to_local")], "output").value, 7_000_000n);
    const toRemote = must(tx.outs[must(toRemoteIndex, "to_remote")], "output");
    assert.equal(toRemote.value, 3_000_000n - cost);
    assert.equal(feeSat, 16_860n);
  });

  it("rebuilds values as they are: no dust limit", () => {
    const spec = specOfC(caseC("simple"));
    const values = { toBroadcasterSat: sat(1), toCountersignatorySat: sat(0), htlcs: [] };
    const built = rebuildCommitment(nobleCurve, { ...spec, ...values });
    assert.deepEqual([built.toLocalIndex, built.toRemoteIndex], [0, undefined]);
    assert.equal(built.feeSat, 9_999_999n);
    const tooMuch = { ...spec, ...values, toBroadcasterSat: sat(10_000_001) };
    assert.equal(rebuildCommitment(nobleCurve, tooMuch).feeSat, -1n);
  });

  it("gets another txid from any other value, key or number", () => {
    const spec = specOfC(caseC("commitment tx with all five"));
    const { txid } = buildCommitment(nobleCurve, spec);
    const others: readonly CommitmentSpec[] = [
      { ...spec, toBroadcasterMsat: msat(spec.toBroadcasterMsat - 1000n) },
      { ...spec, obscureFactor: spec.obscureFactor ^ 1n },
      { ...spec, keys: { ...spec.keys, revocationPubkey: localFunding } },
      { ...spec, channelType: "anchors_zero_fee_htlc" },
      { ...spec, htlcs: spec.htlcs.slice(1) },
    ];
    for (const other of others) assert.notEqual(buildCommitment(nobleCurve, other).txid, txid);
  });
});
