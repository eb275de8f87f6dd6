/** HTLC-timeout and HTLC-success of BOLT 3 appendices C and F byte for byte. */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, msat, msatToSatFloor } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta } from "@farwatch/protocol/block";
import { fromHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { txid } from "@farwatch/protocol/ids";
import {
  appendixC,
  appendixF,
  htlcC,
  htlcIdsOf,
  keyC,
  keysC,
  preimageC,
  specOfC,
  specOfF,
} from "../bolt/bolt3-vectors.test.js";
import type { ChannelType } from "@farwatch/protocol/bolt/channel-type";
import { buildCommitment, type CommitmentSpec } from "../bolt/commitment-tx.js";
import { htlcWitnessScript } from "@farwatch/protocol/bolt/scripts";
import { derToCompact } from "@farwatch/protocol/bolt/signature";
import {
  buildHtlcTx,
  counterpartyHtlcSighash,
  htlcTxOutputSat,
  htlcTxSighash,
  htlcTxWitness,
} from "./second-stage.js";

interface Vector {
  readonly channelType: ChannelType;
  readonly commitmentTx: string;
  readonly feerate: number;
  readonly htlc: number;
  readonly outputIndex: number;
  readonly remoteSignature: string;
}

/** Builds, verifies the counterparty's signature, signs, and returns the finished transaction. */
function completed(vector: Vector): string {
  const { channelType, outputIndex } = vector;
  const htlc = htlcC(vector.htlc);
  const tx = buildHtlcTx({
    channelType,
    commitmentTxid: txid(Transaction.fromHex(vector.commitmentTx).getId()),
    outputIndex,
    htlc,
    feeratePerKw: feeratePerKw(vector.feerate),
    contestDelay: blockDelta(appendixC.parameters.localDelay),
    revocationPubkey: keysC.revocationPubkey,
    delayedPubkey: keysC.broadcasterDelayedPubkey,
  });
  const htlcScript = htlcWitnessScript(channelType, keysC, htlc);
  const amount = msatToSatFloor(htlc.amountMsat);
  const remote = must(derToCompact(fromHex(vector.remoteSignature)), "remote signature");
  const remoteType = counterpartyHtlcSighash(channelType);
  const digest = htlcTxSighash(tx, htlcScript, amount, remoteType);
  assert.ok(nobleCurve.ecdsaVerify(remote, digest, keysC.countersignatoryHtlcPubkey));
  assert.deepEqual(nobleCurve.ecdsaSign(digest, keyC("remotePrivkey")), remote);
  const own = htlcTxSighash(tx, htlcScript, amount, Transaction.SIGHASH_ALL);
  const witness = htlcTxWitness({
    channelType,
    counterpartySignature: remote,
    broadcasterSignature: nobleCurve.ecdsaSign(own, keyC("localPrivkey")),
    preimage: htlc.offered ? undefined : preimageC(vector.htlc),
    htlcScript,
  });
  tx.setWitness(0, witness);
  return tx.toHex();
}

/** HTLC id of each untrimmed output of a commitment, by output index. */
function htlcsByOutput(name: string, spec: CommitmentSpec): ReadonlyMap<number, number> {
  const { htlcOutputIndex } = buildCommitment(nobleCurve, spec);
  const ids = htlcIdsOf(name);
  return new Map(
    htlcOutputIndex.flatMap((output, i) =>
      output === undefined ? [] : [[output, must(ids[i], "id")] as const],
    ),
  );
}

describe("second-stage transactions", () => {
  for (const vector of appendixC.cases.filter((one) => one.htlcTxs.length > 0)) {
    it(`BOLT 3 appendix C: ${vector.name}`, () => {
      const byOutput = htlcsByOutput(vector.name, specOfC(vector));
      for (const entry of vector.htlcTxs) {
        assert.equal(byOutput.get(entry.outputIndex), entry.htlc);
        assert.equal(htlcC(entry.htlc).offered, entry.kind === "timeout");
        const { feeratePerKw: feerate, commitmentTx } = vector;
        const shared = { channelType: "static_remote_key", commitmentTx, feerate } as const;
        assert.equal(completed({ ...shared, ...entry }), entry.tx, `htlc ${entry.htlc}`);
      }
    });
  }

  for (const vector of appendixF.cases.filter((one) => one.htlcDescs.length > 0)) {
    it(`BOLT 3 appendix F: ${vector.name}`, () => {
      const byOutput = htlcsByOutput(vector.name, specOfF(vector));
      for (const entry of vector.htlcDescs) {
        const expected = Transaction.fromHex(entry.resolutionTxHex);
        const outputIndex = must(expected.ins[0], "input").index;
        const tx = completed({
          channelType: "anchors_zero_fee_htlc",
          commitmentTx: vector.expectedCommitmentTxHex,
          feerate: vector.feePerKw,
          htlc: must(byOutput.get(outputIndex), `output ${outputIndex}`),
          outputIndex,
          remoteSignature: entry.remoteSigHex,
        });
        assert.equal(tx, entry.resolutionTxHex);
      }
    });
  }

  it("let others be joined on anchor channels only", () => {
    assert.equal(counterpartyHtlcSighash("static_remote_key"), 0x01);
    assert.equal(counterpartyHtlcSighash("anchors_zero_fee_htlc"), 0x83);
  });

  it("have no output value when the HTLC is one satoshi short of the fee", () => {
    const at = (amount: number, offered: boolean) =>
      htlcTxOutputSat(
        "static_remote_key",
        { ...htlcC(0), offered, amountMsat: msat(amount) },
        feeratePerKw(1000),
      );
    assert.equal(at(663_000, true), 0n);
    assert.equal(at(662_999, true), undefined);
    assert.equal(at(703_999, false), 0n);
    assert.equal(at(702_999, false), undefined);
  });

  it("are refused for an HTLC that cannot pay its fee", () => {
    assert.throws(
      () =>
        buildHtlcTx({
          channelType: "static_remote_key",
          commitmentTxid: txid("00".repeat(32)),
          outputIndex: 0,
          htlc: htlcC(0),
          feeratePerKw: feeratePerKw(1_000_000),
          contestDelay: blockDelta(144),
          revocationPubkey: keysC.revocationPubkey,
          delayedPubkey: keysC.broadcasterDelayedPubkey,
        }),
      /second-stage fee/,
    );
  });
});
