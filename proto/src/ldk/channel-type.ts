/**
 * Feature flags of a channel type (BOLT 9; LDK types/features.rs `ChannelTypeFeatures`). The last byte
 * holds bits 0 to 7.
 */
import type { ChannelType, ChannelTypeModifier } from "../channel.js";

/** Required (even) bits; LDK writes channel types with these alone. */
const STATIC_REMOTE_KEY = 12;
const ANCHORS_ZERO_FEE_HTLC = 22;
const ZERO_FEE_COMMITMENTS = 40;
/** Number of zero_fee_commitments while it was being specified. */
const ZERO_FEE_COMMITMENTS_STAGING = 140;
/** They change how a channel is used, not its transactions. */
const MODIFIERS: ReadonlyMap<number, ChannelTypeModifier> = new Map([
  [46, "scid_privacy"],
  [50, "zero_conf"],
]);

/** option_static_remotekey alone: what LDK reads where the type was not written. */
export const DEFAULT_CHANNEL_TYPE: Uint8Array = Uint8Array.of(0x10, 0x00);

export function featureBits(flags: Uint8Array): readonly number[] {
  const bits: number[] = [];
  for (const [at, byte] of flags.entries()) {
    const low = (flags.length - 1 - at) * 8;
    for (let bit = 0; bit < 8; bit++) if (((byte >> bit) & 1) === 1) bits.push(low + bit);
  }
  return bits.sort((a, b) => a - b);
}

/** undefined: a type whose transactions this version does not know. */
export function channelTypeOf(flags = DEFAULT_CHANNEL_TYPE): ChannelType | undefined {
  const bits = featureBits(flags).filter((bit) => !MODIFIERS.has(bit));
  switch (bits.join()) {
    case String(STATIC_REMOTE_KEY):
      return "static_remote_key";
    case [STATIC_REMOTE_KEY, ANCHORS_ZERO_FEE_HTLC].join():
      return "anchors_zero_fee_htlc";
    case [STATIC_REMOTE_KEY, ZERO_FEE_COMMITMENTS].join():
    case [STATIC_REMOTE_KEY, ZERO_FEE_COMMITMENTS_STAGING].join():
      return "zero_fee_commitments";
    default:
      return undefined;
  }
}

export const modifiersOf = (flags = DEFAULT_CHANNEL_TYPE): readonly ChannelTypeModifier[] =>
  featureBits(flags).flatMap((bit) => MODIFIERS.get(bit) ?? []);
