/**
 * How an HTLC that we sent ended, as LDK's persistent monitor events carry it (pull request 4640 at 51058bf8:
 * chain/channelmonitor.rs, ln/onion_utils.rs; planned for 0.4).
 */
import type { Preimage } from "../ids.js";
import { sequence, type Decoded } from "./codec.js";
import { strictEnum, structVariant } from "./enums.js";
import { sentHtlcId, type SentHtlcId } from "./htlc-source.js";
import { byteVec, preimage, restBytes, u16, u32, u64, u8 } from "./primitives.js";
import { noFields, optional, required, tlvStruct } from "./tlv.js";

/** `LocalHTLCFailureReason`: BOLT 4's code, and LDK's own finer number. */
const localReason = sequence({ failureCode: u16, reason: u8, end: noFields });

/** LDK's number of a failure that only the chain decided. */
export const ON_CHAIN_TIMEOUT = 37;

/** `HTLCFailReason`. */
export const failReason = strictEnum({
  /** Of a node further on, as it came. */
  0: structVariant("onion", {
    packet: required(0, byteVec),
    /** Hold times and their HMACs. */
    attributionData: optional(1, restBytes),
    /** Units of 100 ms. */
    holdTime: optional(3, u32),
  }),
  1: structVariant("local", {
    failureCode: optional(0, u16),
    /** Since 0.2. */
    reason: optional(1, localReason),
    data: required(2, restBytes),
  }),
});
export type LdkFailReason = Decoded<typeof failReason>;

/** `OutboundHTLCResolution`. */
export const resolution = strictEnum({
  1: structVariant("claimed", {
    preimage: required(1, preimage),
    skimmedFeeMsat: optional(3, u64),
  }),
  3: structVariant("failed", { reason: required(1, failReason) }),
});

/** `OutboundHTLCClaim`. */
export const outboundClaim = tlvStruct("outboundClaim", {
  id: required(1, sentHtlcId),
  preimage: required(3, preimage),
  skimmedFeeMsat: optional(5, u64),
});

/** `OutboundHTLCFail`. */
export const outboundFailure = tlvStruct("outboundFailure", {
  id: required(0, sentHtlcId),
  reason: required(2, failReason),
});
export type LdkOutboundFailure = Decoded<typeof outboundFailure>;

/** An HTLC of ours that the counterparty fulfilled off chain, as updates up to 0.3 name it. */
export interface ClaimedHtlcId {
  readonly id: SentHtlcId;
  readonly preimage: Preimage;
}

/** A claim of either form: what only the newer one has may be absent. */
export interface LdkClaim extends ClaimedHtlcId {
  readonly skimmedFeeMsat?: bigint | undefined;
}

interface ClaimForms {
  readonly claimed?: readonly ClaimedHtlcId[] | undefined;
  readonly legacyClaimed?: readonly ClaimedHtlcId[] | undefined;
  readonly claims?: readonly LdkClaim[] | undefined;
}

/** The newer form where there is one: the older ones repeat it, with less in them. */
export function claimsOf({ claimed, legacyClaimed, claims }: ClaimForms): readonly LdkClaim[] {
  const isNewer = claims !== undefined && claims.length > 0;
  return isNewer ? claims : (claimed ?? legacyClaimed ?? []);
}
