/**
 * Sources of outbound HTLCs, from LDK's form to ours. LDK names an HTLC by its session key, or by the
 * inbound edge it was forwarded from; our source key is the SHA-256 of that name (contract 2.8). LDK's
 * bytes stay beside it, because its node wants them back unchanged.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { blockHeight, LOCKTIME_THRESHOLD } from "../../block.js";
import { concatBytes, fromHex, toHex } from "../../bytes.js";
import type { HtlcSource, HtlcSourceKind, InboundHtlc } from "../../channel.js";
import { MAX_INBOUND_PER_SOURCE, MAX_OPAQUE_BYTES } from "../../convert/limits.js";
import { atMost, fail, readHeight, readMsat } from "../../convert/reader.js";
import {
  channelId,
  htlcId,
  paymentId,
  sourceKey,
  txidToInternal,
  type ChannelId,
  type Outpoint,
  type SourceKey,
} from "../../ids.js";
import { sentIdOf, type PreviousHop, type RawHtlcSource, type SentHtlcId } from "../htlc-source.js";

/** Where LDK 0.1.0 did not write the inbound expiry: no height at which to fail back early is known. */
const NEVER = blockHeight(LOCKTIME_THRESHOLD - 1);

export function sourceKeyOf(id: SentHtlcId): SourceKey {
  const name =
    id.kind === "previousHop" ? concatBytes(u64(id.shortChannelId), u64(id.htlcId)) : id.sessionKey;
  return sourceKey(toHex(sha256(name)));
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

export function toSource(source: RawHtlcSource): HtlcSource {
  const id = sentIdOf(source);
  return {
    // A trampoline forward that was not sent yet has no session key: its bytes name it.
    sourceKey: id === undefined ? sourceKey(toHex(sha256(source.raw))) : sourceKeyOf(id),
    origin: toOrigin(source),
    opaque: atMost(source.raw, MAX_OPAQUE_BYTES, "source"),
  };
}

function toOrigin({ value }: RawHtlcSource): HtlcSourceKind {
  switch (value.kind) {
    case "outboundRoute":
      return {
        kind: "own",
        part: {
          paymentId: paymentId(toHex(value.paymentId ?? value.sessionKey)),
          partKey: sha256(value.sessionKey),
          pathSummary: new Uint8Array(0),
          firstHopMsat: readMsat(value.firstHopMsat, "first_hop_htlc_msat"),
        },
      };
    case "previousHop":
      return { kind: "forward", inbound: toInbound(value), intercepted: false };
    case "trampolineForward":
      if (value.previousHops.length > MAX_INBOUND_PER_SOURCE) {
        fail("tooLarge", "previous_hops", `more than ${MAX_INBOUND_PER_SOURCE}`);
      }
      return { kind: "trampoline", inbound: value.previousHops.map(toInbound) };
  }
}

const toInbound = (hop: PreviousHop): InboundHtlc => ({
  channelId: hop.channelId ?? firstChannelId(hop.funding),
  htlcId: htlcId(hop.htlcId),
  amountMsat: readMsat(hop.amountMsat ?? 0n, "amount_msat"),
  cltvExpiry: hop.cltvExpiry === undefined ? NEVER : readHeight(hop.cltvExpiry, "cltv_expiry"),
  userChannelId: hop.userChannelId === undefined ? undefined : userChannelIdOf(hop.userChannelId),
});

export function userChannelIdOf(value: bigint): Uint8Array {
  return concatBytes(u64(value >> 64n), u64(value & 0xffffffffffffffffn));
}

/** BOLT 2 `channel_id` of a channel opened with version 1: the txid, its last bytes mixed with vout. */
export function firstChannelId({ txid, vout }: Outpoint): ChannelId {
  const id = fromHex(toHex(txidToInternal(txid)));
  const view = new DataView(id.buffer);
  view.setUint16(30, view.getUint16(30) ^ vout);
  return channelId(toHex(id));
}
