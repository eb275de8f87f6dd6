/**
 * What a channel is, from LDK's parameters: keys, delays, type. The two contest delays are named after
 * who chose them in both LDK and here: the one we selected binds the counterparty's outputs.
 */
import type { ChannelParameters, ChannelPubkeys, ChannelType } from "../../channel.js";
import { fail, present, readDelta, readSat } from "../../convert/reader.js";
import { channelTypeOf, modifiersOf } from "../channel-type.js";
import type { LdkChannelParameters } from "../commitment.js";

/** What does not stand in LDK's parameters. */
export type ChannelContext = Pick<
  ChannelParameters,
  | "channelId"
  | "chainHash"
  | "channelValueSat"
  | "channelKeysId"
  | "destinationScript"
  | "counterpartyNodeId"
  | "constantsProfile"
  | "shutdownScript"
  | "userChannelId"
>;

export function toParameters(
  ldk: LdkChannelParameters,
  context: ChannelContext,
): ChannelParameters {
  const counterparty = present(ldk.counterparty, "counterparty_parameters");
  return {
    ...context,
    channelType: toChannelType(ldk.channelType),
    channelTypeModifiers: modifiersOf(ldk.channelType),
    funding: present(ldk.funding, "funding_outpoint"),
    channelValueSat:
      ldk.channelValueSat === undefined
        ? context.channelValueSat
        : readSat(ldk.channelValueSat, "channel_value_satoshis"),
    holderIsOpener: ldk.isOutboundFromHolder,
    holderPubkeys: toPubkeys(ldk.holderPubkeys),
    counterpartyPubkeys: toPubkeys(counterparty.pubkeys),
    holderSelectedContestDelay: readDelta(ldk.holderSelectedContestDelay, "contest_delay"),
    counterpartySelectedContestDelay: readDelta(counterparty.selectedContestDelay, "contest_delay"),
    spliceParentFundingTxid: ldk.spliceParentFundingTxid,
  };
}

const toPubkeys = (ldk: LdkChannelParameters["holderPubkeys"]): ChannelPubkeys => ({
  fundingPubkey: Uint8Array.from(ldk.fundingPubkey),
  revocationBasepoint: Uint8Array.from(ldk.revocationBasepoint),
  paymentPoint: Uint8Array.from(ldk.paymentPoint),
  delayedPaymentBasepoint: Uint8Array.from(ldk.delayedPaymentBasepoint),
  htlcBasepoint: Uint8Array.from(ldk.htlcBasepoint),
});

const toChannelType = (features: Uint8Array | undefined): ChannelType =>
  channelTypeOf(features) ??
  fail("unsupportedChannelType", "channel_type", "a channel type that is not known here");
