/**
 * What the node decides to offer: HTLCs that forward others, and parts of its own payments. A decision
 * is made first and offered later, or never (HtlcNotSent).
 */
import { msat, type Msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHeight, type BlockHeight } from "@farwatch/protocol/block";
import type { HtlcSource, InboundHtlc } from "@farwatch/protocol/channel";
import type { PaymentHash, PaymentId } from "@farwatch/protocol/ids";
import { forwardSource, ownPaymentSource, trampolineSource } from "../channel/sources.js";
import type { Secret } from "../channel/test-channel.js";
import type { Link, OnLink } from "./link.js";

/** What a hop keeps when a test names nothing else. */
export const HOP_FEE_MSAT = 1_000n;
/** Blocks a hop has to claim upstream; what many nodes ask for. */
export const HOP_CLTV_DELTA = 40;

export interface Outgoing {
  readonly link: Link;
  readonly source: HtlcSource;
  readonly paymentHash: PaymentHash;
  readonly amountMsat: Msat;
  readonly cltvExpiry: BlockHeight;
  readonly skimmedFeeMsat?: Msat;
}

export interface ForwardOptions {
  /** Default: the inbound amounts less HOP_FEE_MSAT and what is skimmed. */
  readonly amountMsat?: Msat;
  /** Default: the earliest inbound expiry less HOP_CLTV_DELTA. */
  readonly cltvExpiry?: BlockHeight;
  readonly intercepted?: boolean;
  /** Of an intercepted HTLC: kept beyond the fee. */
  readonly skimmedFeeMsat?: Msat;
}

export interface Payment {
  readonly paymentId: PaymentId;
  readonly secret: Secret;
  readonly isProbe: boolean;
}

export const asInbound = ({ link, htlc }: OnLink): InboundHtlc => ({
  channelId: link.channelId,
  htlcId: htlc.id,
  amountMsat: htlc.amountMsat,
  cltvExpiry: htlc.cltvExpiry,
  userChannelId: link.userChannelId,
});

/** Names an inbound HTLC in the node's memory. */
export const inboundKey = (inbound: OnLink | Pick<InboundHtlc, "channelId" | "htlcId">): string =>
  "link" in inbound
    ? `${inbound.link.channelId}/${inbound.htlc.id}`
    : `${inbound.channelId}/${inbound.htlcId}`;

/** An ordinary or intercepted forward of one HTLC. */
export function planForward(from: OnLink, link: Link, options: ForwardOptions = {}): Outgoing {
  const source = forwardSource(asInbound(from), options.intercepted ?? false);
  return planned([from], link, source, options);
}

/** One HTLC of a trampoline forward; each names all that are inbound. */
export function planTrampoline(
  from: readonly OnLink[],
  link: Link,
  sessionKey: Uint8Array,
  options: ForwardOptions = {},
): Outgoing {
  return planned(from, link, trampolineSource(from.map(asInbound), sessionKey), options);
}

function planned(
  from: readonly OnLink[],
  link: Link,
  source: HtlcSource,
  { amountMsat, cltvExpiry, skimmedFeeMsat }: ForwardOptions,
): Outgoing {
  const received = from.reduce((sum, { htlc }) => sum + htlc.amountMsat, 0n);
  const earliest = Math.min(...from.map(({ htlc }) => htlc.cltvExpiry));
  return {
    link,
    source,
    paymentHash: must(from[0], "an inbound HTLC").htlc.paymentHash,
    amountMsat: amountMsat ?? msat(received - HOP_FEE_MSAT - (skimmedFeeMsat ?? 0n)),
    cltvExpiry: cltvExpiry ?? blockHeight(earliest - HOP_CLTV_DELTA),
    ...(skimmedFeeMsat === undefined ? {} : { skimmedFeeMsat }),
  };
}

/** One part of a payment of the node's own, or of a probe. */
export function planPart(
  payment: Payment,
  link: Link,
  part: Pick<Outgoing, "amountMsat" | "cltvExpiry"> & { readonly sessionKey: Uint8Array },
): Outgoing {
  const { paymentId, secret, isProbe } = payment;
  const { amountMsat, cltvExpiry, sessionKey } = part;
  const own = { paymentId, sessionKey, firstHopMsat: amountMsat };
  return {
    link,
    source: ownPaymentSource(own, isProbe ? "probe" : "own"),
    paymentHash: secret.paymentHash,
    amountMsat,
    cltvExpiry,
  };
}
