/** Forwards with an inbound expiry, as the tests of event rules need them. */
import { msat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import type { ChannelType, HtlcSource, InboundHtlc } from "@farwatch/protocol/channel";
import { channelId, htlcId, sourceKey } from "@farwatch/protocol/ids";
import type { MonitorInput } from "@farwatch/monitor-service/monitor/input";
import { forwardSource } from "../channel/sources.js";
import { secretNamed } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";

/** Not a whole number of satoshis. */
export const FORWARDED_MSAT = msat(20_000_999);

export const inboundHtlc = (name: string, cltvExpiry: number): InboundHtlc => ({
  channelId: channelId(name.repeat(64)),
  htlcId: htlcId(3n),
  amountMsat: msat(21_000_000),
  cltvExpiry: blockHeight(cltvExpiry),
  userChannelId: undefined,
});

export const trampolineSource = (...inbound: readonly InboundHtlc[]): HtlcSource => ({
  sourceKey: sourceKey("ee".repeat(32)),
  origin: { kind: "trampoline", inbound },
  opaque: new Uint8Array(0),
});

/** An HTLC with secret "ours", expiring at 600, that we forwarded from elsewhere; settled. */
export async function forwarded(
  channelType: ChannelType,
  source: HtlcSource = forwardSource(inboundHtlc("a", 700)),
  amountMsat = FORWARDED_MSAT,
) {
  const p = await protectedChannel({ channelType });
  const { paymentHash } = secretNamed("ours");
  const cltvExpiry = blockHeight(600);
  const htlc = p.channel.addHtlc("holder", { amountMsat, paymentHash, cltvExpiry, source });
  await p.channel.settle();
  return { p, htlc };
}

/** The counterparty signs the commitment without what it removed, and we take it. */
export async function takeRemoval(p: ProtectedChannel): Promise<void> {
  await p.channel.signCommitment("counterparty");
  await p.channel.receiveCommitment("holder");
}

/** Every input from now on, in order. */
export function recordInputs(p: ProtectedChannel): readonly MonitorInput[] {
  const inputs: MonitorInput[] = [];
  const apply = p.apply.bind(p);
  p.apply = (input) => {
    inputs.push(input);
    return apply(input);
  };
  return inputs;
}
