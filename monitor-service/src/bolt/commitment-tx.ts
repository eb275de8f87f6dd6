/**
 * Builds commitment transactions byte for byte (BOLT 3, "Commitment Transaction Construction"; BOLT
 * PR 1228; onchain-engine 15): from balances and a feerate, or again from output values already agreed.
 * The broadcaster is whoever may publish it; all directions are seen from there. Keys are derived
 * before, so the curve every builder is given has nothing to do here. Signs nothing.
 */
import { Transaction } from "bitcoinjs-lib";
import type { FeeratePerKw, Msat, Sat } from "@farwatch/protocol/amount";
import { msatToSatFloor, sat } from "@farwatch/protocol/amount";
import { compareBytes } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { txid, txidToInternal, type Txid } from "@farwatch/protocol/ids";
import { ANCHOR_SAT, channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import { encodeCommitmentNumber } from "@farwatch/protocol/bolt/commitment-number";
import {
  leftOver,
  planOutputs,
  type CommitmentHtlcOutput,
  type CommitmentIdentity,
  type OutputRole,
  type PlacedHtlc,
} from "@farwatch/protocol/bolt/commitment-outputs";
import { fundingScript } from "@farwatch/protocol/bolt/scripts";
import { SIGHASH_ALL, toWitnessSignature } from "@farwatch/protocol/bolt/signature";
import { commitmentFeeSat, isTrimmed } from "@farwatch/protocol/bolt/weights";

/** A commitment transaction spends the funding output and nothing else. */
const FUNDING_INPUT = 0;

/** Balances as BOLT 2 keeps them: before the fee and the anchors are taken from the opener. */
export interface CommitmentSpec extends CommitmentIdentity {
  readonly feeratePerKw: FeeratePerKw;
  readonly broadcasterIsOpener: boolean;
  readonly toBroadcasterMsat: Msat;
  readonly toCountersignatoryMsat: Msat;
  /** The broadcaster's. */
  readonly dustLimitSat: Sat;
  readonly htlcs: readonly CommitmentHtlcOutput[];
}

/** Output values as they stand in the transaction. */
export interface KnownCommitment extends CommitmentIdentity {
  /** After fees; 0: no such output. */
  readonly toBroadcasterSat: Sat;
  readonly toCountersignatorySat: Sat;
  readonly htlcs: readonly KnownHtlcOutput[];
}

export interface KnownHtlcOutput extends CommitmentHtlcOutput {
  /** undefined: trimmed (dust). */
  readonly outputIndex?: number | undefined;
}

export interface BuiltCommitment {
  /** Unsigned. */
  readonly tx: Transaction;
  readonly txid: Txid;
  /** One per HTLC given, in the same order; undefined: trimmed. */
  readonly htlcOutputIndex: readonly (number | undefined)[];
  readonly toLocalIndex: number | undefined;
  readonly toRemoteIndex: number | undefined;
  /** The broadcaster's anchor. */
  readonly toLocalAnchorIndex: number | undefined;
  /** The countersignatory's anchor. */
  readonly toRemoteAnchorIndex: number | undefined;
  /** The anchor anyone may spend. */
  readonly sharedAnchorIndex: number | undefined;
  /** Funding value minus outputs; negative when the values given do not fit the channel. */
  readonly feeSat: bigint;
}

/** Builds a commitment from balances, deciding fee, anchors and trimming. */
export function buildCommitment(_curve: Curve, spec: CommitmentSpec): BuiltCommitment {
  const { channelType, feeratePerKw, dustLimitSat } = spec;
  const isKept = (htlc: CommitmentHtlcOutput): boolean =>
    !isTrimmed(channelType, htlc, feeratePerKw, dustLimitSat);
  const kept = spec.htlcs.filter(isKept).length;
  const anchors = channelTypeRules(channelType).anchors === "keyed" ? 2n * ANCHOR_SAT : 0n;
  const openerCost = commitmentFeeSat(channelType, feeratePerKw, kept) + anchors;
  const mainOutput = (balance: Msat, isOpener: boolean): Sat => {
    const value = msatToSatFloor(balance) - (isOpener ? openerCost : 0n);
    return value < dustLimitSat ? sat(0) : sat(value);
  };
  return assemble(
    spec,
    mainOutput(spec.toBroadcasterMsat, spec.broadcasterIsOpener),
    mainOutput(spec.toCountersignatoryMsat, !spec.broadcasterIsOpener),
    spec.htlcs.map((htlc, i) => ({ htlc, i, tieBreak: i, kept: isKept(htlc) })),
  );
}

/**
 * Builds a commitment again from known output values; the caller compares the txid and the indices.
 * Among HTLCs whose outputs are identical the given indices decide the order.
 */
export function rebuildCommitment(_curve: Curve, known: KnownCommitment): BuiltCommitment {
  return assemble(
    known,
    known.toBroadcasterSat,
    known.toCountersignatorySat,
    known.htlcs.map((htlc, i) => ({
      htlc,
      i,
      tieBreak: htlc.outputIndex ?? 0,
      kept: htlc.outputIndex !== undefined,
    })),
  );
}

function assemble(
  identity: CommitmentIdentity,
  toBroadcasterSat: Sat,
  toCountersignatorySat: Sat,
  htlcs: readonly PlacedHtlc[],
): BuiltCommitment {
  const outputs = planOutputs(identity, toBroadcasterSat, toCountersignatorySat, htlcs);

  const { locktime, sequence } = encodeCommitmentNumber(
    identity.commitmentNumber,
    identity.obscureFactor,
  );
  const tx = new Transaction();
  tx.version = channelTypeRules(identity.channelType).txVersion;
  tx.locktime = locktime;
  const { fundingOutpoint } = identity;
  tx.addInput(txidToInternal(fundingOutpoint.txid), fundingOutpoint.vout, sequence);
  for (const output of outputs) tx.addOutput(output.scriptPubkey, output.valueSat);

  const indexOf = (matches: (role: OutputRole) => boolean): number | undefined => {
    const index = outputs.findIndex((output) => matches(output.role));
    return index < 0 ? undefined : index;
  };
  const htlcOutputIndex: (number | undefined)[] = htlcs.map(() => undefined);
  for (const [index, { role }] of outputs.entries()) {
    if (typeof role !== "string") htlcOutputIndex[role.i] = index;
  }
  return {
    tx,
    txid: txid(tx.getId()),
    htlcOutputIndex,
    toLocalIndex: indexOf((role) => role === "toLocal"),
    toRemoteIndex: indexOf((role) => role === "toRemote"),
    toLocalAnchorIndex: indexOf((role) => role === "toLocalAnchor"),
    toRemoteAnchorIndex: indexOf((role) => role === "toRemoteAnchor"),
    sharedAnchorIndex: indexOf((role) => role === "sharedAnchor"),
    feeSat: leftOver(outputs, identity.fundingValueSat),
  };
}

/** 32-byte digest both sides sign (SIGHASH_ALL); `script` is the 2-of-2 of the funding output. */
export const commitmentSighash = (
  tx: Transaction,
  script: Uint8Array,
  fundingValueSat: Sat,
): Uint8Array => tx.hashForWitnessV0(FUNDING_INPUT, script, fundingValueSat, SIGHASH_ALL);

/** Puts both 64-byte compact signatures into `tx`, in the order of the keys in the script. */
export function addFundingWitness(
  tx: Transaction,
  fundingPubkeyA: Uint8Array,
  signatureA: Uint8Array,
  fundingPubkeyB: Uint8Array,
  signatureB: Uint8Array,
): void {
  const [lower, higher] =
    compareBytes(fundingPubkeyA, fundingPubkeyB) < 0
      ? [signatureA, signatureB]
      : [signatureB, signatureA];
  tx.setWitness(FUNDING_INPUT, [
    new Uint8Array(0),
    toWitnessSignature(lower, SIGHASH_ALL),
    toWitnessSignature(higher, SIGHASH_ALL),
    fundingScript(fundingPubkeyA, fundingPubkeyB),
  ]);
}
