/**
 * The records behind a monitor's body, LDK 0.1 to 0.3 and pull request 4640 (LDK chain/channelmonitor.rs; ldk-binary section
 * 6.2). The version of LDK is not written down anywhere; which records are there shows it.
 */
import {
  channelTransactionParameters,
  commitmentTransaction,
  holderCommitmentTransaction,
  sourcedHtlc,
} from "./commitment.js";
import { sequence, type Decoded } from "./codec.js";
import { entries, exactly, rest, vec, withRaw } from "./collections.js";
import { sentHtlcId } from "./htlc-source.js";
import { monitorEvent } from "./monitor-events.js";
import { opaqueStruct } from "./opaque.js";
import { outputValue } from "./onchain-events.js";
import {
  blockHash,
  boolean,
  channelId,
  outpoint16,
  paymentHash,
  preimage,
  publicKey,
  restBytes,
  txid,
  u128,
  u32,
  u64,
} from "./primitives.js";
import { failReason } from "./resolution.js";
import { optional, required, tlvStruct } from "./tlv.js";
import { transaction } from "./transaction.js";

/** What LDK writes for an HTLC without an output (dust). */
export const NO_OUTPUT_INDEX = 0xffffffff;

const resolvedHtlc = tlvStruct("irrevocablyResolvedHtlc", {
  outputIndex: required(0, u32),
  resolvingTxid: optional(1, txid),
  preimage: optional(2, preimage),
  resolvingTransaction: optional(3, transaction),
});

const initialCounterparty = sequence({
  perCommitmentPoint: publicKey,
  feeratePerKw: u32,
  toBroadcasterSat: u64,
  toCountersignatorySat: u64,
});

/** PaymentClaimDetails of each claim stay opaque: they are the node's. */
const knownPreimage = sequence({ preimage, claimDetails: vec(opaqueStruct) });

/** The state on one funding output while a splice is pending. */
const fundingScope = tlvStruct("fundingScope", {
  parameters: required(1, channelTransactionParameters),
  counterpartyCommitmentTxid: required(3, txid),
  previousCounterpartyCommitmentTxid: optional(5, txid),
  holderCommitment: required(7, holderCommitmentTransaction),
  previousHolderCommitment: optional(9, holderCommitmentTransaction),
  counterpartyHtlcs: required(11, entries(txid, vec(sourcedHtlc))),
  contribution: optional(13, restBytes),
});

const confirmedFunding = sequence({ txid, height: u32 });

const RECENT_BLOCKS = 12;

export const monitorTrailer = tlvStruct("trailer", {
  fundingSpendConfirmed: optional(1, txid),
  resolvedHtlcs: optional(3, rest(resolvedHtlc)),
  /** In place of 5 since pull request 4640: events stay until they are acked by their ids. */
  identifiedMonitorEvents: optional(4, rest(sequence({ id: u64, event: withRaw(monitorEvent) }))),
  /** Events the node has not taken yet. */
  pendingMonitorEvents: optional(5, rest(withRaw(monitorEvent))),
  fundingSpendSeen: optional(7, boolean),
  counterpartyNodeId: optional(9, publicKey),
  confirmedCounterpartyOutput: optional(11, outputValue),
  spendableTxidsConfirmed: optional(13, rest(txid)),
  counterpartyFulfilled: optional(15, entries(sentHtlcId, preimage)),
  initialCounterpartyCommitment: optional(17, initialCounterparty),
  /** Since 0.0.121. */
  channelId: optional(19, channelId),
  balancesEmptyHeight: optional(21, u32),
  holderPaysCommitmentFee: optional(23, boolean),
  /** Since 0.1: its absence marks an older monitor. */
  preimages: required(25, entries(paymentHash, knownPreimage)),
  /** 27 to 37: since 0.2; 33 also in 0.1.6 and later. */
  firstFunding: optional(27, outpoint16),
  initialCounterpartyTransaction: optional(29, commitmentTransaction),
  parameters: optional(31, channelTransactionParameters),
  pendingFunding: optional(32, rest(fundingScope)),
  htlcsResolvedToUser: optional(33, vec(sentHtlcId)),
  alternativeFundingConfirmed: optional(34, confirmedFunding),
  /** Absent: false. */
  manualBroadcast: optional(35, boolean),
  /** Absent: true. */
  fundingSeenOnchain: optional(37, boolean),
  /** 39 and 41: since 0.3. Ancestors of the best block, newest first; zeros for none. */
  recentBlocks: optional(39, exactly(RECENT_BLOCKS, blockHash)),
  contribution: optional(41, restBytes),
  /** 43 to 47: pull request 4640, planned for 0.4. */
  nextMonitorEventId: optional(43, u64),
  userChannelId: optional(45, u128),
  counterpartyFailed: optional(47, entries(sentHtlcId, failReason)),
});
export type LdkMonitorTrailer = Decoded<typeof monitorTrailer>;

/** The oldest line of LDK that writes what is here (ldk-binary section 7). */
export function writtenBy(trailer: LdkMonitorTrailer): "0.1" | "0.1.6" | "0.2" | "0.3" | "0.4" {
  if (trailer.nextMonitorEventId !== undefined) return "0.4";
  if (trailer.recentBlocks !== undefined) return "0.3";
  if (trailer.firstFunding !== undefined) return "0.2";
  return trailer.htlcsResolvedToUser === undefined ? "0.1" : "0.1.6";
}
