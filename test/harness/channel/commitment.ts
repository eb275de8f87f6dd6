/**
 * One side's commitment at one number: the transaction, its HTLCs by output, and the signatures the
 * other side gives for it and for its second-stage transactions (BOLT 3; BOLT 2, commitment_signed).
 * `side` is always the broadcaster, the only one who may publish it.
 */
import { msatToSatFloor, type Sat } from "@farwatch/protocol/amount";
import { assert, must } from "@farwatch/protocol/assert";
import { commitmentNumber, type CommitmentNumber, type Outpoint } from "@farwatch/protocol/ids";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import {
  buildCommitment,
  commitmentSighash,
  type BuiltCommitment,
  type CommitmentSpec,
} from "@farwatch/monitor-service/bolt/commitment-tx";
import { commitmentKeys, type CommitmentKeys } from "@farwatch/protocol/bolt/keys";
import { htlcWitnessScript } from "@farwatch/protocol/bolt/scripts";
import { buildHtlcTx, htlcTxSighash } from "@farwatch/monitor-service/tx/second-stage";
import type { Transaction } from "bitcoinjs-lib";
import { sameHtlc, type Htlc, type HtlcRef, type LedgerState } from "./ledger.js";
import { demand } from "./refusal.js";
import { otherSide, type ChannelSetup, type Side } from "./setup.js";

/** An HTLC of a commitment; no index: trimmed (dust). */
export interface CommittedHtlc {
  readonly htlc: Htlc;
  /** By the broadcaster. */
  readonly offered: boolean;
  readonly outputIndex: number | undefined;
}

export interface Commitment {
  readonly side: Side;
  readonly number: CommitmentNumber;
  readonly state: LedgerState;
  readonly keys: CommitmentKeys;
  readonly built: BuiltCommitment;
  readonly htlcs: readonly CommittedHtlc[];
}

/** By the other side; 64 bytes compact each. */
export interface CommitmentSignatures {
  readonly signature: Uint8Array;
  /** One per untrimmed HTLC, by output index. */
  readonly htlcSignatures: readonly Uint8Array[];
}

export interface SignedCommitment extends Commitment, CommitmentSignatures {}

/** A second-stage transaction of the broadcaster, unsigned, with what its signatures cover. */
export interface SecondStage {
  readonly tx: Transaction;
  readonly witnessScript: Uint8Array;
  readonly amountSat: Sat;
}

/** Offered by the broadcaster first, then by id, so that both sides order identical outputs alike. */
const inCanonicalOrder = (side: Side, htlcs: readonly Htlc[]): readonly Htlc[] =>
  [...htlcs].sort((a, b) =>
    a.offeredBy === b.offeredBy ? Number(a.id - b.id) : a.offeredBy === side ? -1 : 1,
  );

/** Builds commitment `number` of `side` from balances before fees. */
export function makeCommitment(
  setup: ChannelSetup,
  funding: Outpoint,
  side: Side,
  number: CommitmentNumber | number,
  state: LedgerState,
): Commitment {
  const own = setup.sides[side];
  const peer = setup.sides[otherSide(side)];
  const { pubkeys } = own.party;
  const htlcs = inCanonicalOrder(side, state.htlcs);
  const point = own.party.perCommitmentPoint(number);
  const keys = commitmentKeys(setup.curve, pubkeys, peer.party.pubkeys, point);
  const spec: CommitmentSpec = {
    channelType: setup.channelType,
    fundingOutpoint: funding,
    fundingValueSat: setup.capacitySat,
    commitmentNumber: commitmentNumber(number),
    obscureFactor: setup.obscureFactor,
    keys,
    broadcasterFundingPubkey: pubkeys.fundingPubkey,
    countersignatoryFundingPubkey: peer.party.pubkeys.fundingPubkey,
    contestDelay: peer.contestDelay,
    feeratePerKw: state.feeratePerKw,
    broadcasterIsOpener: setup.opener === side,
    toBroadcasterMsat: state.balanceMsat[side],
    toCountersignatoryMsat: state.balanceMsat[otherSide(side)],
    dustLimitSat: own.dustLimitSat,
    htlcs: htlcs.map((htlc) => ({ ...htlc, offered: htlc.offeredBy === side })),
  };
  const built = buildCommitment(setup.curve, spec);
  return {
    side,
    number: spec.commitmentNumber,
    state,
    keys,
    built,
    htlcs: htlcs.map((htlc, i) => ({
      htlc,
      offered: htlc.offeredBy === side,
      outputIndex: built.htlcOutputIndex[i],
    })),
  };
}

/** Untrimmed HTLCs by output index, the order of their signatures. */
export const untrimmed = (commitment: Commitment) =>
  commitment.htlcs
    .flatMap(({ htlc, offered, outputIndex }) =>
      outputIndex === undefined ? [] : [{ htlc, offered, outputIndex }],
    )
    .sort((a, b) => a.outputIndex - b.outputIndex);

/** The untrimmed HTLC a test names; refuses `unknownHtlc` and `trimmed`. */
export function findUntrimmed(commitment: Commitment, ref: HtlcRef) {
  const found = commitment.htlcs.find(({ htlc }) => sameHtlc(htlc, ref));
  demand(found !== undefined, "unknownHtlc", `not in ${commitment.side}'s ${commitment.number}`);
  const position = untrimmed(commitment).findIndex(({ htlc }) => sameHtlc(htlc, ref));
  demand(position >= 0, "trimmed", "the HTLC is dust in this commitment");
  return { ...must(untrimmed(commitment)[position], "found above"), position };
}

/** HTLC-timeout or HTLC-success of one output, seen by the broadcaster. */
export function secondStageOf(
  setup: ChannelSetup,
  commitment: Commitment,
  { htlc, offered, outputIndex }: { htlc: Htlc; offered: boolean; outputIndex: number },
): SecondStage {
  const { keys, side, state, built } = commitment;
  const tx = buildHtlcTx({
    channelType: setup.channelType,
    commitmentTxid: built.txid,
    outputIndex,
    htlc: { ...htlc, offered },
    feeratePerKw: state.feeratePerKw,
    contestDelay: setup.sides[otherSide(side)].contestDelay,
    revocationPubkey: keys.revocationPubkey,
    delayedPubkey: keys.broadcasterDelayedPubkey,
  });
  return {
    tx,
    witnessScript: htlcWitnessScript(setup.channelType, keys, { ...htlc, offered }),
    amountSat: msatToSatFloor(htlc.amountMsat),
  };
}

/** What the other side sends as commitment_signed. */
export function signCommitment(setup: ChannelSetup, commitment: Commitment): CommitmentSignatures {
  const { party } = setup.sides[otherSide(commitment.side)];
  const htlcKey = {
    kind: "htlc",
    perCommitmentPoint: commitment.keys.perCommitmentPoint,
  } as const;
  return {
    signature: party.sign({ kind: "funding" }, fundingDigest(setup, commitment)),
    htlcSignatures: htlcDigests(setup, commitment).map((digest) => party.sign(htlcKey, digest)),
  };
}

/** True when every signature of the other side is valid for exactly this commitment. */
export function signaturesVerify(
  setup: ChannelSetup,
  commitment: Commitment,
  { signature, htlcSignatures }: CommitmentSignatures,
): boolean {
  const { fundingPubkey } = setup.sides[otherSide(commitment.side)].party.pubkeys;
  const digests = htlcDigests(setup, commitment);
  const key = commitment.keys.countersignatoryHtlcPubkey;
  return (
    setup.curve.ecdsaVerify(signature, fundingDigest(setup, commitment), fundingPubkey) &&
    digests.length === htlcSignatures.length &&
    digests.every((digest, i) =>
      setup.curve.ecdsaVerify(must(htlcSignatures[i], "counted above"), digest, key),
    )
  );
}

export const fundingDigest = (setup: ChannelSetup, { built }: Commitment): Uint8Array =>
  commitmentSighash(built.tx, setup.fundingWitnessScript, setup.capacitySat);

const htlcDigests = (setup: ChannelSetup, commitment: Commitment): readonly Uint8Array[] => {
  const { counterpartyHtlcSighash } = channelTypeRules(setup.channelType);
  return untrimmed(commitment).map((found) => {
    const { tx, witnessScript, amountSat } = secondStageOf(setup, commitment, found);
    return htlcTxSighash(tx, witnessScript, amountSat, counterpartyHtlcSighash);
  });
};

/** Outputs never exceed the channel; everything else is fee. */
export function assertConserved(setup: ChannelSetup, { state, built }: Commitment): void {
  const inHtlcs = state.htlcs.reduce((sum, htlc) => sum + htlc.amountMsat, 0n);
  const { holder, counterparty } = state.balanceMsat;
  assert(holder + counterparty + inHtlcs === setup.capacitySat * 1000n, "msat are conserved");
  assert(built.feeSat >= 0n, "outputs fit the channel");
}
