/** HtlcSource <-> wire: where an outbound HTLC comes from. */
import { assertNever } from "../assert.js";
import { fromHex } from "../bytes.js";
import type { HtlcSource, InboundHtlc, PaymentPartSource } from "../channel.js";
import type * as wire from "../../gen/monitor/v1/channel.js";
import { channelId, htlcId, paymentId, sourceKey } from "../ids.js";
import { MAX_INBOUND_PER_SOURCE, MAX_OPAQUE_BYTES } from "./limits.js";
import { atMost, fail, fixed, fixedHex, optional, readHeight, readMsat } from "./reader.js";

/** Big-endian u128. */
export const USER_CHANNEL_ID_BYTES = 16;

export function readSource(source: wire.HtlcSource, field: string): HtlcSource {
  return {
    sourceKey: sourceKey(fixedHex(source.sourceKey, 32, `${field}.source_key`)),
    origin: readOrigin(source, field),
    opaque: atMost(source.opaque, MAX_OPAQUE_BYTES, `${field}.opaque`),
  };
}

function readOrigin({ kind }: wire.HtlcSource, field: string): HtlcSource["origin"] {
  switch (kind?.$case) {
    case undefined:
      return fail("malformed", `${field}.kind`, "required");
    case "own":
      return { kind: "own", part: readPart(kind.value, `${field}.own`) };
    case "probe":
      return { kind: "probe", part: readPart(kind.value, `${field}.probe`) };
    case "forward": {
      const { inbound, intercepted } = kind.value;
      const at = `${field}.forward.inbound`;
      const htlc = inbound ?? fail("malformed", at, "required");
      return { kind: "forward", inbound: readInbound(htlc, at), intercepted };
    }
    case "trampoline": {
      const at = `${field}.trampoline.inbound`;
      const { inbound } = kind.value;
      if (inbound.length > MAX_INBOUND_PER_SOURCE) {
        fail("tooLarge", at, `more than ${MAX_INBOUND_PER_SOURCE}`);
      }
      return {
        kind: "trampoline",
        inbound: inbound.map((htlc, index) => readInbound(htlc, `${at}[${index}]`)),
      };
    }
    default:
      return assertNever(kind);
  }
}

function readPart(part: wire.OwnPayment, field: string): PaymentPartSource {
  return {
    paymentId: paymentId(fixedHex(part.paymentId, 32, `${field}.payment_id`)),
    partKey: atMost(part.partKey, MAX_OPAQUE_BYTES, `${field}.part_key`),
    pathSummary: atMost(part.pathSummary, MAX_OPAQUE_BYTES, `${field}.path_summary`),
    firstHopMsat: readMsat(part.firstHopMsat, `${field}.first_hop_msat`),
  };
}

function readInbound(htlc: wire.InboundHtlc, field: string): InboundHtlc {
  return {
    channelId: channelId(fixedHex(htlc.channelId, 32, `${field}.channel_id`)),
    htlcId: htlcId(htlc.htlcId),
    amountMsat: readMsat(htlc.amountMsat, `${field}.amount_msat`),
    cltvExpiry: readHeight(htlc.cltvExpiry, `${field}.cltv_expiry`),
    userChannelId: readUserChannelId(htlc.userChannelId, `${field}.user_channel_id`),
  };
}

export const readUserChannelId = (
  bytes: Uint8Array | undefined,
  field: string,
): Uint8Array | undefined => optional(bytes, (value) => fixed(value, USER_CHANNEL_ID_BYTES, field));

export function writeSource(source: HtlcSource): wire.HtlcSource {
  return {
    sourceKey: Buffer.from(fromHex(source.sourceKey)),
    kind: writeOrigin(source.origin),
    opaque: Buffer.from(source.opaque),
  };
}

function writeOrigin(origin: HtlcSource["origin"]): wire.HtlcSource["kind"] {
  switch (origin.kind) {
    case "own":
    case "probe":
      return { $case: origin.kind, value: writePart(origin.part) };
    case "forward":
      return {
        $case: "forward",
        value: { inbound: writeInbound(origin.inbound), intercepted: origin.intercepted },
      };
    case "trampoline":
      return { $case: "trampoline", value: { inbound: origin.inbound.map(writeInbound) } };
    default:
      return assertNever(origin);
  }
}

const writePart = (part: PaymentPartSource): wire.OwnPayment => ({
  paymentId: Buffer.from(fromHex(part.paymentId)),
  partKey: Buffer.from(part.partKey),
  pathSummary: Buffer.from(part.pathSummary),
  firstHopMsat: part.firstHopMsat,
});

const writeInbound = (htlc: InboundHtlc): wire.InboundHtlc => ({
  channelId: Buffer.from(fromHex(htlc.channelId)),
  htlcId: htlc.htlcId,
  amountMsat: htlc.amountMsat,
  cltvExpiry: htlc.cltvExpiry,
  userChannelId: optional(htlc.userChannelId, (bytes) => Buffer.from(bytes)),
});
