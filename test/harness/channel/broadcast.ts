/**
 * Transactions one side can publish by itself: any of its own commitments, revoked ones included, and
 * the second-stage transactions of that commitment (BOLT 3). Tests cheat and close with these.
 */
import type { Transaction } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import type { Preimage } from "@farwatch/protocol/ids";
import { addFundingWitness } from "@farwatch/monitor-service/bolt/commitment-tx";
import { SIGHASH_ALL } from "@farwatch/protocol/bolt/signature";
import { htlcTxSighash, htlcTxWitness } from "@farwatch/monitor-service/tx/second-stage";
import type { Channel } from "./channel.js";
import {
  findUntrimmed,
  fundingDigest,
  secondStageOf,
  type SignedCommitment,
} from "./commitment.js";
import type { HtlcRef } from "./ledger.js";
import { demand } from "./refusal.js";
import { otherSide, type ChannelSetup, type Side } from "./setup.js";

const HTLC_INPUT = 0;

/** `side`'s own commitment `number` (default: its newest) with both signatures, ready to publish. */
export const broadcastableCommitment = (
  channel: Channel,
  side: Side,
  number?: number,
): Uint8Array => fullySigned(channel.setup, channel.commitment(side, number));

/** A commitment with the broadcaster's own signature added to the peer's. */
export function fullySigned(setup: ChannelSetup, commitment: SignedCommitment): Uint8Array {
  const { party } = setup.sides[commitment.side];
  const own = party.sign({ kind: "funding" }, fundingDigest(setup, commitment));
  const tx = commitment.built.tx.clone();
  const peerKey = setup.sides[otherSide(commitment.side)].party.pubkeys.fundingPubkey;
  addFundingWitness(tx, party.pubkeys.fundingPubkey, own, peerKey, commitment.signature);
  return bytesOf(tx);
}

/** A second-stage transaction to which inputs and outputs for a fee may be added before `finish`. */
export interface SecondStageDraft {
  /** Input 0 is the HTLC, output 0 its delayed output. */
  readonly tx: Transaction;
  /** Signs input 0 of `tx` as it then is and puts the witness in. */
  finish(tx: Transaction): void;
}

/**
 * HTLC-success with a preimage, HTLC-timeout without, of `side`'s own commitment `number`. Refuses
 * `trimmed`, `unknownHtlc`, and `wrongDirection` when the HTLC is not of that kind.
 */
export const secondStageDraft = (
  channel: Channel,
  side: Side,
  number: number,
  ref: HtlcRef,
  preimage?: Preimage,
): SecondStageDraft => draftOf(channel.setup, channel.commitment(side, number), ref, preimage);

/** As secondStageDraft, of a commitment at hand. */
export function draftOf(
  setup: ChannelSetup,
  commitment: SignedCommitment,
  ref: HtlcRef,
  preimage?: Preimage,
): SecondStageDraft {
  const found = findUntrimmed(commitment, ref);
  const expected = preimage === undefined;
  demand(found.offered === expected, "wrongDirection", "timeouts are for offered HTLCs only");
  const { tx, witnessScript, amountSat } = secondStageOf(setup, commitment, found);
  const counterpartySignature = must(commitment.htlcSignatures[found.position], "HTLC signature");
  const key = { kind: "htlc", perCommitmentPoint: commitment.keys.perCommitmentPoint } as const;
  return {
    tx,
    finish(final) {
      const digest = htlcTxSighash(final, witnessScript, amountSat, SIGHASH_ALL);
      const witness = htlcTxWitness({
        channelType: setup.channelType,
        counterpartySignature,
        broadcasterSignature: setup.sides[commitment.side].party.sign(key, digest),
        preimage,
        htlcScript: witnessScript,
      });
      final.setWitness(HTLC_INPUT, witness);
    },
  };
}

/** Fully signed HTLC-timeout. On anchor channels it pays no fee: see wallet-fee.ts. */
export const htlcTimeoutTx = (
  channel: Channel,
  side: Side,
  number: number,
  ref: HtlcRef,
): Uint8Array => finishedTx(secondStageDraft(channel, side, number, ref));

/** Fully signed HTLC-success. On anchor channels it pays no fee: see wallet-fee.ts. */
export const htlcSuccessTx = (
  channel: Channel,
  side: Side,
  number: number,
  ref: HtlcRef,
  preimage: Preimage,
): Uint8Array => finishedTx(secondStageDraft(channel, side, number, ref, preimage));

/** The draft as it is, signed: no fee is added. */
export function finishedTx(draft: SecondStageDraft): Uint8Array {
  draft.finish(draft.tx);
  return bytesOf(draft.tx);
}

export const bytesOf = (tx: Transaction): Uint8Array => Uint8Array.from(tx.toBuffer());
