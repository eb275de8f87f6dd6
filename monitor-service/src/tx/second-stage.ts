/**
 * HTLC-timeout and HTLC-success: the broadcaster's way to claim HTLC outputs of its own
 * commitment (BOLT 3, "HTLC-Timeout and HTLC-Success Transactions"). The counterparty has signed
 * them beforehand, so every byte is determined; on anchor channels inputs and outputs for a fee
 * may be added later.
 */
import { Transaction } from "bitcoinjs-lib";
import type { FeeratePerKw, Msat, Sat } from "@farwatch/protocol/amount";
import { msatToSatFloor, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { BlockDelta, BlockHeight } from "@farwatch/protocol/block";
import { txidToInternal, type Preimage, type Txid } from "@farwatch/protocol/ids";
import { channelTypeRules, type ChannelType } from "@farwatch/protocol/bolt/channel-type";
import { p2wsh, toLocalScript } from "@farwatch/protocol/bolt/scripts";
import { SIGHASH_ALL, toWitnessSignature } from "@farwatch/protocol/bolt/signature";
import { htlcFeeSat } from "@farwatch/protocol/bolt/weights";

const HTLC_INPUT = 0;

/** Seen by the broadcaster of the commitment. */
export interface SecondStageHtlc {
  readonly offered: boolean;
  readonly amountMsat: Msat;
  readonly cltvExpiry: BlockHeight;
}

export interface HtlcTxSpec {
  readonly channelType: ChannelType;
  readonly commitmentTxid: Txid;
  readonly outputIndex: number;
  readonly htlc: SecondStageHtlc;
  /** Of the commitment. */
  readonly feeratePerKw: FeeratePerKw;
  /** Delay imposed on the broadcaster. */
  readonly contestDelay: BlockDelta;
  readonly revocationPubkey: Uint8Array;
  readonly delayedPubkey: Uint8Array;
}

export interface HtlcTxWitness {
  readonly channelType: ChannelType;
  /** 64 bytes compact, made with the sighash type of the channel type. */
  readonly counterpartySignature: Uint8Array;
  /** 64 bytes compact over the SIGHASH_ALL digest. */
  readonly broadcasterSignature: Uint8Array;
  /** For HTLC-success; undefined for HTLC-timeout. */
  readonly preimage: Preimage | undefined;
  readonly htlcScript: Uint8Array;
}

/** Value of the only output; undefined when the HTLC cannot pay the fee, so it must be trimmed. */
export function htlcTxOutputSat(
  channelType: ChannelType,
  htlc: SecondStageHtlc,
  feeratePerKw: FeeratePerKw,
): Sat | undefined {
  const value =
    msatToSatFloor(htlc.amountMsat) - htlcFeeSat(channelType, htlc.offered, feeratePerKw);
  return value < 0n ? undefined : sat(value);
}

/**
 * Unsigned HTLC-timeout (offered) or HTLC-success (received). Throws when `htlcTxOutputSat` is
 * undefined: such an HTLC has no output in a valid commitment.
 */
export function buildHtlcTx(spec: HtlcTxSpec): Transaction {
  const { channelType, htlc } = spec;
  const value = must(
    htlcTxOutputSat(channelType, htlc, spec.feeratePerKw),
    "HTLC amount above its second-stage fee",
  );
  const rules = channelTypeRules(channelType);
  const tx = new Transaction();
  tx.version = rules.txVersion;
  tx.locktime = htlc.offered ? htlc.cltvExpiry : 0;
  const sequence = rules.oneBlockCsv ? 1 : 0;
  tx.addInput(txidToInternal(spec.commitmentTxid), spec.outputIndex, sequence);
  const script = toLocalScript(spec.revocationPubkey, spec.contestDelay, spec.delayedPubkey);
  tx.addOutput(p2wsh(script), value);
  return tx;
}

/** Sighash type of the counterparty's signature; the broadcaster's own is always SIGHASH_ALL. */
export const counterpartyHtlcSighash = (channelType: ChannelType): number =>
  channelTypeRules(channelType).counterpartyHtlcSighash;

/** 32-byte digest of a second-stage transaction; `amountSat` is the value of the HTLC output. */
export const htlcTxSighash = (
  tx: Transaction,
  htlcScript: Uint8Array,
  amountSat: Sat,
  sighashType: number,
): Uint8Array => tx.hashForWitnessV0(HTLC_INPUT, htlcScript, amountSat, sighashType);

/**
 * Witness of the HTLC input: empty, counterparty's and own signature, preimage or empty, script.
 */
export const htlcTxWitness = (parts: HtlcTxWitness): Uint8Array[] => [
  new Uint8Array(0),
  toWitnessSignature(parts.counterpartySignature, counterpartyHtlcSighash(parts.channelType)),
  toWitnessSignature(parts.broadcasterSignature, SIGHASH_ALL),
  parts.preimage ?? new Uint8Array(0),
  parts.htlcScript,
];
