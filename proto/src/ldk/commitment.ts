/**
 * Commitment transactions and the parameters they are built from (LDK ln/chan_utils.rs; ldk-binary section
 * 5). Numbers stand as LDK writes them: commitment numbers count DOWN from 2^48-1, `offered` and
 * `broadcaster` are seen from the owner of the commitment.
 */
import {
  boolean,
  outpoint16,
  paymentHash,
  publicKey,
  restBytes,
  signature,
  txid,
  u16,
  u32,
  u64,
  unit,
} from "./primitives.js";
import { sequence, type Codec, type Decoded } from "./codec.js";
import { option, rest } from "./collections.js";
import { htlcSource, type RawHtlcSource } from "./htlc-source.js";
import { optional, required, tlvStruct } from "./tlv.js";
import { transaction } from "./transaction.js";

/** `HTLCOutputInCommitment`. Without an output index it is trimmed (dust). */
export const htlc = tlvStruct("htlc", {
  offered: required(0, boolean),
  amountMsat: required(2, u64),
  cltvExpiry: required(4, u32),
  paymentHash: required(6, paymentHash),
  outputIndex: optional(8, u32),
});
export type LdkHtlc = Decoded<typeof htlc>;

export interface SourcedHtlc {
  readonly htlc: LdkHtlc;
  readonly source: RawHtlcSource | undefined;
}

export const sourcedHtlc: Codec<SourcedHtlc> = sequence({ htlc, source: option(htlcSource) });

export interface SignedHtlc extends SourcedHtlc {
  /** The counterparty's, on the second-stage transaction. */
  readonly signature: Uint8Array | undefined;
}

export const signedHtlc: Codec<SignedHtlc> = sequence({
  htlc,
  signature: option(signature),
  source: option(htlcSource),
});

const keys = tlvStruct("keys", {
  perCommitmentPoint: required(0, publicKey),
  revocationKey: required(2, publicKey),
  broadcasterHtlcKey: required(4, publicKey),
  countersignatoryHtlcKey: required(6, publicKey),
  broadcasterDelayedKey: required(8, publicKey),
});

const built = tlvStruct("built", {
  /** Unsigned. */
  transaction: required(0, transaction),
  txid: required(2, txid),
});

export const commitmentTransaction = tlvStruct("commitmentTransaction", {
  commitmentNumber: required(0, u64),
  toBroadcasterDelay: optional(1, u16),
  toBroadcasterSat: required(2, u64),
  toCountersignatorySat: required(4, u64),
  feeratePerKw: required(6, u32),
  keys: required(8, keys),
  built: required(10, built),
  /** Without dust, in the order of their outputs. */
  htlcs: required(12, rest(htlc)),
  legacyAnchors: optional(14, unit),
  /** Absent: `DEFAULT_CHANNEL_TYPE`. */
  channelType: optional(15, restBytes),
});
export type LdkCommitment = Decoded<typeof commitmentTransaction>;

export const holderCommitmentTransaction = tlvStruct("holderCommitmentTransaction", {
  commitment: required(0, commitmentTransaction),
  counterpartySignature: required(2, signature),
  holderSignatureFirst: required(4, boolean),
  /** One for each HTLC of the commitment, in its order. */
  counterpartyHtlcSignatures: required(6, rest(signature)),
});
export type LdkHolderCommitment = Decoded<typeof holderCommitmentTransaction>;

/** HTLCs of a commitment beside its transaction (0.2): sources only of those that we sent. */
export const commitmentHtlcData = tlvStruct("commitmentHtlcData", {
  nonDustSources: required(1, rest(htlcSource)),
  dustHtlcs: required(3, rest(sourcedHtlc)),
});

const channelPublicKeys = tlvStruct("channelPublicKeys", {
  fundingPubkey: required(0, publicKey),
  revocationBasepoint: required(2, publicKey),
  paymentPoint: required(4, publicKey),
  delayedPaymentBasepoint: required(6, publicKey),
  htlcBasepoint: required(8, publicKey),
});

const counterpartyParameters = tlvStruct("counterpartyParameters", {
  pubkeys: required(0, channelPublicKeys),
  /** The delay on OUR outputs: the counterparty chose it. */
  selectedContestDelay: required(2, u16),
});

export const channelTransactionParameters = tlvStruct("channelTransactionParameters", {
  holderPubkeys: required(0, channelPublicKeys),
  /** The delay on the COUNTERPARTY's outputs. */
  holderSelectedContestDelay: required(2, u16),
  isOutboundFromHolder: required(4, boolean),
  counterparty: optional(6, counterpartyParameters),
  funding: optional(8, outpoint16),
  legacyAnchors: optional(10, unit),
  /** Absent: `DEFAULT_CHANNEL_TYPE`. */
  channelType: optional(11, restBytes),
  spliceParentFundingTxid: optional(12, txid),
  /** Since 0.2; before, it stands in the monitor alone. */
  channelValueSat: optional(13, u64),
});
export type LdkChannelParameters = Decoded<typeof channelTransactionParameters>;
