/**
 * Every claim the engine can build (reliability P-8), over any mix of inputs that may share one: each
 * witness opens its output, the weight is estimated from above and closely, the fee keeps to its budget,
 * the output is not dust, nLockTime and nSequence are what the inputs need.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta, blockHeight } from "@farwatch/protocol/block";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { hashOfPreimage, preimage, txid } from "@farwatch/protocol/ids";
import { CHANNEL_TYPES } from "@farwatch/protocol/channel";
import { channelTypeRules, type ChannelType } from "@farwatch/protocol/bolt/channel-type";
import type { CommitmentKeys } from "@farwatch/protocol/bolt/keys";
import { htlcWitnessScript, p2wpkh, p2wsh, toLocalScript } from "@farwatch/protocol/bolt/scripts";
import {
  RBF_SEQUENCE,
  buildClaimTx,
  claimValueSat,
  claimWeight,
  inputSighash,
  inputWitness,
  type ClaimInput,
} from "./claim.js";
import { bumpFee, chooseFirstFee, dustLimitSat, type FeeQuestion } from "./fee.js";
import { packagesOf } from "./package.js";
import { spendFailure } from "./testing/script-check.js";

const RUNS = 25;
const SEED = 20_261_125;
/** WU of an input's estimate above its real weight. */
const SLACK_PER_INPUT = 4;

const secretOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const REVOCATION = secretOf(1);
const OUR_HTLC = secretOf(2);
const point = (fill: number): Uint8Array => nobleCurve.publicKey(secretOf(fill));
const keys: CommitmentKeys = {
  perCommitmentPoint: point(3),
  revocationPubkey: nobleCurve.publicKey(REVOCATION),
  broadcasterDelayedPubkey: point(4),
  broadcasterHtlcPubkey: point(5),
  countersignatoryHtlcPubkey: nobleCurve.publicKey(OUR_HTLC),
  countersignatoryPaymentPoint: point(6),
};
const known = preimage(secretOf(7));

interface Drawn {
  readonly input: ClaimInput;
  readonly notBefore: number;
  readonly pinnable: boolean;
  readonly contestedFrom: number;
}

/** Heights of a chain as old as Bitcoin's, so that they take 3 bytes in a script. */
const HEIGHT = 900_000;
const height = fc.integer({ min: HEIGHT - 100, max: HEIGHT + 100 });
const base = fc.record({
  vout: fc.nat(965),
  valueSat: fc.oneof(
    fc.integer({ min: 354, max: 3_000 }),
    fc.integer({ min: 3_000, max: 5_000_000 }),
  ),
});

const revoked = (channelType: ChannelType): fc.Arbitrary<Drawn> =>
  fc.oneof(
    fc
      .tuple(base, fc.constantFrom("revokedToLocal" as const, "revokedSecondStage" as const))
      .chain(([at, kind]) =>
        fc.integer({ min: 144, max: 2_016 }).map((delay): Drawn => {
          const { revocationPubkey, broadcasterDelayedPubkey } = keys;
          const csv = blockDelta(delay);
          const witnessScript = toLocalScript(revocationPubkey, csv, broadcasterDelayedPubkey);
          const input = { kind, ...outputOf(at), witnessScript };
          return { input, notBefore: 0, pinnable: false, contestedFrom: HEIGHT + delay };
        }),
      ),
    fc.tuple(base, fc.boolean(), height).map(([at, offered, cltv]): Drawn => {
      const witnessScript = scriptOf(channelType, offered, cltv);
      const input: ClaimInput = {
        kind: "revokedHtlc",
        ...outputOf(at),
        channelType,
        offered,
        witnessScript,
      };
      return { input, notBefore: 0, pinnable: !offered, contestedFrom: offered ? cltv : HEIGHT };
    }),
  );

const honest = (channelType: ChannelType): fc.Arbitrary<Drawn> =>
  fc.tuple(base, fc.boolean(), height).map(([at, offered, cltv]): Drawn => {
    const witnessScript = scriptOf(channelType, offered, cltv);
    const common = { ...outputOf(at), channelType, witnessScript };
    return offered
      ? {
          input: { kind: "counterpartyOfferedPreimage", ...common },
          notBefore: 0,
          pinnable: false,
          contestedFrom: cltv,
        }
      : {
          input: { kind: "counterpartyReceivedTimeout", ...common, cltvExpiry: blockHeight(cltv) },
          notBefore: cltv,
          pinnable: true,
          contestedFrom: HEIGHT,
        };
  });

const outputOf = ({ vout, valueSat }: { vout: number; valueSat: number }) => ({
  outpoint: { txid: txid("5a".repeat(32)), vout },
  valueSat: sat(valueSat),
});

const scriptOf = (channelType: ChannelType, offered: boolean, cltv: number): Uint8Array =>
  htlcWitnessScript(channelType, keys, {
    offered,
    paymentHash: hashOfPreimage(known),
    cltvExpiry: blockHeight(cltv),
  });

function sign(
  inputs: readonly ClaimInput[],
  destination: Uint8Array,
  feeSat: bigint,
  lock: number,
) {
  const tx = buildClaimTx(inputs, destination, sat(feeSat), lock);
  for (const [index, input] of inputs.entries()) {
    const secret = input.kind.startsWith("revoked") ? REVOCATION : OUR_HTLC;
    const signature = nobleCurve.ecdsaSign(inputSighash(tx, index, input), secret);
    const extras = { preimage: known, revocationPubkey: keys.revocationPubkey };
    tx.setWitness(index, inputWitness(input, signature, extras));
  }
  return tx;
}

const sequenceOf = (input: ClaimInput, channelType: ChannelType): number =>
  input.kind.startsWith("revoked") || !channelTypeRules(channelType).oneBlockCsv ? RBF_SEQUENCE : 1;

function check(
  drawn: readonly Drawn[],
  channelType: ChannelType,
  asked: FeeQuestion,
  p2wshOut: boolean,
): boolean {
  const inputs = drawn.map(({ input }) => input);
  const destination = p2wshOut ? p2wsh(Uint8Array.of(0x51)) : p2wpkh(keys.perCommitmentPoint);
  const weight = claimWeight(inputs, destination);
  const valueSat = claimValueSat(inputs);
  const question = { ...asked, weight, valueSat, dustLimitSat: dustLimitSat(destination) };
  const first = chooseFirstFee(question);
  if (first === undefined) return false;
  assert.ok(first.feeSat * 2n <= valueSat, "an estimate takes at most half");
  const locktime = Math.max(HEIGHT, ...drawn.map(({ notBefore }) => notBefore));
  for (const choice of [first, bumpFee(question, first, "force") ?? first]) {
    const tx = sign(inputs, destination, choice.feeSat, locktime);
    const slack = weight - tx.weight();
    assert.ok(slack >= 0 && slack <= SLACK_PER_INPUT * inputs.length, `slack ${slack}`);
    assert.ok((BigInt(tx.weight()) * 250n) / 1000n <= choice.feeSat, "at least 1 sat/vB");
    const [output] = tx.outs;
    assert.equal(must(output, "output").value, valueSat - choice.feeSat);
    assert.ok(valueSat - choice.feeSat >= question.dustLimitSat, "no dust");
    assert.deepEqual([tx.version, tx.outs.length, tx.locktime], [2, 1, locktime]);
    for (const [index, input] of inputs.entries()) {
      const prevout = { script: p2wsh(must(scriptIn(input), "script")), value: input.valueSat };
      assert.equal(spendFailure(tx, index, prevout), undefined);
      assert.equal(must(tx.ins[index], "input").sequence, sequenceOf(input, channelType));
    }
  }
  return true;
}

const scriptIn = (input: ClaimInput): Uint8Array | undefined =>
  "witnessScript" in input ? input.witnessScript : undefined;

describe("claims of any inputs that may share one", function () {
  this.timeout(30_000);
  for (const channelType of CHANNEL_TYPES) {
    it(`are good for the mempool on ${channelType}`, () => {
      let built = 0;
      let joint = 0;
      const inputs = fc.oneof(
        fc.array(revoked(channelType), { minLength: 1, maxLength: 6 }),
        fc.array(honest(channelType), { minLength: 1, maxLength: 6 }),
      );
      fc.assert(
        fc.property(
          inputs,
          fc.integer({ min: 0, max: 60_000 }),
          fc.boolean(),
          (drawn, rate, wide) => {
            const asked = {
              estimate: feeratePerKw(rate),
              weight: 0,
              valueSat: sat(0),
              dustLimitSat: sat(0),
            };
            const packages = packagesOf(drawn, HEIGHT, ({ input, ...facts }) => ({
              ...facts,
              tree: input.kind.startsWith("revoked") ? "revoked" : "counterparty",
              hasDeadline: input.kind !== "revokedHtlc",
              valueSat: input.valueSat,
            }));
            assert.equal(packages.flat().length, drawn.length, "every input is in one");
            for (const group of packages) {
              if (!check(group, channelType, asked, wide)) continue;
              built++;
              if (group.length > 1) joint++;
            }
          },
        ),
        { numRuns: RUNS, seed: SEED },
      );
      assert.ok(built > RUNS && joint > RUNS / 4, `${built} built, ${joint} joint`);
    });
  }
});
