/**
 * What a monitor tells its manager: `MonitorEvent`, `HTLCUpdate` and the reasons of a close (LDK
 * chain/channelmonitor.rs, events/mod.rs; ldk-binary section 6.2).
 */
import type { Preimage } from "../ids.js";
import type { Result } from "../result.js";
import { sequence, type Decoded } from "./codec.js";
import { nullable } from "./collections.js";
import { decodeWhole, type DecodeFailure } from "./cursor.js";
import { structVariant, upgradableEnum, variant } from "./enums.js";
import { htlcSource } from "./htlc-source.js";
import {
  boolean,
  channelId,
  outpoint16,
  paymentHash,
  preimage,
  text,
  u128,
  u32,
  u64,
} from "./primitives.js";
import { resolution } from "./resolution.js";
import { optional, required, tlvStruct } from "./tlv.js";
import { encodeWhole, type EncodeFailure } from "./writer.js";

export const htlcUpdate = tlvStruct("htlcUpdate", {
  paymentHash: required(0, paymentHash),
  valueSat: optional(1, u64),
  source: required(2, htlcSource),
  /** Up to 0.3. Present: the counterparty took the HTLC. Absent: it failed. */
  preimage: optional(4, preimage),
  /** Of pull request 4640, like all that follows. */
  legacyPreimage: optional(4, nullable(preimage)),
  userChannelId: optional(5, u128),
  valueMsat: optional(7, nullable(u64)),
  resolution: optional(9, resolution),
});
export type LdkHtlcUpdate = Decoded<typeof htlcUpdate>;

/** With it the counterparty took the HTLC, wherever it stands; undefined: it failed. */
export function preimageOf(update: LdkHtlcUpdate): Preimage | undefined {
  const { resolution: ended, preimage: older, legacyPreimage } = update;
  return ended?.kind === "claimed" ? ended.preimage : (older ?? legacyPreimage ?? undefined);
}

export const closureReason = upgradableEnum({
  0: structVariant("counterpartyForceClosed", { message: required(1, text) }),
  1: structVariant("fundingTimedOut", {}),
  2: structVariant("holderForceClosed", {
    broadcastedLatest: optional(1, boolean),
    message: optional(3, text),
  }),
  4: structVariant("legacyCooperativeClosure", {}),
  6: structVariant("commitmentTxConfirmed", {}),
  8: structVariant("processingError", { error: required(1, text) }),
  10: structVariant("disconnectedPeer", {}),
  12: structVariant("outdatedChannelManager", {}),
  13: structVariant("counterpartyClosedUnfunded", {}),
  15: structVariant("fundingBatchClosure", {}),
  17: structVariant("counterpartyInitiatedCooperativeClosure", {}),
  19: structVariant("locallyInitiatedCooperativeClosure", {}),
  21: structVariant("htlcsTimedOut", { paymentHash: optional(1, paymentHash) }),
  23: structVariant("peerFeerateTooLow", {
    peerFeeratePerKw: required(0, u32),
    requiredFeeratePerKw: required(2, u32),
  }),
  25: structVariant("locallyClosedUnfunded", {}),
});
export type LdkClosureReason = Decoded<typeof closureReason>;

export const monitorEvent = upgradableEnum({
  0: structVariant("completed", {
    funding: required(0, outpoint16),
    updateId: required(2, u64),
    channelId: required(4, channelId),
  }),
  1: variant("commitmentTxConfirmed", sequence({})),
  2: variant("htlcEvent", htlcUpdate),
  4: variant("holderForceClosed", sequence({ funding: outpoint16 })),
  5: structVariant("holderForceClosedWithInfo", {
    reason: required(0, closureReason),
    funding: required(2, outpoint16),
    channelId: required(4, channelId),
  }),
});
export type LdkMonitorEvent = Decoded<typeof monitorEvent>;

/** `MonitorEvent.write()`, whole. */
export const decodeMonitorEvent = (bytes: Uint8Array): Result<LdkMonitorEvent, DecodeFailure> =>
  decodeWhole("monitorEvent", monitorEvent, bytes);

/** `HTLCUpdate.write()`, whole. */
export const decodeHtlcUpdate = (bytes: Uint8Array): Result<LdkHtlcUpdate, DecodeFailure> =>
  decodeWhole("htlcUpdate", htlcUpdate, bytes);

export const encodeMonitorEvent = (event: LdkMonitorEvent): Result<Uint8Array, EncodeFailure> =>
  encodeWhole("monitorEvent", monitorEvent, event);

export const encodeHtlcUpdate = (update: LdkHtlcUpdate): Result<Uint8Array, EncodeFailure> =>
  encodeWhole("htlcUpdate", htlcUpdate, update);
