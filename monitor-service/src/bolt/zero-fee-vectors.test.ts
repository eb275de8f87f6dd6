/**
 * zero_fee_commitments: every transaction of BOLT 3 appendix H (pull request 1228) byte for byte, its
 * signatures included, and each second stage run against the output it spends.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, msat, msatToSatFloor, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta, blockHeight } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import {
  commitmentNumber,
  hashOfPreimage,
  paymentHash,
  preimage,
  txid,
} from "@farwatch/protocol/ids";
import {
  buildHtlcTx,
  counterpartyHtlcSighash,
  htlcTxSighash,
  htlcTxWitness,
} from "../tx/second-stage.js";
import { spendFailure } from "../tx/testing/script-check.js";
import { SHARED_ANCHOR_MAX_SAT } from "@farwatch/protocol/bolt/channel-type";
import { obscureFactor } from "@farwatch/protocol/bolt/commitment-number";
import {
  addFundingWitness,
  buildCommitment,
  commitmentSighash,
  rebuildCommitment,
  type BuiltCommitment,
  type CommitmentSpec,
} from "./commitment-tx.js";
import { commitmentKeys, derivePrivateKey } from "@farwatch/protocol/bolt/keys";
import {
  fundingScript,
  htlcWitnessScript,
  p2wsh,
  SHARED_ANCHOR_SCRIPT,
} from "@farwatch/protocol/bolt/scripts";
import { commitmentWeight, secondStageWeight } from "@farwatch/protocol/bolt/weights";

interface HtlcH {
  readonly id: number;
  readonly amountMsat: number;
  readonly paymentHash: string;
  readonly cltvExpiry: number;
}

interface CaseH {
  readonly name: string;
  readonly dustLimitSatoshis: number;
  readonly toLocalMsat: number;
  readonly toRemoteMsat: number;
  readonly incomingHtlcs: readonly HtlcH[];
  readonly outgoingHtlcs: readonly HtlcH[];
  readonly signedCommitTx: string;
  readonly signedHtlcSuccessTxs: readonly string[];
  readonly signedHtlcTimeoutTxs: readonly string[];
}

interface AppendixH {
  readonly source: { readonly commit: string };
  readonly parameters: {
    readonly fundingTxid: string;
    readonly fundingIndex: number;
    readonly fundingAmountSatoshis: number;
    readonly commitmentNumber: number;
    readonly toSelfDelay: number;
    readonly perCommitmentPoint: string;
    readonly revocationBasepoint: string;
    readonly localFundingPriv: string;
    readonly remoteFundingPriv: string;
    readonly localPaymentBasepointSecret: string;
    readonly localDelayedPaymentBasepointSecret: string;
    readonly localHtlcBasepointSecret: string;
    readonly remotePaymentBasepointSecret: string;
    readonly remoteHtlcBasepointSecret: string;
  };
  readonly preimages: readonly string[];
  readonly cases: readonly CaseH[];
}

const file = new URL("../../../../test/vectors/bolt3/appendix-h.json", import.meta.url);
const appendixH: AppendixH = JSON.parse(fs.readFileSync(file, "utf8"));
const { parameters } = appendixH;
const TYPE = "zero_fee_commitments";

const publicKey = (secret: string): Uint8Array => nobleCurve.publicKey(fromHex(secret));
const point = fromHex(parameters.perCommitmentPoint);
const localFunding = publicKey(parameters.localFundingPriv);
const remoteFunding = publicKey(parameters.remoteFundingPriv);
/** Never used on the local commitment. */
const UNUSED = publicKey("09".repeat(32));
const local = {
  fundingPubkey: localFunding,
  revocationBasepoint: UNUSED,
  paymentPoint: publicKey(parameters.localPaymentBasepointSecret),
  delayedPaymentBasepoint: publicKey(parameters.localDelayedPaymentBasepointSecret),
  htlcBasepoint: publicKey(parameters.localHtlcBasepointSecret),
};
const remote = {
  fundingPubkey: remoteFunding,
  revocationBasepoint: fromHex(parameters.revocationBasepoint),
  paymentPoint: publicKey(parameters.remotePaymentBasepointSecret),
  delayedPaymentBasepoint: UNUSED,
  htlcBasepoint: publicKey(parameters.remoteHtlcBasepointSecret),
};
const keys = commitmentKeys(nobleCurve, local, remote, point);
const fundingSat = sat(parameters.fundingAmountSatoshis);
const preimages = new Map(
  appendixH.preimages.map((hex) => {
    const known = preimage(fromHex(hex));
    return [hashOfPreimage(known), known] as const;
  }),
);

const htlcOf = (htlc: HtlcH, offered: boolean) => ({
  offered,
  amountMsat: msat(htlc.amountMsat),
  cltvExpiry: blockHeight(htlc.cltvExpiry),
  paymentHash: paymentHash(htlc.paymentHash),
});

const specOf = (vector: CaseH): CommitmentSpec => ({
  channelType: TYPE,
  fundingOutpoint: { txid: txid(parameters.fundingTxid), vout: parameters.fundingIndex },
  fundingValueSat: fundingSat,
  commitmentNumber: commitmentNumber(parameters.commitmentNumber),
  obscureFactor: obscureFactor(local.paymentPoint, remote.paymentPoint),
  keys,
  broadcasterFundingPubkey: localFunding,
  countersignatoryFundingPubkey: remoteFunding,
  contestDelay: blockDelta(parameters.toSelfDelay),
  feeratePerKw: feeratePerKw(0),
  broadcasterIsOpener: true,
  toBroadcasterMsat: msat(vector.toLocalMsat),
  toCountersignatoryMsat: msat(vector.toRemoteMsat),
  dustLimitSat: sat(vector.dustLimitSatoshis),
  htlcs: [
    ...vector.incomingHtlcs.map((htlc) => htlcOf(htlc, false)),
    ...vector.outgoingHtlcs.map((htlc) => htlcOf(htlc, true)),
  ],
});

function signed({ tx: unsigned }: BuiltCommitment): string {
  const tx = unsigned.clone();
  const digest = commitmentSighash(tx, fundingScript(localFunding, remoteFunding), fundingSat);
  const ours = nobleCurve.ecdsaSign(digest, fromHex(parameters.localFundingPriv));
  const theirs = nobleCurve.ecdsaSign(digest, fromHex(parameters.remoteFundingPriv));
  addFundingWitness(tx, localFunding, ours, remoteFunding, theirs);
  return tx.toHex();
}

/** Second stages of one kind, signed by both sides, in the order of the outputs they spend. */
function secondStages(spec: CommitmentSpec, built: BuiltCommitment, offered: boolean): string[] {
  return built.htlcOutputIndex
    .flatMap((outputIndex, i) => {
      const htlc = must(spec.htlcs[i], "HTLC");
      return outputIndex === undefined || htlc.offered !== offered ? [] : [{ outputIndex, htlc }];
    })
    .sort((a, b) => a.outputIndex - b.outputIndex)
    .map(({ outputIndex, htlc }) => {
      const tx = buildHtlcTx({
        channelType: TYPE,
        commitmentTxid: built.txid,
        outputIndex,
        htlc,
        feeratePerKw: feeratePerKw(0),
        contestDelay: spec.contestDelay,
        revocationPubkey: keys.revocationPubkey,
        delayedPubkey: keys.broadcasterDelayedPubkey,
      });
      const htlcScript = htlcWitnessScript(TYPE, keys, htlc);
      const sign = (secret: string, sighashType: number): Uint8Array =>
        nobleCurve.ecdsaSign(
          htlcTxSighash(tx, htlcScript, msatToSatFloor(htlc.amountMsat), sighashType),
          derivePrivateKey(nobleCurve, fromHex(secret), point),
        );
      const witness = htlcTxWitness({
        channelType: TYPE,
        counterpartySignature: sign(
          parameters.remoteHtlcBasepointSecret,
          counterpartyHtlcSighash(TYPE),
        ),
        broadcasterSignature: sign(parameters.localHtlcBasepointSecret, Transaction.SIGHASH_ALL),
        preimage: offered ? undefined : must(preimages.get(htlc.paymentHash), "preimage"),
        htlcScript,
      });
      tx.setWitness(0, witness);
      return tx.toHex();
    });
}

describe("zero_fee_commitments", () => {
  it("has all vectors of appendix H, of a known state of the pull request", () => {
    assert.equal(appendixH.source.commit, "b982ae78035cd8f51ed5f9bd64593d11600b390e");
    assert.equal(appendixH.cases.length, 11);
    assert.equal(appendixH.cases.flatMap((c) => c.signedHtlcSuccessTxs).length, 8);
    assert.equal(appendixH.cases.flatMap((c) => c.signedHtlcTimeoutTxs).length, 8);
  });

  for (const vector of appendixH.cases) {
    it(`BOLT 3 appendix H: ${vector.name}`, () => {
      const spec = specOf(vector);
      const built = buildCommitment(nobleCurve, spec);
      assert.equal(signed(built), vector.signedCommitTx);
      const sorted = (list: readonly string[]) => [...list].sort();
      const timeouts = secondStages(spec, built, true);
      const successes = secondStages(spec, built, false);
      assert.deepEqual(sorted(timeouts), sorted(vector.signedHtlcTimeoutTxs));
      assert.deepEqual(sorted(successes), sorted(vector.signedHtlcSuccessTxs));
      const valueAt = (index: number | undefined) =>
        sat(index === undefined ? 0n : must(built.tx.outs[index], "output").value);
      const known = {
        ...spec,
        toBroadcasterSat: valueAt(built.toLocalIndex),
        toCountersignatorySat: valueAt(built.toRemoteIndex),
        htlcs: spec.htlcs.map((htlc, i) => ({ ...htlc, outputIndex: built.htlcOutputIndex[i] })),
      };
      assert.deepEqual(rebuildCommitment(nobleCurve, known), built);
      const untrimmed = timeouts.length + successes.length;
      const weight = Transaction.fromHex(vector.signedCommitTx).weight();
      assert.ok(weight <= commitmentWeight(TYPE, untrimmed), "weights are upper bounds");
    });
  }

  it("spends what it builds: scripts, sequences and sighash types fit each other", () => {
    const prevout = {
      script: p2wsh(fundingScript(localFunding, remoteFunding)),
      value: fundingSat,
    };
    for (const vector of appendixH.cases) {
      const parent = Transaction.fromHex(vector.signedCommitTx);
      assert.equal(spendFailure(parent, 0, prevout), undefined);
      for (const hex of [...vector.signedHtlcSuccessTxs, ...vector.signedHtlcTimeoutTxs]) {
        const child = Transaction.fromHex(hex);
        const output = must(parent.outs[must(child.ins[0], "input").index], "HTLC output");
        assert.equal(spendFailure(child, 0, output), undefined);
        assert.equal(must(child.outs[0], "output").value, output.value, "no fee of its own");
        assert.ok(child.weight() <= secondStageWeight(TYPE, child.locktime !== 0));
      }
    }
  });

  /** Anchor value and fee when the main outputs leave that many satoshis of the channel. */
  function anchorLeft(left: bigint): readonly bigint[] {
    const spec = specOf(must(appendixH.cases[0], "no HTLCs"));
    const values = { toBroadcasterSat: sat(fundingSat - left), toCountersignatorySat: sat(0) };
    const built = rebuildCommitment(nobleCurve, { ...spec, ...values, htlcs: [] });
    const anchor = must(built.tx.outs[must(built.sharedAnchorIndex, "anchor")], "output");
    assert.equal(toHex(anchor.script), toHex(SHARED_ANCHOR_SCRIPT));
    return [anchor.value, built.feeSat];
  }

  it("gives the anchor all that is trimmed up to 240 sat, and the rest as fee", () => {
    const most = SHARED_ANCHOR_MAX_SAT;
    assert.deepEqual(anchorLeft(0n), [0n, 0n]);
    assert.deepEqual(anchorLeft(1n), [1n, 0n]);
    assert.deepEqual(anchorLeft(most), [most, 0n]);
    assert.deepEqual(anchorLeft(most + 1n), [most, 1n]);
  });

  it("stays buildable when the values exceed the channel, so that a check can refuse them", () => {
    const spec = specOf(must(appendixH.cases[0], "no HTLCs"));
    const toBroadcasterSat = sat(fundingSat + 1n);
    const built = rebuildCommitment(nobleCurve, {
      ...spec,
      toBroadcasterSat,
      toCountersignatorySat: sat(0),
      htlcs: [],
    });
    assert.equal(built.feeSat, -1n);
    assert.equal(must(built.tx.outs[must(built.sharedAnchorIndex, "anchor")], "output").value, 0n);
  });
});
