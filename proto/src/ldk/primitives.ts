/**
 * The plain values LDK's formats are made of (LDK util/ser.rs; ldk-binary section 1). Integers of LDK are
 * big-endian; what stands in bitcoin's own encoding (transactions and their outputs) is little-endian.
 */
import { toHex } from "../bytes.js";
import {
  channelId as toChannelId,
  paymentHash as toPaymentHash,
  perCommitmentSecret as toSecret,
  preimage as toPreimage,
  txidFromInternal,
  type ChannelId,
  type Outpoint,
  type PaymentHash,
  type PerCommitmentSecret,
  type Preimage,
  type Txid,
} from "../ids.js";
import type { Cursor, Decode } from "./cursor.js";

export const u8: Decode<number> = (cursor) => cursor.uint(1);
export const u16: Decode<number> = (cursor) => cursor.uint(2);
export const u32: Decode<number> = (cursor) => cursor.uint(4);
export const u48: Decode<bigint> = (cursor) => cursor.bigUint(6);
export const u64: Decode<bigint> = (cursor) => cursor.bigUint(8);
export const u128: Decode<bigint> = (cursor) => cursor.bigUint(16);

export const boolean: Decode<boolean> = (cursor) => {
  const value = cursor.uint(1);
  return value > 1 ? cursor.fail({ kind: "badValue", what: "a bool is 0 or 1" }) : value === 1;
};

/** A marker: its presence is all it says. */
export const unit: Decode<true> = () => true;

export const bytes =
  (count: number): Decode<Uint8Array> =>
  (cursor) =>
    cursor.take(count);

export const restBytes: Decode<Uint8Array> = (cursor) => cursor.take(cursor.left);

export const bytes32 = bytes(32);
/** Compressed; that it is a point of the curve is not checked here. */
export const publicKey = bytes(33);
/** Compact, without the sighash byte. */
export const signature = bytes(64);

export const txid: Decode<Txid> = (cursor) => txidFromInternal(cursor.take(32));
export const channelId: Decode<ChannelId> = (cursor) => toChannelId(toHex(cursor.take(32)));
export const paymentHash: Decode<PaymentHash> = (cursor) => toPaymentHash(toHex(cursor.take(32)));
export const preimage: Decode<Preimage> = (cursor) => toPreimage(cursor.take(32));
export const secret: Decode<PerCommitmentSecret> = (cursor) => toSecret(cursor.take(32));

/** LDK's own outpoint: the index is 16 bits. */
export const outpoint16: Decode<Outpoint> = (cursor) => ({ txid: txid(cursor), vout: u16(cursor) });
/** bitcoin's outpoint as LDK writes it: 32 bits, big-endian all the same. */
export const outpoint32: Decode<Outpoint> = (cursor) => ({ txid: txid(cursor), vout: u32(cursor) });

export const script: Decode<Uint8Array> = (cursor) => cursor.take(cursor.uint(2));

/** Feature flags with their length in front, the last byte holding bits 0 to 7. */
export const features: Decode<Uint8Array> = (cursor) => cursor.take(cursor.uint(2));

/** u16, or 0xffff and a u64 that counts on from there. */
export function collectionLength(cursor: Cursor): bigint {
  const short = cursor.uint(2);
  return short === 0xffff ? 0xffffn + u64(cursor) : BigInt(short);
}

export const byteVec: Decode<Uint8Array> = (cursor) =>
  restBytes(cursor.sub(collectionLength(cursor), "bytes"));

export const text: Decode<string> = (cursor) => {
  const raw = byteVec(cursor);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch {
    return cursor.fail({ kind: "badValue", what: "text is not UTF-8" });
  }
};

/** `count` items one after the other. Every item takes a byte at least, so the input bounds the loop. */
function repeat<T>(cursor: Cursor, count: bigint, decode: Decode<T>): readonly T[] {
  const items: T[] = [];
  for (let at = 0n; at < count; at++) items.push(decode(cursor));
  return items;
}

/** Behind a collection length, as vectors stand outside TLV records. */
export const vec =
  <T>(decode: Decode<T>): Decode<readonly T[]> =>
  (cursor) =>
    repeat(cursor, collectionLength(cursor), decode);

/** Behind a u64, as the monitor's body counts. */
export const counted =
  <T>(decode: Decode<T>): Decode<readonly T[]> =>
  (cursor) =>
    repeat(cursor, u64(cursor), decode);

/** A whole number of items up to the end of the TLV record. */
export const rest =
  <T>(decode: Decode<T>): Decode<readonly T[]> =>
  (cursor) => {
    const items: T[] = [];
    while (cursor.left > 0) items.push(decode(cursor));
    return items;
  };

export const exactly =
  <T>(count: number, decode: Decode<T>): Decode<readonly T[]> =>
  (cursor) =>
    repeat(cursor, BigInt(count), decode);

/** `Option` outside TLV records: length + 1, then the value; 0 for none. */
export const option =
  <T>(decode: Decode<T>): Decode<T | undefined> =>
  (cursor) => {
    const size = cursor.bigSize();
    if (size === 0n) return undefined;
    const inner = cursor.sub(size - 1n, "option");
    const value = decode(inner);
    inner.finish();
    return value;
  };

/** A value together with the bytes it was read from. */
export interface WithRaw<T> {
  readonly value: T;
  readonly raw: Uint8Array;
}

export const withRaw =
  <T>(decode: Decode<T>): Decode<WithRaw<T>> =>
  (cursor) => {
    const start = cursor.position;
    const value = decode(cursor);
    return { value, raw: cursor.since(start) };
  };

export const map =
  <T, U>(decode: Decode<T>, into: (value: T) => U): Decode<U> =>
  (cursor) =>
    into(decode(cursor));

export interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
}

/** A map, in whatever order its writer happened to hold it; a key that comes twice is refused. */
export const entries =
  <K, V>(key: Decode<K>, value: Decode<V>): Decode<readonly Entry<K, V>[]> =>
  (cursor) => {
    const seen = new Set<string>();
    return repeat(cursor, collectionLength(cursor), (at) => {
      const { value: name, raw } = withRaw(key)(at);
      const bytesOfKey = toHex(raw);
      if (seen.has(bytesOfKey)) at.fail({ kind: "badValue", what: "a key that comes twice" });
      seen.add(bytesOfKey);
      return { key: name, value: value(at) };
    });
  };

/** Two bytes: the writer's version, and the oldest reader that may read it. */
export function versionPrefix(cursor: Cursor): void {
  cursor.uint(1);
  const minimumReader = cursor.uint(1);
  if (minimumReader > 1) cursor.fail({ kind: "unsupportedVersion", minimumReader });
}
