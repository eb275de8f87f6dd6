/**
 * Claims on the outputs of BOLT 3 appendices C and F, seen from both sides: each witness is run
 * by the interpreter of testing/script-check.ts against the output that the vector's transaction
 * really has.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta, blockHeight } from "@farwatch/protocol/block";
import { fromHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { txid } from "@farwatch/protocol/ids";
import {
  appendixC,
  appendixF,
  htlcC,
  keyC,
  keysC,
  preimageC,
  specOfC,
  specOfF,
} from "../bolt/bolt3-vectors.test.js";
import type { ChannelType } from "@farwatch/protocol/bolt/channel-type";
import { buildCommitment } from "../bolt/commitment-tx.js";
import { deriveRevocationPrivateKey } from "@farwatch/protocol/bolt/keys";
import { htlcWitnessScript, p2wpkh, p2wsh, toLocalScript } from "@farwatch/protocol/bolt/scripts";
import {
  RBF_SEQUENCE,
  buildClaimTx,
  claimLocktime,
  claimValueSat,
  claimWeight,
  inputSequence,
  inputSighash,
  inputWitness,
  type ClaimInput,
} from "./claim.js";
import { spendFailure, type Prevout } from "./testing/script-check.js";

const DELAY = blockDelta(appendixC.parameters.localDelay);
const DESTINATION = p2wpkh(keyC("localFundingPubkey"));
const OFFERED = 2;
const RECEIVED = 0;

const revocationSecret = deriveRevocationPrivateKey(
  nobleCurve,
  keyC("remoteRevocationBasepointSecret"),
  keyC("localPerCommitmentSecret"),
);
const toLocal = toLocalScript(keysC.revocationPubkey, DELAY, keysC.broadcasterDelayedPubkey);

/** A commitment of the appendices with all five HTLCs, and one of its second-stage transactions. */
interface Family {
  readonly channelType: ChannelType;
  readonly commitment: Transaction;
  readonly secondStage: Transaction;
  readonly htlcIndex: (id: number) => number;
  readonly toLocalIndex: number;
  readonly toRemoteIndex: number;
}

function familyC(): Family {
  const vector = must(appendixC.cases[1], "five HTLCs");
  const built = buildCommitment(nobleCurve, specOfC(vector));
  return {
    channelType: "static_remote_key",
    commitment: Transaction.fromHex(vector.commitmentTx),
    secondStage: Transaction.fromHex(must(vector.htlcTxs[0], "HTLC tx").tx),
    htlcIndex: (id) => must(built.htlcOutputIndex[id], "untrimmed"),
    toLocalIndex: must(built.toLocalIndex, "to_local"),
    toRemoteIndex: must(built.toRemoteIndex, "to_remote"),
  };
}

function familyF(): Family {
  const vector = must(appendixF.cases[2], "five HTLCs");
  const built = buildCommitment(nobleCurve, specOfF(vector));
  return {
    channelType: "anchors_zero_fee_htlc",
    commitment: Transaction.fromHex(vector.expectedCommitmentTxHex),
    secondStage: Transaction.fromHex(must(vector.htlcDescs[0], "HTLC tx").resolutionTxHex),
    htlcIndex: (id) => must(built.htlcOutputIndex[id], "untrimmed"),
    toLocalIndex: must(built.toLocalIndex, "to_local"),
    toRemoteIndex: must(built.toRemoteIndex, "to_remote"),
  };
}

/** An input with the secret that signs it and the output it spends. */
interface Case {
  readonly input: ClaimInput;
  readonly secret: Uint8Array;
  readonly prevout: Prevout;
}

function casesOf(family: Family): readonly Case[] {
  const { channelType, commitment, secondStage } = family;
  const at = (tx: Transaction, vout: number) => {
    const prevout = must(tx.outs[vout], "output");
    return {
      prevout,
      base: { outpoint: { txid: txid(tx.getId()), vout }, valueSat: sat(prevout.value) },
    };
  };
  const htlc = (id: number) => ({
    ...at(commitment, family.htlcIndex(id)),
    witnessScript: htlcWitnessScript(channelType, keysC, htlcC(id)),
  });
  const [offered, received] = [htlc(OFFERED), htlc(RECEIVED)];
  const main = at(commitment, family.toLocalIndex);
  const second = at(secondStage, 0);
  const remote = at(commitment, family.toRemoteIndex);
  const witnessScript = toLocal;
  const revoked = ({ base, prevout, witnessScript: script }: typeof offered, isOffered: boolean) =>
    ({
      input: {
        ...base,
        kind: "revokedHtlc",
        channelType,
        offered: isOffered,
        witnessScript: script,
      },
      secret: revocationSecret,
      prevout,
    }) satisfies Case;
  return [
    {
      input: { ...main.base, kind: "revokedToLocal", witnessScript },
      secret: revocationSecret,
      prevout: main.prevout,
    },
    {
      input: { ...second.base, kind: "revokedSecondStage", witnessScript },
      secret: revocationSecret,
      prevout: second.prevout,
    },
    revoked(offered, true),
    revoked(received, false),
    {
      input: {
        ...offered.base,
        kind: "counterpartyOfferedPreimage",
        channelType,
        witnessScript: offered.witnessScript,
      },
      secret: keyC("remotePrivkey"),
      prevout: offered.prevout,
    },
    {
      input: {
        ...received.base,
        kind: "counterpartyReceivedTimeout",
        channelType,
        cltvExpiry: htlcC(RECEIVED).cltvExpiry,
        witnessScript: received.witnessScript,
      },
      secret: keyC("remotePrivkey"),
      prevout: received.prevout,
    },
    {
      input: { ...main.base, kind: "delayedOutput", contestDelay: DELAY, witnessScript },
      secret: keyC("localDelayedPrivkey"),
      prevout: main.prevout,
    },
    {
      input: {
        ...remote.base,
        kind: "toRemote",
        channelType,
        paymentPoint: keyC("remotePaymentBasepoint"),
      },
      secret: keyC("remotePaymentBasepointSecret"),
      prevout: remote.prevout,
    },
  ];
}

/** Signs every input of a claim of `cases`. */
function signedClaim(cases: readonly Case[], feeSat: bigint, locktime: number): Transaction {
  const inputs = cases.map(({ input }) => input);
  const tx = buildClaimTx(inputs, DESTINATION, sat(feeSat), locktime);
  for (const [index, { input, secret }] of cases.entries()) {
    const signature = nobleCurve.ecdsaSign(inputSighash(tx, index, input), secret);
    const extras = { preimage: preimageC(OFFERED), revocationPubkey: keysC.revocationPubkey };
    tx.setWitness(index, inputWitness(input, signature, extras));
  }
  return tx;
}

describe("claims", () => {
  for (const family of [familyC(), familyF()]) {
    const anchors = family.channelType === "anchors_zero_fee_htlc";
    for (const one of casesOf(family)) {
      const { input, prevout } = one;
      const name = input.kind + ("offered" in input ? ` (offered: ${input.offered})` : "");
      it(`${family.channelType}: ${name} spends the output of the vector`, () => {
        const locktime = claimLocktime([input]);
        const tx = signedClaim([one], 300n, locktime);
        assert.equal(spendFailure(tx, 0, prevout), undefined);
        assert.equal(tx.version, 2);
        assert.equal(must(tx.outs[0], "output").value, prevout.value - 300n);
        const slack = claimWeight([input], DESTINATION) - tx.weight();
        assert.ok(slack >= 0 && slack <= 8, `weight slack ${slack}`);
        const wrong = signedClaim([{ ...one, secret: keyC("localPrivkey") }], 300n, locktime);
        assert.ok(spendFailure(wrong, 0, prevout));
      });
    }

    it(`${family.channelType}: all justice inputs fit in one transaction`, () => {
      const cases = casesOf(family).filter(({ input }) => input.kind.startsWith("revoked"));
      assert.equal(cases.length, 4);
      const tx = signedClaim(cases, 1000n, 700_000);
      for (const [index, { prevout }] of cases.entries()) {
        assert.equal(spendFailure(tx, index, prevout), undefined);
      }
      const inputs = cases.map(({ input }) => input);
      assert.equal(must(tx.outs[0], "output").value, claimValueSat(inputs) - 1000n);
      assert.ok(tx.weight() <= claimWeight(inputs, DESTINATION));
    });

    it(`${family.channelType}: sequences are those of onchain-engine 9.1`, () => {
      const oneBlock = anchors ? 1 : RBF_SEQUENCE;
      const sequences = casesOf(family).map(({ input }) => inputSequence(input));
      const revoked = [RBF_SEQUENCE, RBF_SEQUENCE, RBF_SEQUENCE, RBF_SEQUENCE];
      assert.deepEqual(sequences, [...revoked, oneBlock, oneBlock, 144, oneBlock]);
      assert.equal(RBF_SEQUENCE, 0xfffffffd);
    });

    it(`${family.channelType}: an expired HTLC cannot be taken back one block early`, () => {
      const one = must(casesOf(family)[5], "received HTLC");
      const { cltvExpiry } = htlcC(RECEIVED);
      assert.equal(claimLocktime([one.input]), cltvExpiry);
      assert.throws(() => signedClaim([one], 300n, cltvExpiry - 1), /locktime/);
      assert.ok(one.input.kind === "counterpartyReceivedTimeout");
      const early = { ...one, input: { ...one.input, cltvExpiry: blockHeight(cltvExpiry - 1) } };
      const tx = signedClaim([early], 300n, cltvExpiry - 1);
      assert.match(spendFailure(tx, 0, one.prevout) ?? "", /CLTV: too early/);
    });
  }

  it("use the package weight of onchain-engine 2.5", () => {
    const [main] = casesOf(familyC());
    const { input } = must(main, "to_local");
    const destination = p2wsh(Uint8Array.of(1));
    assert.equal(claimWeight([input], DESTINATION), 41 * 4 + 155 + 2 + 40 + (9 + 22) * 4);
    assert.equal(claimWeight([input, input], destination), 2 * (164 + 155) + 2 + 40 + 43 * 4);
    const many = (count: number) =>
      claimWeight(
        Array.from({ length: count }, () => input),
        destination,
      );
    assert.equal(many(252), 252 * 319 + 214);
    assert.equal(many(253), 253 * 319 + 214 + 8);
  });

  it("refuse to be built from nothing, or to give everything to miners", () => {
    const { input } = must(casesOf(familyC())[0], "to_local");
    assert.throws(() => buildClaimTx([], DESTINATION, sat(1), 0), /no inputs/);
    assert.throws(() => buildClaimTx([input], DESTINATION, input.valueSat, 0), /everything/);
    const almost = buildClaimTx([input], DESTINATION, sat(input.valueSat - 1n), 0);
    assert.equal(must(almost.outs[0], "output").value, 1n);
  });

  it("need the preimage or the revocation key of their kind", () => {
    const cases = casesOf(familyC());
    const signature = new Uint8Array(64).fill(1);
    const revoked = must(cases[2], "revoked HTLC").input;
    const offered = must(cases[4], "offered HTLC").input;
    assert.throws(() => inputWitness(revoked, signature), /revocation pubkey/);
    assert.throws(() => inputWitness(offered, signature), /preimage/);
    assert.equal(inputWitness(must(cases[0], "to_local").input, signature).length, 3);
  });

  it("reveal the preimage in the witness, where the other side reads it", () => {
    const one = must(casesOf(familyF())[4], "offered HTLC");
    const tx = Transaction.fromHex(signedClaim([one], 300n, 0).toHex());
    const preimage = must(tx.ins[0], "input").witness[1];
    assert.deepEqual(Uint8Array.from(must(preimage, "preimage")), fromHex("02".repeat(32)));
  });
});
