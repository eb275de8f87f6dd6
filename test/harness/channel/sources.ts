/**
 * Sources of outbound HTLCs: what the node tells its monitor about where an HTLC comes from. The source
 * key is the SHA-256 of a sender-side id (contract 2.8), in these bytes:
 * - own, probe, trampoline: the 32-byte session key, drawn anew for every part and every attempt;
 * - forward: the inbound channel id (32 bytes) and the inbound HTLC id (8 bytes, big endian).
 */
import { sha256 } from "@noble/hashes/sha2.js";
import type { Msat } from "@farwatch/protocol/amount";
import { concatBytes, fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";
import type { HtlcSource, InboundHtlc } from "@farwatch/protocol/channel";
import {
  paymentId,
  sourceKey,
  type ChannelId,
  type HtlcId,
  type PaymentId,
} from "@farwatch/protocol/ids";
import type { Side } from "./setup.js";

export interface OwnPayment {
  readonly paymentId: PaymentId;
  /** 32 bytes; different for every part and attempt. */
  readonly sessionKey: Uint8Array;
  readonly firstHopMsat: Msat;
  /** Names the part to the payer; the source key's bytes unless given. */
  readonly partKey?: Uint8Array;
}

/** Source of a payment of our own; of a probe, a payment that nobody can claim. */
export function ownPaymentSource(payment: OwnPayment, kind: "own" | "probe" = "own"): HtlcSource {
  const key = sha256(payment.sessionKey);
  return {
    sourceKey: sourceKey(toHex(key)),
    origin: {
      kind,
      part: {
        paymentId: payment.paymentId,
        partKey: payment.partKey ?? key,
        pathSummary: new Uint8Array(0),
        firstHopMsat: payment.firstHopMsat,
      },
    },
    opaque: new Uint8Array(0),
  };
}

/** Source of one HTLC of a trampoline forward, which may have several on both sides. */
export const trampolineSource = (
  inbound: readonly InboundHtlc[],
  sessionKey: Uint8Array,
): HtlcSource => ({
  sourceKey: sourceKey(toHex(sha256(sessionKey))),
  origin: { kind: "trampoline", inbound },
  opaque: new Uint8Array(0),
});

/** Source of an HTLC forwarded from another channel. */
export function forwardSource(inbound: InboundHtlc, intercepted = false): HtlcSource {
  const id = new Uint8Array(8);
  new DataView(id.buffer).setBigUint64(0, inbound.htlcId);
  return {
    sourceKey: sourceKey(toHex(sha256(concatBytes(fromHex(inbound.channelId), id)))),
    origin: { kind: "forward", inbound, intercepted },
    opaque: new Uint8Array(0),
  };
}

/** An own payment that nobody named: distinct for every HTLC of every channel. */
export function defaultSource(
  channel: ChannelId,
  offeredBy: Side,
  id: HtlcId,
  firstHopMsat: Msat,
): HtlcSource {
  const sessionKey = sha256(concatBytes(fromHex(channel), utf8(`${offeredBy}:${id}`)));
  const payment = paymentId(toHex(sha256(concatBytes(utf8("payment"), sessionKey))));
  return ownPaymentSource({ paymentId: payment, sessionKey, firstHopMsat });
}
