/**
 * Transactions whose inputs, fee and time are ours to choose: justice transactions, claims on the
 * counterparty's commitment, sweeps of our own delayed outputs (BOLT 5; onchain-engine 2.3, 9.1).
 * All are version 2 with one output. Decides sequence, lowest nLockTime, witness and weight of
 * each input.
 */
import { Transaction } from "bitcoinjs-lib";
import type { Sat } from "@farwatch/protocol/amount";
import { sat } from "@farwatch/protocol/amount";
import { assert, assertNever, must } from "@farwatch/protocol/assert";
import type { BlockDelta, BlockHeight } from "@farwatch/protocol/block";
import { txidToInternal, type Outpoint, type Preimage } from "@farwatch/protocol/ids";
import { channelTypeRules, type ChannelType } from "@farwatch/protocol/bolt/channel-type";
import { p2wpkhScriptCode, toRemoteOutput } from "@farwatch/protocol/bolt/scripts";
import { SIGHASH_ALL, toWitnessSignature } from "@farwatch/protocol/bolt/signature";
import {
  DELAYED_OUTPUT_WITNESS,
  INPUT_BYTES,
  OUTPUT_BASE_BYTES,
  REVOKED_TO_LOCAL_WITNESS,
  SEGWIT_HEADER_WEIGHT,
  WITNESS_SCALE,
  counterpartyOfferedWitness,
  counterpartyReceivedWitness,
  revokedHtlcWitness,
  toRemoteWitness,
} from "@farwatch/protocol/bolt/weights";

/** BIP 68 asks for version 2; claims of version-3 parents stay at 2, their parent is confirmed. */
const CLAIM_VERSION = 2;
/** BIP 125: replaceable, and nLockTime still counts. */
export const RBF_SEQUENCE = 0xfffffffd;
const ONE_BLOCK_CSV = 1;
/** Version 4, input count 1, output count 1, locktime 4. */
const FRAME_BYTES = 4 + 1 + 1 + 4;
/** From here on the input count takes 3 bytes instead of 1. */
const WIDE_INPUT_COUNT = 253;

interface InputBase {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
}

/** "offered" and "received" are seen by the broadcaster of the commitment that is spent. */
export type ClaimInput = InputBase &
  (
    | { readonly kind: "revokedToLocal"; readonly witnessScript: Uint8Array }
    | { readonly kind: "revokedSecondStage"; readonly witnessScript: Uint8Array }
    | {
        readonly kind: "revokedHtlc";
        readonly channelType: ChannelType;
        readonly offered: boolean;
        readonly witnessScript: Uint8Array;
      }
    | {
        readonly kind: "counterpartyOfferedPreimage";
        readonly channelType: ChannelType;
        readonly witnessScript: Uint8Array;
      }
    | {
        readonly kind: "counterpartyReceivedTimeout";
        readonly channelType: ChannelType;
        readonly cltvExpiry: BlockHeight;
        readonly witnessScript: Uint8Array;
      }
    | {
        /** Our to_local, or the output of our second-stage transaction, after its delay. */
        readonly kind: "delayedOutput";
        readonly contestDelay: BlockDelta;
        readonly witnessScript: Uint8Array;
      }
    | {
        /** Our output on the counterparty's commitment. */
        readonly kind: "toRemote";
        readonly channelType: ChannelType;
        readonly paymentPoint: Uint8Array;
      }
  );

export type ClaimKind = ClaimInput["kind"];

/** What some witnesses hold besides signature and script. */
export interface WitnessExtras {
  /** For counterpartyOfferedPreimage. */
  readonly preimage?: Preimage | undefined;
  /** For revokedHtlc; 33 bytes. */
  readonly revocationPubkey?: Uint8Array | undefined;
}

/** nSequence an input needs: replaceable, or its relative lock. */
export function inputSequence(input: ClaimInput): number {
  switch (input.kind) {
    case "revokedToLocal":
    case "revokedSecondStage":
    case "revokedHtlc":
      return RBF_SEQUENCE;
    case "counterpartyOfferedPreimage":
    case "counterpartyReceivedTimeout":
    case "toRemote":
      return channelTypeRules(input.channelType).oneBlockCsv ? ONE_BLOCK_CSV : RBF_SEQUENCE;
    case "delayedOutput":
      return input.contestDelay;
    default:
      return assertNever(input);
  }
}

/** Lowest nLockTime with which an input may be spent; 0 for any. */
export const inputLocktime = (input: ClaimInput): number =>
  input.kind === "counterpartyReceivedTimeout" ? input.cltvExpiry : 0;

/** Weight of an input's witness, an upper bound. */
export function inputWitnessWeight(input: ClaimInput): number {
  switch (input.kind) {
    case "revokedToLocal":
    case "revokedSecondStage":
      return REVOKED_TO_LOCAL_WITNESS;
    case "revokedHtlc":
      return revokedHtlcWitness(input.channelType, input.offered);
    case "counterpartyOfferedPreimage":
      return counterpartyOfferedWitness(input.channelType);
    case "counterpartyReceivedTimeout":
      return counterpartyReceivedWitness(input.channelType);
    case "delayedOutput":
      return DELAYED_OUTPUT_WITNESS;
    case "toRemote":
      return toRemoteWitness(input.channelType);
    default:
      return assertNever(input);
  }
}

/** Lowest nLockTime with which all inputs may be spent together. */
export const claimLocktime = (inputs: readonly ClaimInput[]): number =>
  inputs.reduce((highest, input) => Math.max(highest, inputLocktime(input)), 0);

export const claimValueSat = (inputs: readonly ClaimInput[]): Sat =>
  sat(inputs.reduce((sum, input) => sum + input.valueSat, 0n));

/** Weight of a signed claim, an upper bound (onchain-engine 2.5). */
export function claimWeight(inputs: readonly ClaimInput[], destinationScript: Uint8Array): number {
  const outputBytes = OUTPUT_BASE_BYTES + destinationScript.length;
  const countBytes = inputs.length >= WIDE_INPUT_COUNT ? 2 : 0;
  return inputs.reduce(
    (weight, input) => weight + WITNESS_SCALE * INPUT_BYTES + inputWitnessWeight(input),
    WITNESS_SCALE * (FRAME_BYTES + countBytes + outputBytes) + SEGWIT_HEADER_WEIGHT,
  );
}

/**
 * Unsigned claim that pays all inputs minus `feeSat` to one script. `locktime` is a height, at
 * least `claimLocktime`; throws when it is lower or the fee takes everything.
 */
export function buildClaimTx(
  inputs: readonly ClaimInput[],
  destinationScript: Uint8Array,
  feeSat: Sat,
  locktime: number,
): Transaction {
  assert(inputs.length > 0, "claim: no inputs");
  assert(locktime >= claimLocktime(inputs), "claim: locktime below that of an input");
  const tx = new Transaction();
  tx.version = CLAIM_VERSION;
  tx.locktime = locktime;
  for (const input of inputs) {
    const { txid, vout } = input.outpoint;
    tx.addInput(txidToInternal(txid), vout, inputSequence(input));
  }
  const valueSat = claimValueSat(inputs);
  assert(feeSat < valueSat, "claim: the fee takes everything");
  tx.addOutput(destinationScript, sat(valueSat - feeSat));
  return tx;
}

/** 32-byte SIGHASH_ALL digest of input `index`; `input` is the one the claim was built with. */
export const inputSighash = (tx: Transaction, index: number, input: ClaimInput): Uint8Array =>
  tx.hashForWitnessV0(index, scriptCode(input), input.valueSat, SIGHASH_ALL);

/** Witness of an input from its 64-byte compact signature. */
export function inputWitness(
  input: ClaimInput,
  signature: Uint8Array,
  extras: WitnessExtras = {},
): Uint8Array[] {
  const signed = toWitnessSignature(signature, SIGHASH_ALL);
  const empty = new Uint8Array(0);
  switch (input.kind) {
    case "revokedToLocal":
    case "revokedSecondStage":
      return [signed, Uint8Array.of(1), input.witnessScript];
    case "revokedHtlc":
      return [signed, must(extras.revocationPubkey, "revocation pubkey"), input.witnessScript];
    case "counterpartyOfferedPreimage":
      return [signed, must(extras.preimage, "preimage"), input.witnessScript];
    case "counterpartyReceivedTimeout":
    case "delayedOutput":
      return [signed, empty, input.witnessScript];
    case "toRemote":
      return [signed, toRemoteScript(input) ?? input.paymentPoint];
    default:
      return assertNever(input);
  }
}

/** undefined: P2WPKH. */
const toRemoteScript = (input: {
  readonly channelType: ChannelType;
  readonly paymentPoint: Uint8Array;
}): Uint8Array | undefined => toRemoteOutput(input.channelType, input.paymentPoint).witnessScript;

const scriptCode = (input: ClaimInput): Uint8Array =>
  input.kind === "toRemote"
    ? (toRemoteScript(input) ?? p2wpkhScriptCode(input.paymentPoint))
    : input.witnessScript;
