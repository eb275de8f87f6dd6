/**
 * The engine's own path from balances to signed transactions, on the keys of BOLT 3: appendices C and F
 * byte for byte, D and E for the secrets and keys a side derives.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { feeratePerKw, msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockDelta, blockHeight } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { ChannelType } from "@farwatch/protocol/channel";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import {
  channelId,
  commitmentNumber,
  hashOfPreimage,
  htlcId,
  perCommitmentSecret,
  preimage,
  txid,
} from "@farwatch/protocol/ids";
import { commitmentNumberOfIndex } from "@farwatch/protocol/bolt/commitment-number";
import { draftOf, finishedTx, fullySigned } from "./broadcast.js";
import {
  makeCommitment,
  signaturesVerify,
  signCommitment,
  type SignedCommitment,
} from "./commitment.js";
import { nothingIncluded, type Htlc, type LedgerState } from "./ledger.js";
import { Party, perCommitmentSecrets, type PartySecrets } from "./party.js";
import { setupOf, type ChannelSetup } from "./setup.js";
import { defaultSource } from "./sources.js";

const load = <S extends z.ZodType>(letter: string, schema: S): z.infer<S> => {
  const file = new URL(`../../../vectors/bolt3/appendix-${letter}.json`, import.meta.url);
  return schema.parse(JSON.parse(fs.readFileSync(file, "utf8")));
};

const appendixC = load(
  "c",
  z.object({
    parameters: z.object({
      fundingTxid: z.string(),
      fundingOutputIndex: z.number(),
      fundingSat: z.number(),
      commitmentNumber: z.number(),
      localDelay: z.number(),
      localDustLimitSat: z.number(),
      obscureFactor: z.string(),
    }),
    keys: z.record(z.string(), z.string()),
    htlcs: z.array(
      z.object({
        direction: z.string(),
        amountMsat: z.number(),
        expiry: z.number(),
        preimage: z.string(),
      }),
    ),
    cases: z.array(
      z.object({
        name: z.string(),
        toLocalMsat: z.number(),
        toRemoteMsat: z.number(),
        feeratePerKw: z.number(),
        commitmentTx: z.string(),
        htlcTxs: z.array(z.object({ htlc: z.number(), tx: z.string() })),
      }),
    ),
  }),
);
const appendixD = load(
  "d",
  z.object({
    generation: z.array(
      z.object({ name: z.string(), seed: z.string(), index: z.string(), output: z.string() }),
    ),
  }),
);
const appendixE = load(
  "e",
  z.object({
    baseSecret: z.string(),
    perCommitmentSecret: z.string(),
    localPubkey: z.string(),
    revocationPubkey: z.string(),
  }),
);
const appendixF = load(
  "f",
  z.object({
    cases: z.array(
      z.object({
        name: z.string(),
        localBalance: z.number(),
        remoteBalance: z.number(),
        dustLimitSatoshis: z.number(),
        feePerKw: z.number(),
        useTestHtlcs: z.boolean(),
        htlcDescs: z.array(z.object({ resolutionTxHex: z.string() })),
        expectedCommitmentTxHex: z.string(),
      }),
    ),
  }),
);

const key = (name: string): Uint8Array => fromHex(must(appendixC.keys[name], name));
const UNUSED = new Uint8Array(32).fill(9);
const funding = {
  txid: txid(appendixC.parameters.fundingTxid),
  vout: appendixC.parameters.fundingOutputIndex,
};

const partyOf = (secrets: PartySecrets): Party =>
  new Party(
    nobleCurve,
    new Uint8Array(32),
    { nodeId: nobleCurve.publicKey(UNUSED), destinationScript: new Uint8Array(22) },
    secrets,
  );

const local = partyOf({
  funding: key("localFundingPrivkey"),
  payment: key("localPaymentBasepointSecret"),
  htlcBase: key("localPaymentBasepointSecret"),
  delayedPaymentBase: key("localDelayedPaymentBasepointSecret"),
  revocationBase: UNUSED,
  perCommitment: () => perCommitmentSecret(key("localPerCommitmentSecret")),
});
const remote = partyOf({
  funding: key("remoteFundingPrivkey"),
  payment: key("remotePaymentBasepointSecret"),
  htlcBase: key("remotePaymentBasepointSecret"),
  delayedPaymentBase: UNUSED,
  revocationBase: key("remoteRevocationBasepointSecret"),
  perCommitment: () => perCommitmentSecret(UNUSED),
});

const setup = (channelType: ChannelType, dustLimit: number): ChannelSetup => {
  const side = (party: Party) => ({
    party,
    dustLimitSat: sat(dustLimit),
    contestDelay: blockDelta(appendixC.parameters.localDelay),
    reserveSat: sat(0),
  });
  return setupOf({
    curve: nobleCurve,
    channelType,
    capacitySat: sat(appendixC.parameters.fundingSat),
    initialFeeratePerKw: feeratePerKw(0),
    opener: "holder",
    sides: { holder: side(local), counterparty: side(remote) },
  });
};

const preimageOf = (i: number) => preimage(fromHex(must(appendixC.htlcs[i], "htlc").preimage));

function htlcOf(i: number): Htlc {
  const { direction, amountMsat, expiry } = must(appendixC.htlcs[i], "htlc");
  const offeredBy = direction === "local->remote" ? "holder" : "counterparty";
  const id = htlcId(i);
  return {
    offeredBy,
    id,
    amountMsat: msat(amountMsat),
    cltvExpiry: blockHeight(expiry),
    paymentHash: hashOfPreimage(preimageOf(i)),
    source: defaultSource(channelId("00".repeat(32)), offeredBy, id, msat(amountMsat)),
  };
}

/** HTLCs in play: the case names tell, as appendix C says in its introduction. */
const htlcsOf = (name: string): readonly Htlc[] =>
  name.startsWith("simple commitment")
    ? []
    : (name.includes("same amount and preimage") ? [1, 5, 6] : [0, 1, 2, 3, 4]).map(htlcOf);

interface Balances {
  readonly toLocal: number;
  readonly toRemote: number;
  readonly feerate: number;
}

function signed(
  channel: ChannelSetup,
  { toLocal, toRemote, feerate }: Balances,
  htlcs: readonly Htlc[],
): SignedCommitment {
  const state: LedgerState = {
    included: nothingIncluded,
    balanceMsat: { holder: msat(toLocal), counterparty: msat(toRemote) },
    htlcs,
    feeratePerKw: feeratePerKw(feerate),
  };
  const number = appendixC.parameters.commitmentNumber;
  const commitment = makeCommitment(channel, funding, "holder", number, state);
  const signatures = signCommitment(channel, commitment);
  assert.ok(signaturesVerify(channel, commitment, signatures));
  return { ...commitment, ...signatures };
}

/** The vectors' second-stage transactions and ours, by the output they spend. */
function assertSecondStages(
  channel: ChannelSetup,
  commitment: SignedCommitment,
  expected: readonly string[],
): void {
  const ours = commitment.htlcs
    .filter(({ outputIndex }) => outputIndex !== undefined)
    .map(({ htlc, offered }) => {
      const secret = offered ? undefined : preimageOf(Number(htlc.id));
      return toHex(finishedTx(draftOf(channel, commitment, htlc, secret)));
    });
  const byOutput = (hex: string): number => must(Transaction.fromHex(hex).ins[0], "input").index;
  const sorted = (list: readonly string[]) => [...list].sort((a, b) => byOutput(a) - byOutput(b));
  assert.deepEqual(sorted(ours), sorted(expected));
}

describe("channel engine on BOLT 3 keys", () => {
  const dustC = appendixC.parameters.localDustLimitSat;
  for (const vector of appendixC.cases) {
    it(`appendix C: ${vector.name}`, () => {
      const channel = setup("static_remote_key", dustC);
      const { toLocalMsat: toLocal, toRemoteMsat: toRemote, feeratePerKw: feerate } = vector;
      const balances = { toLocal, toRemote, feerate };
      const commitment = signed(channel, balances, htlcsOf(vector.name));
      assert.equal(toHex(fullySigned(channel, commitment)), vector.commitmentTx);
      const expected = vector.htlcTxs.map(({ tx }) => tx);
      assertSecondStages(channel, commitment, expected);
    });
  }

  for (const vector of appendixF.cases) {
    it(`appendix F: ${vector.name}`, () => {
      const channel = setup("anchors_zero_fee_htlc", vector.dustLimitSatoshis);
      const { localBalance: toLocal, remoteBalance: toRemote, feePerKw: feerate } = vector;
      const htlcs = vector.useTestHtlcs ? htlcsOf(vector.name) : [];
      const commitment = signed(channel, { toLocal, toRemote, feerate }, htlcs);
      assert.equal(toHex(fullySigned(channel, commitment)), vector.expectedCommitmentTxHex);
      const expected = vector.htlcDescs.map(({ resolutionTxHex }) => resolutionTxHex);
      assertSecondStages(channel, commitment, expected);
    });
  }

  it("derives appendix C's obscure factor", () => {
    const { obscureFactor } = setup("static_remote_key", dustC);
    assert.equal(obscureFactor.toString(16), appendixC.parameters.obscureFactor);
  });

  for (const vector of appendixD.generation) {
    it(`appendix D: ${vector.name}`, () => {
      const secretOf = perCommitmentSecrets(fromHex(vector.seed));
      const number = commitmentNumberOfIndex(BigInt(vector.index));
      assert.equal(toHex(secretOf(number)), vector.output);
    });
  }

  it("appendix E: keys of a commitment and the secret that signs for one", () => {
    const base = fromHex(appendixE.baseSecret);
    const secrets: PartySecrets = {
      funding: UNUSED,
      payment: UNUSED,
      htlcBase: base,
      delayedPaymentBase: base,
      revocationBase: base,
      perCommitment: () => perCommitmentSecret(fromHex(appendixE.perCommitmentSecret)),
    };
    const party = partyOf(secrets);
    const side = { ...setup("static_remote_key", dustC).sides.holder, party };
    const channel = setupOf({
      ...setup("static_remote_key", dustC),
      sides: { holder: side, counterparty: side },
    });
    const { keys } = signed(channel, { toLocal: 1e9, toRemote: 1e9, feerate: 0 }, []);
    assert.equal(toHex(keys.broadcasterHtlcPubkey), appendixE.localPubkey);
    assert.equal(toHex(keys.broadcasterDelayedPubkey), appendixE.localPubkey);
    assert.equal(toHex(keys.revocationPubkey), appendixE.revocationPubkey);
    const digest = new Uint8Array(32).fill(3);
    const { perCommitmentPoint } = keys;
    const signature = party.sign({ kind: "htlc", perCommitmentPoint }, digest);
    assert.ok(nobleCurve.ecdsaVerify(signature, digest, fromHex(appendixE.localPubkey)));
    assert.deepEqual(party.perCommitmentPoint(commitmentNumber(5)), perCommitmentPoint);
  });
});
