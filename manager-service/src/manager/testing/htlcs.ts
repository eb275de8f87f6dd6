/**
 * HTLCs and channels of the forwarding tests: an HTLC on an inbound channel, one that forwards it on an
 * outbound channel, and the commitments that carry them. No rules of its own.
 */
import { msat, type Msat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import type { CommitmentHtlc, HtlcSource, InboundHtlc } from "@farwatch/protocol/channel";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import {
  channelId,
  hashOfPreimage,
  htlcId,
  paymentId,
  sourceKey,
  type ChannelId,
} from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import { rowKeys } from "../rows.js";
import { byte, secretOf } from "./scene.js";

export const IN = channelId(byte(0xc1));
export const IN2 = channelId(byte(0xc2));
export const OUT = channelId(byte(0xc3));
export const OUT2 = channelId(byte(0xc4));

/** Earned by every forward of these tests, unless its amount is given. */
export const FEE_MSAT = 100n;
export const AMOUNT_MSAT = 5000n;

/** An HTLC that the counterparty of `on` offered to us. */
export interface Incoming {
  readonly on: ChannelId;
  readonly id: number;
  readonly secret: number;
  readonly amountMsat: Msat;
}
/** An HTLC that we offer on `on`; `name` is its source. */
export interface Outgoing {
  readonly on: ChannelId;
  readonly name: number;
  readonly secret: number;
  readonly amountMsat: Msat;
  readonly source: HtlcSource;
}

export const incoming = (on: ChannelId, id: number, secret = 1): Incoming => ({
  on,
  id,
  secret,
  amountMsat: msat(AMOUNT_MSAT),
});

const inboundOf = ({ on, id, amountMsat }: Incoming): InboundHtlc => ({
  channelId: on,
  htlcId: htlcId(id),
  amountMsat,
  cltvExpiry: blockHeight(600),
  userChannelId: undefined,
});

const outgoing = (
  on: ChannelId,
  name: number,
  secret: number,
  origin: HtlcSource["origin"],
): Outgoing => ({
  on,
  name,
  secret,
  amountMsat: msat(AMOUNT_MSAT - FEE_MSAT),
  source: { sourceKey: sourceKey(byte(name)), origin, opaque: new Uint8Array() },
});

export const forwardOf = (
  from: Incoming,
  on: ChannelId,
  name: number,
  intercepted = false,
): Outgoing =>
  outgoing(on, name, from.secret, { kind: "forward", inbound: inboundOf(from), intercepted });

export const trampolineOf = (
  from: readonly Incoming[],
  on: ChannelId,
  name: number,
  secret = 1,
): Outgoing => outgoing(on, name, secret, { kind: "trampoline", inbound: from.map(inboundOf) });

export function probeOn(on: ChannelId, name: number): Outgoing {
  const bytes = new Uint8Array([name]);
  const part = {
    paymentId: paymentId(byte(name)),
    partKey: bytes,
    pathSummary: bytes,
    firstHopMsat: msat(1000),
  };
  return outgoing(on, name, name, { kind: "probe", part });
}

export type TestHtlc = Incoming | Outgoing;
const isOutgoing = (htlc: TestHtlc): htlc is Outgoing => "source" in htlc;

/** As the counterparty's commitment lists it. */
export const committed = (htlc: TestHtlc): CommitmentHtlc => ({
  htlcId: htlcId(isOutgoing(htlc) ? htlc.name : htlc.id),
  offered: !isOutgoing(htlc),
  amountMsat: htlc.amountMsat,
  cltvExpiry: blockHeight(isOutgoing(htlc) ? 500 : 600),
  paymentHash: paymentHashOf(htlc),
  outputIndex: undefined,
  source: isOutgoing(htlc) ? htlc.source : undefined,
});

export const paymentHashOf = ({ secret }: { readonly secret: number }) =>
  hashOfPreimage(secretOf(secret));
/** Key of its inbound row, and the end of its commands' semantic keys. */
export const keyOf = ({ on, id }: Incoming): string =>
  rowKeys.inbound({ channelId: on, htlcId: htlcId(id) });
/** Key of the forward whose smallest inbound HTLC this is. */
export const forwardKey = (from: Incoming): string => `${paymentHashOf(from)}/${keyOf(from)}`;

/** What the peer sent; the command upstream must carry it as it came, hold time included. */
export const PEER_REASON: HtlcFailReason = {
  cause: { kind: "onionError", packet: new Uint8Array([9, 9]) },
  holdTime: 7,
  attributionData: undefined,
};

type HtlcEventBody = Extract<MonitorEventBody, { kind: "htlcEvent" }>;
const eventOf = (htlc: Outgoing, resolution: HtlcEventBody["resolution"]): HtlcEventBody => ({
  kind: "htlcEvent",
  paymentHash: paymentHashOf(htlc),
  source: htlc.source,
  htlcId: htlcId(htlc.name),
  amountMsat: htlc.amountMsat,
  userChannelId: undefined,
  resolution,
});
export const claimOf = (htlc: Outgoing, skimmedFeeMsat?: Msat): HtlcEventBody =>
  eventOf(htlc, {
    kind: "claimed",
    preimage: secretOf(htlc.secret),
    skimmedFeeMsat,
    attributionData: undefined,
  });
export const failOf = (htlc: Outgoing, reason = PEER_REASON): HtlcEventBody =>
  eventOf(htlc, { kind: "failed", reason });
