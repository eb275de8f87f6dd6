/**
 * Weights and the fees that follow from them (BOLT 3, "Fee Calculation" and Appendix A;
 * onchain-engine 2.5). Weights are in weight units (WU), fees in satoshis, feerates in satoshis
 * per 1000 WU. Decides which HTLC outputs are trimmed. Weights are upper bounds: a claim may pay
 * slightly more, never less.
 */
import type { FeeratePerKw, Msat, Sat } from "../amount.js";
import { msatToSatFloor, sat } from "../amount.js";
import { channelTypeRules, type ChannelType, type ChannelTypeRules } from "./channel-type.js";

/** A byte outside the witness counts four times (BIP 141). */
export const WITNESS_SCALE = 4;
/** Marker and flag of a transaction with witnesses. */
export const SEGWIT_HEADER_WEIGHT = 2;
/** Outpoint 36, empty scriptSig 1, sequence 4. */
export const INPUT_BYTES = 36 + 1 + 4;
/** Value 8, script length 1; the script comes on top. */
export const OUTPUT_BASE_BYTES = 8 + 1;
const P2WSH_OUTPUT_BYTES = OUTPUT_BASE_BYTES + 34;
const P2WPKH_OUTPUT_BYTES = OUTPUT_BASE_BYTES + 22;
const P2A_OUTPUT_BYTES = OUTPUT_BASE_BYTES + 4;

// Witness items with their length byte. 73 is the longest DER signature with its sighash byte:
// BOLT 3 reckons with it although low-S signatures have at most 72.
const ITEM_COUNT = 1;
const EMPTY = 1;
const ONE = 1 + 1;
const SIGNATURE = 1 + 73;
const PUBKEY = 1 + 33;
const PREIMAGE = 1 + 32;
// Scripts with their length byte. to_local is reckoned with a 2-byte delay, received HTLCs with the
// longest height that will occur (BOLT 3's 140 bytes would need a height above 2^23).
const FUNDING_SCRIPT = 1 + 71;
const TO_LOCAL_SCRIPT = 1 + 77;
const OFFERED_SCRIPT = 1 + 133;
const RECEIVED_SCRIPT = 1 + 139;
/** BOLT 3 Appendix A: the longest received script, as second-stage fees are agreed with it. */
const BOLT3_RECEIVED_SCRIPT = 1 + 140;
const TO_REMOTE_ANCHORS_SCRIPT = 1 + 37;
const KEYED_ANCHOR_SCRIPT = 1 + 40;
/** OP_1 OP_CSV OP_DROP in HTLC scripts of anchor channels. */
const HTLC_CSV = 3;

/** version 4, input count 1, one input, output count, outputs, locktime 4. */
const singleInputTxBytes = (outputCountBytes: number, outputBytes: number): number =>
  4 + 1 + INPUT_BYTES + outputCountBytes + outputBytes + 4;

/** 222: the input of a commitment. */
export const FUNDING_WITNESS = ITEM_COUNT + EMPTY + SIGNATURE + SIGNATURE + FUNDING_SCRIPT;
/** 4 * 125 + 2 + 222 = 724. */
const COMMITMENT_BASE =
  WITNESS_SCALE * singleInputTxBytes(1, P2WSH_OUTPUT_BYTES + P2WPKH_OUTPUT_BYTES) +
  SEGWIT_HEADER_WEIGHT +
  FUNDING_WITNESS;
/** 4 * 225 + 2 + 222 = 1124: to_remote is P2WSH, two anchors, and a 3-byte output count. */
const COMMITMENT_BASE_ANCHORS =
  WITNESS_SCALE * singleInputTxBytes(3, 4 * P2WSH_OUTPUT_BYTES) +
  SEGWIT_HEADER_WEIGHT +
  FUNDING_WITNESS;
/** 724 + 4 * 13 = 776: a shared anchor besides the two main outputs. */
const COMMITMENT_BASE_SHARED_ANCHOR = COMMITMENT_BASE + WITNESS_SCALE * P2A_OUTPUT_BYTES;
/** 4 * 43 = 172 per untrimmed HTLC. */
export const HTLC_OUTPUT_WEIGHT = WITNESS_SCALE * P2WSH_OUTPUT_BYTES;

/** 4 * 94 + 2 = 378. */
const SECOND_STAGE_BASE =
  WITNESS_SCALE * singleInputTxBytes(1, P2WSH_OUTPUT_BYTES) + SEGWIT_HEADER_WEIGHT;
/** 378 + 285 = 663. */
const HTLC_TIMEOUT =
  SECOND_STAGE_BASE + ITEM_COUNT + EMPTY + SIGNATURE + SIGNATURE + EMPTY + OFFERED_SCRIPT;
/** BOLT 3 Appendix A: the sum is 702, the agreed number 703 "for historical reasons". */
const HTLC_SUCCESS_HISTORICAL = 1;
/** 378 + 324 + 1 = 703. */
const HTLC_SUCCESS =
  SECOND_STAGE_BASE +
  (ITEM_COUNT + EMPTY + SIGNATURE + SIGNATURE + PREIMAGE + BOLT3_RECEIVED_SCRIPT) +
  HTLC_SUCCESS_HISTORICAL;

/** 155; also for the output of a second-stage transaction of a revoked commitment. */
export const REVOKED_TO_LOCAL_WITNESS = ITEM_COUNT + SIGNATURE + ONE + TO_LOCAL_SCRIPT;
/** 154: our own to_local or second-stage output after its delay. */
export const DELAYED_OUTPUT_WITNESS = ITEM_COUNT + SIGNATURE + EMPTY + TO_LOCAL_SCRIPT;
/** 109. */
const TO_REMOTE_P2WPKH_WITNESS = ITEM_COUNT + SIGNATURE + PUBKEY;
/** 113. */
const TO_REMOTE_ANCHORS_WITNESS = ITEM_COUNT + SIGNATURE + TO_REMOTE_ANCHORS_SCRIPT;

/**
 * 115: our keyed anchor. The signature is reckoned with 72 bytes, the longest of low S, as LDK does for
 * inputs that a wallet pays for.
 */
export const KEYED_ANCHOR_WITNESS = ITEM_COUNT + (SIGNATURE - 1) + KEYED_ANCHOR_SCRIPT;
/** 1: a shared anchor needs no witness, but its place among other inputs' is counted. */
export const SHARED_ANCHOR_WITNESS = ITEM_COUNT;

const csvOf = (channelType: ChannelType): number =>
  channelTypeRules(channelType).oneBlockCsv ? HTLC_CSV : 0;

/** Witness of a justice input on an HTLC output: 243 offered, 249 received; 3 more with anchors. */
export const revokedHtlcWitness = (channelType: ChannelType, offered: boolean): number =>
  ITEM_COUNT +
  SIGNATURE +
  PUBKEY +
  (offered ? OFFERED_SCRIPT : RECEIVED_SCRIPT) +
  csvOf(channelType);

/**
 * Witness that claims an HTLC the counterparty offered with its preimage: 242, 245 with anchors.
 */
export const counterpartyOfferedWitness = (channelType: ChannelType): number =>
  ITEM_COUNT + SIGNATURE + PREIMAGE + OFFERED_SCRIPT + csvOf(channelType);

/**
 * Witness that takes back an expired HTLC the counterparty received: 217, 220 with anchors. The
 * empty item is reckoned as two bytes, as LDK does, so that fees agree with it to the satoshi.
 */
export const counterpartyReceivedWitness = (channelType: ChannelType): number =>
  ITEM_COUNT + SIGNATURE + (EMPTY + 1) + RECEIVED_SCRIPT + csvOf(channelType);

/** Witness that spends our output on the counterparty's commitment: 109, 113 with anchors. */
export const toRemoteWitness = (channelType: ChannelType): number =>
  channelTypeRules(channelType).oneBlockCsv ? TO_REMOTE_ANCHORS_WITNESS : TO_REMOTE_P2WPKH_WITNESS;

const COMMITMENT_BASES: Readonly<Record<ChannelTypeRules["anchors"], number>> = {
  none: COMMITMENT_BASE,
  keyed: COMMITMENT_BASE_ANCHORS,
  p2a: COMMITMENT_BASE_SHARED_ANCHOR,
};

/** Weight of a commitment: 724, 1124 or 776, and 172 per untrimmed HTLC. */
export const commitmentWeight = (channelType: ChannelType, untrimmedHtlcs: number): number =>
  COMMITMENT_BASES[channelTypeRules(channelType).anchors] + HTLC_OUTPUT_WEIGHT * untrimmedHtlcs;

/** Weight of HTLC-timeout (offered: 663 or 666) or HTLC-success (received: 703 or 706). */
export const secondStageWeight = (channelType: ChannelType, offered: boolean): number =>
  (offered ? HTLC_TIMEOUT : HTLC_SUCCESS) + csvOf(channelType);

/**
 * The HTLC input of our own second-stage transaction, witness included, when a wallet pays the fee:
 * 164 + 288 (HTLC-timeout) or 164 + 327 (HTLC-success) with anchors.
 */
export const secondStageInputWeight = (channelType: ChannelType, offered: boolean): number =>
  secondStageWeight(channelType, offered) -
  (offered ? 0 : HTLC_SUCCESS_HISTORICAL) -
  SECOND_STAGE_BASE +
  WITNESS_SCALE * INPUT_BYTES;

/** 273: an input of a P2WPKH coin. */
export const WALLET_COIN_WEIGHT = WITNESS_SCALE * INPUT_BYTES + TO_REMOTE_P2WPKH_WITNESS;
/** 172: change of the largest common kind, P2WSH or P2TR. */
export const WALLET_CHANGE_WEIGHT = HTLC_OUTPUT_WEIGHT;

/** Fee of `weight` at a feerate, rounded down. */
export const feeForWeight = (feeratePerKw: FeeratePerKw, weight: number): Sat =>
  sat((BigInt(feeratePerKw) * BigInt(weight)) / 1000n);

/** Base fee of a commitment, taken from the opener; trimmed amounts come on top of it. */
export const commitmentFeeSat = (
  channelType: ChannelType,
  feeratePerKw: FeeratePerKw,
  untrimmedHtlcs: number,
): Sat => feeForWeight(feeratePerKw, commitmentWeight(channelType, untrimmedHtlcs));

/** Fee inside a second-stage transaction; 0 where the type brings its fee from elsewhere. */
export const htlcFeeSat = (
  channelType: ChannelType,
  offered: boolean,
  feeratePerKw: FeeratePerKw,
): Sat =>
  channelTypeRules(channelType).secondStagePaysFee
    ? feeForWeight(feeratePerKw, secondStageWeight(channelType, offered))
    : sat(0);

/** Smallest HTLC amount that gets an output: the broadcaster's dust limit plus the claim's fee. */
export const trimThresholdSat = (
  channelType: ChannelType,
  offered: boolean,
  feeratePerKw: FeeratePerKw,
  dustLimitSat: Sat,
): Sat => sat(dustLimitSat + htlcFeeSat(channelType, offered, feeratePerKw));

/** True when an HTLC has no output ("trimmed", dust). Its fraction of a satoshi never counts. */
export const isTrimmed = (
  channelType: ChannelType,
  htlc: { readonly offered: boolean; readonly amountMsat: Msat },
  feeratePerKw: FeeratePerKw,
  dustLimitSat: Sat,
): boolean =>
  msatToSatFloor(htlc.amountMsat) <
  trimThresholdSat(channelType, htlc.offered, feeratePerKw, dustLimitSat);
