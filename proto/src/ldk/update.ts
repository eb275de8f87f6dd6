/**
 * `ChannelMonitorUpdate` and its steps, LDK 0.1 to 0.3 and pull request 4640 (LDK chain/channelmonitor.rs; ldk-binary sections 3
 * and 4). A step of a later LDK is kept under its number: dropping it would leave the channel unprotected,
 * so whoever applies updates must refuse it.
 */
import type { Result } from "../result.js";
import {
  channelTransactionParameters,
  commitmentHtlcData,
  commitmentTransaction,
  holderCommitmentTransaction,
  signedHtlc,
  sourcedHtlc,
} from "./commitment.js";
import { followedBy, sequence, type Codec, type Decoded } from "./codec.js";
import { counted, rest, vec, withRaw } from "./collections.js";
import { decodeWhole, type DecodeFailure } from "./cursor.js";
import { structVariant, upgradableEnum } from "./enums.js";
import { htlcSource, sentHtlcId } from "./htlc-source.js";
import {
  boolean,
  channelId,
  preimage,
  publicKey,
  restBytes,
  script,
  secret,
  txid,
  u32,
  u64,
  versionPrefix,
} from "./primitives.js";
import { opaqueStruct } from "./opaque.js";
import { outboundClaim, outboundFailure, type ClaimedHtlcId } from "./resolution.js";
import { optional, required, tlvStruct } from "./tlv.js";
import { encodeWhole, type EncodeFailure } from "./writer.js";

const claimed: Codec<ClaimedHtlcId> = sequence({ id: sentHtlcId, preimage });

/**
 * Claims up to 0.3 fill their record. Pull request 4640 counts them there, always, and repeats those there are
 * under a number of its own with more in them: `claimsOf` chooses.
 */
const claims = (older: number, newer: number) => ({
  claimed: optional(older, rest(claimed)),
  legacyClaimed: optional(older, vec(claimed)),
  claims: optional(newer, rest(outboundClaim)),
});

export const updateStep = upgradableEnum({
  0: structVariant("latestHolderCommitmentInfo", {
    commitment: required(0, holderCommitmentTransaction),
    ...claims(1, 5),
    /** 0.1: all HTLCs, those without dust first and signed. 0.2: dust only. */
    htlcs: required(2, rest(signedHtlc)),
    /** 0.2: of the HTLCs in the commitment that we sent, in the order of their outputs. */
    nonDustSources: optional(4, rest(htlcSource)),
    failures: optional(7, rest(outboundFailure)),
  }),
  1: structVariant("latestCounterpartyCommitmentInfo", {
    txid: required(0, txid),
    feeratePerKw: optional(1, u32),
    commitmentNumber: required(2, u64),
    toBroadcasterSat: optional(3, u64),
    perCommitmentPoint: required(4, publicKey),
    toCountersignatorySat: optional(5, u64),
    /** With dust. */
    htlcs: required(6, rest(sourcedHtlc)),
  }),
  2: structVariant("paymentPreimage", {
    preimage: required(0, preimage),
    /** PaymentClaimDetails: the node's own business. */
    paymentInfo: optional(1, opaqueStruct),
  }),
  3: structVariant("commitmentSecret", {
    commitmentNumber: required(0, u64),
    secret: required(2, secret),
  }),
  4: structVariant("channelForceClosed", { shouldBroadcast: required(0, boolean) }),
  5: structVariant("shutdownScript", { scriptPubkey: required(0, script) }),
  /** While a splice is pending: one commitment for each funding, the locked one first. */
  6: structVariant("latestCounterpartyCommitment", {
    commitments: required(1, rest(commitmentTransaction)),
    htlcData: required(3, commitmentHtlcData),
  }),
  7: structVariant("releasePaymentComplete", { htlc: required(1, sentHtlcId) }),
  8: structVariant("latestHolderCommitment", {
    commitments: required(1, rest(holderCommitmentTransaction)),
    htlcData: required(3, commitmentHtlcData),
    ...claims(5, 7),
    failures: optional(9, rest(outboundFailure)),
  }),
  10: structVariant("renegotiatedFunding", {
    parameters: required(1, channelTransactionParameters),
    holderCommitment: required(3, holderCommitmentTransaction),
    counterpartyCommitment: required(5, commitmentTransaction),
    /** FundingContribution of 0.3. */
    contribution: optional(7, restBytes),
  }),
  12: structVariant("renegotiatedFundingLocked", { fundingTxid: required(1, txid) }),
});
export type LdkUpdateStep = Decoded<typeof updateStep>;

const trailer = tlvStruct("trailer", {
  /** Written by 0.1 and before. */
  counterpartyNodeId: optional(1, publicKey),
  channelId: optional(3, channelId),
});

export const channelMonitorUpdate = followedBy(
  { version: versionPrefix, updateId: u64, steps: counted(withRaw(updateStep)) },
  trailer,
);
export type LdkMonitorUpdate = Decoded<typeof channelMonitorUpdate>;

/** Id of the updates LDK before 0.1 wrote after a close; it could come more than once. */
export const LEGACY_CLOSED_UPDATE_ID = (1n << 64n) - 1n;

/** `ChannelMonitorUpdate.write()`, whole. Byte fields are views of the input. */
export const decodeMonitorUpdate = (bytes: Uint8Array): Result<LdkMonitorUpdate, DecodeFailure> =>
  decodeWhole("channelMonitorUpdate", channelMonitorUpdate, bytes);

export const encodeMonitorUpdate = (update: LdkMonitorUpdate): Result<Uint8Array, EncodeFailure> =>
  encodeWhole("channelMonitorUpdate", channelMonitorUpdate, update);
