/**
 * Where an outbound HTLC came from (LDK ln/channelmanager.rs `HTLCSource`, `SentHTLCId`; ldk-binary
 * section 5). A monitor needs an identity, the inbound edge of a forward, and equality; LDK compares
 * sources by value, here their bytes are kept and compared.
 */
import {
  bytes32,
  byteVec,
  boolean,
  channelId,
  features,
  outpoint16,
  publicKey,
  restBytes,
  u128,
  u32,
  u64,
} from "./primitives.js";
import { sequence, type Codec, type Decoded } from "./codec.js";
import { rest, withRaw } from "./collections.js";
import { strictEnum, structVariant, variant } from "./enums.js";
import { optional, required, sized, tlvStruct } from "./tlv.js";

const routeHop = tlvStruct("routeHop", {
  nodeId: required(0, publicKey),
  /** Absent: true. */
  maybeAnnounced: optional(1, boolean),
  nodeFeatures: required(2, features),
  shortChannelId: required(4, u64),
  channelFeatures: required(6, features),
  feeMsat: required(8, u64),
  cltvExpiryDelta: required(10, u32),
});

const trampolineHop = tlvStruct("trampolineHop", {
  nodeId: required(0, publicKey),
  nodeFeatures: required(2, features),
  feeMsat: required(4, u64),
  cltvExpiryDelta: required(6, u32),
});

const blindedHop = sequence({ blindedNodeId: publicKey, encryptedPayload: byteVec });

const blindedTail = tlvStruct("blindedTail", {
  hops: required(0, rest(blindedHop)),
  blindingPoint: required(2, publicKey),
  excessFinalCltvExpiryDelta: required(4, u32),
  finalValueMsat: required(6, u64),
  trampolineHops: optional(8, rest(trampolineHop)),
});

const invoice = sized("invoice", sequence({ invoice: restBytes }));
const bolt12Invoice = strictEnum({
  0: variant("bolt12", invoice),
  2: variant("static", invoice),
});

const outboundRoute = tlvStruct("outboundRoute", {
  /** Secret key of the onion; with it one part of a payment is named. */
  sessionKey: required(0, bytes32),
  paymentId: optional(1, bytes32),
  firstHopMsat: required(2, u64),
  hops: required(4, rest(routeHop)),
  /** PaymentParameters, not written since 0.0.12x. */
  paymentParameters: optional(5, restBytes),
  blindedTail: optional(6, blindedTail),
  bolt12Invoice: optional(7, bolt12Invoice),
});

const blindedFailure = strictEnum({
  0: structVariant("introductionNode", {}),
  2: structVariant("blindedNode", {}),
});

const previousHop = tlvStruct("previousHop", {
  /** Since LDK 0.2 the alias we gave the inbound channel. */
  shortChannelId: required(0, u64),
  phantomSharedSecret: optional(1, bytes32),
  funding: required(2, outpoint16),
  blindedFailure: optional(3, blindedFailure),
  htlcId: required(4, u64),
  /** Expiry of the inbound HTLC; LDK 0.1.0 did not write it. */
  cltvExpiry: optional(5, u32),
  incomingPacketSharedSecret: required(6, bytes32),
  userChannelId: optional(7, u128),
  /** Before LDK 0.0.121 the funding outpoint stood for it. */
  channelId: optional(9, channelId),
  counterpartyNodeId: optional(11, publicKey),
  trampolineSharedSecret: optional(13, bytes32),
  amountMsat: optional(15, u64),
});
export type PreviousHop = Decoded<typeof previousHop>;

const path = tlvStruct("path", {
  hops: required(1, rest(routeHop)),
  blindedTail: optional(3, blindedTail),
});

const trampolineDispatch = tlvStruct("trampolineDispatch", {
  paymentId: required(1, bytes32),
  path: required(3, path),
  sessionKey: required(5, bytes32),
});

type TrampolineDispatch = Decoded<typeof trampolineDispatch>;

const SECRET_BYTES = 32;

/**
 * One number for two things: LDK 0.3 writes a shared secret under it, and the payment under 5; main has
 * no secret and writes the payment here (cfee4b75). No payment is as short as a secret.
 */
const secretOrDispatch: Codec<Uint8Array | TrampolineDispatch> = {
  decode: (cursor) =>
    cursor.left === SECRET_BYTES ? bytes32.decode(cursor) : trampolineDispatch.decode(cursor),
  encode: (writer, value) =>
    value instanceof Uint8Array
      ? bytes32.encode(writer, value)
      : trampolineDispatch.encode(writer, value),
  toJson: (value) =>
    value instanceof Uint8Array ? bytes32.toJson(value) : trampolineDispatch.toJson(value),
  fromJson: (json, path) =>
    typeof json === "string"
      ? bytes32.fromJson(json, path)
      : trampolineDispatch.fromJson(json, path),
};

const trampolineForward = tlvStruct("trampolineForward", {
  previousHops: required(1, rest(previousHop)),
  secretOrOutbound: optional(3, secretOrDispatch),
  outbound: optional(5, trampolineDispatch),
});

/** The payment that a trampoline forward makes, wherever its version of LDK puts it. */
function dispatchOf(source: Decoded<typeof trampolineForward>): TrampolineDispatch | undefined {
  const { secretOrOutbound, outbound } = source;
  return secretOrOutbound instanceof Uint8Array ? outbound : secretOrOutbound;
}

const source = strictEnum({
  0: variant("outboundRoute", outboundRoute),
  1: variant("previousHop", previousHop),
  /** LDK's own readers refuse it, 0.3 and main; a monitor has to hold what they write. */
  2: variant("trampolineForward", trampolineForward),
});
export type LdkHtlcSource = Decoded<typeof source>;

/** A source and its exact bytes, which events must give back unchanged. */
export interface RawHtlcSource {
  readonly value: LdkHtlcSource;
  readonly raw: Uint8Array;
}

export const htlcSource: Codec<RawHtlcSource> = withRaw(source);

/** `SentHTLCId`: what stands for a source where its whole bytes are not needed. */
export const sentHtlcId = strictEnum({
  0: structVariant("previousHop", {
    shortChannelId: required(0, u64),
    htlcId: required(2, u64),
  }),
  2: structVariant("outboundRoute", { sessionKey: required(0, bytes32) }),
  4: structVariant("trampolineForward", { sessionKey: required(0, bytes32) }),
});
export type SentHtlcId = Decoded<typeof sentHtlcId>;

/** The identity LDK gives the HTLC of a source (`SentHTLCId::from_source`). */
export function sentIdOf({ value }: RawHtlcSource): SentHtlcId | undefined {
  switch (value.kind) {
    case "outboundRoute":
      return { kind: "outboundRoute", sessionKey: value.sessionKey };
    case "previousHop":
      return {
        kind: "previousHop",
        shortChannelId: value.shortChannelId,
        htlcId: value.htlcId,
      };
    case "trampolineForward": {
      const outbound = dispatchOf(value);
      return outbound && { kind: "trampolineForward", sessionKey: outbound.sessionKey };
    }
  }
}
