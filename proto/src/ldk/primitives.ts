/**
 * The plain values LDK's formats are made of (LDK util/ser.rs; ldk-binary section 1). Integers of LDK are
 * big-endian; what stands in bitcoin's own encoding (transactions and their outputs) is little-endian.
 */
import { fromHex, isHex, reversed, toHex } from "../bytes.js";
import {
  channelId as toChannelId,
  paymentHash as toPaymentHash,
  perCommitmentSecret as toSecret,
  preimage as toPreimage,
  txid as toTxid,
  txidFromInternal,
  type ChannelId,
  type Outpoint,
  type PaymentHash,
  type PerCommitmentSecret,
  type Preimage,
  type Txid,
} from "../ids.js";
import { sequence, type Codec } from "./codec.js";
import type { Cursor } from "./cursor.js";
import { jsonBigUint, jsonBytes, jsonText, refuseJson } from "./json.js";
import type { Writer } from "./writer.js";

const uintOf = (width: 1 | 2 | 4): Codec<number> => ({
  decode: (cursor) => cursor.uint(width),
  encode: (writer, value) => writer.uint(width, value),
  toJson: (value) => value,
  fromJson: (json, path) =>
    typeof json === "number" && Number.isInteger(json) && json >= 0 && json < 2 ** (8 * width)
      ? json
      : refuseJson(path, `not an integer of ${width} bytes`),
});

const bigUintOf = (width: number, decode: (cursor: Cursor) => bigint): Codec<bigint> => ({
  decode,
  encode: (writer, value) => writer.bigUint(width, value),
  toJson: String,
  fromJson: (json, path) => jsonBigUint(json, path, width),
});

export const u8 = uintOf(1);
export const u16 = uintOf(2);
export const u32 = uintOf(4);
export const u48 = bigUintOf(6, (cursor) => BigInt(cursor.uint(6)));
export const u64 = bigUintOf(8, (cursor) => cursor.uint64());
export const u128 = bigUintOf(16, (cursor) => (cursor.uint64() << 64n) | cursor.uint64());

export const boolean: Codec<boolean> = {
  decode: (cursor) => {
    const value = cursor.uint(1);
    return value > 1 ? cursor.fail({ kind: "badValue", what: "a bool is 0 or 1" }) : value === 1;
  },
  encode: (writer, value) => {
    if (typeof value !== "boolean") writer.fail("not a bool");
    writer.uint(1, value ? 1 : 0);
  },
  toJson: (value) => value,
  fromJson: (json, path) =>
    typeof json === "boolean" ? json : refuseJson(path, "neither true nor false"),
};

/** A marker: its presence is all it says. */
export const unit: Codec<true> = {
  decode: () => true,
  encode: (writer, value) => (value === true ? undefined : writer.fail("a marker is true")),
  toJson: () => true,
  fromJson: (json, path) => (json === true ? true : refuseJson(path, "a marker is true")),
};

/** Bytes before they are put: what a value's type promises is not sure here. */
export function checkedBytes(writer: Writer, value: unknown, count?: number): Uint8Array {
  if (!(value instanceof Uint8Array)) writer.fail("not bytes");
  if (count !== undefined && value.length !== count) writer.fail(`not ${count} bytes`);
  return value;
}

export const bytes = (count: number): Codec<Uint8Array> => ({
  decode: (cursor) => cursor.take(count),
  encode: (writer, value) => writer.put(checkedBytes(writer, value, count)),
  toJson: toHex,
  fromJson: (json, path) => jsonBytes(json, path, count),
});

export const restBytes: Codec<Uint8Array> = {
  decode: (cursor) => cursor.take(cursor.left),
  encode: (writer, value) => writer.put(checkedBytes(writer, value)),
  toJson: toHex,
  fromJson: jsonBytes,
};

export const bytes32 = bytes(32);
/** Compressed; that it is a point of the curve is not checked here. */
export const publicKey = bytes(33);
/** Compact, without the sighash byte. */
export const signature = bytes(64);

/** Hash of a block in the order of its bytes; JSON shows it as explorers do. */
export const blockHash: Codec<Uint8Array> = {
  ...bytes32,
  toJson: (value) => toHex(reversed(value)),
  fromJson: (json, path) => reversed(jsonBytes(json, path, 32)),
};

interface HexForm<T extends string> {
  readonly read: (bytes: Uint8Array) => T;
  readonly write: (bytes: Uint8Array) => Uint8Array;
  readonly name: (hex: string) => T;
}

/** 32 bytes that are a hex string in memory, as identifiers are (ADR P-08). */
const hexId = <T extends string>({ read, write, name }: HexForm<T>): Codec<T> => ({
  decode: (cursor) => read(cursor.take(32)),
  encode: (writer, value) => {
    if (typeof value !== "string" || !isHex(value, 32)) writer.fail("not 32 bytes of hex");
    writer.put(write(fromHex(value)));
  },
  toJson: (value) => value,
  fromJson: (json, path) => name(toHex(jsonBytes(json, path, 32))),
});

const asIs = (value: Uint8Array): Uint8Array => value;

export const txid: Codec<Txid> = hexId({ read: txidFromInternal, write: reversed, name: toTxid });
export const channelId: Codec<ChannelId> = hexId({
  read: (raw) => toChannelId(toHex(raw)),
  write: asIs,
  name: toChannelId,
});
export const paymentHash: Codec<PaymentHash> = hexId({
  read: (raw) => toPaymentHash(toHex(raw)),
  write: asIs,
  name: toPaymentHash,
});

const branded = <T extends Uint8Array>(brand: (raw: Uint8Array) => T): Codec<T> => ({
  decode: (cursor) => brand(cursor.take(32)),
  encode: bytes32.encode,
  toJson: toHex,
  fromJson: (json, path) => brand(jsonBytes(json, path, 32)),
});

export const preimage: Codec<Preimage> = branded(toPreimage);
export const secret: Codec<PerCommitmentSecret> = branded(toSecret);

/** LDK's own outpoint: the index is 16 bits. */
export const outpoint16: Codec<Outpoint> = sequence({ txid, vout: u16 });
/** bitcoin's outpoint as LDK writes it: 32 bits, big-endian all the same. */
export const outpoint32: Codec<Outpoint> = sequence({ txid, vout: u32 });

export const script: Codec<Uint8Array> = {
  ...restBytes,
  decode: (cursor) => cursor.take(cursor.uint(2)),
  encode: (writer, value) => {
    writer.uint(2, checkedBytes(writer, value).length);
    writer.put(value);
  },
  fromJson: (json, path) => {
    const raw = jsonBytes(json, path);
    return raw.length < 2 ** 16 ? raw : refuseJson(path, "longer than 65535 bytes");
  },
};

/** Feature flags with their length in front, the last byte holding bits 0 to 7. */
export const features = script;

const LONG_COLLECTION = 0xffff;

/** u16, or 0xffff and a u64 that counts on from there. */
export const collectionLength = {
  decode: (cursor: Cursor): number | bigint => {
    const short = cursor.uint(2);
    return short === LONG_COLLECTION ? BigInt(LONG_COLLECTION) + cursor.uint64() : short;
  },
  encode: (writer: Writer, count: number): void => {
    writer.uint(2, Math.min(count, LONG_COLLECTION));
    if (count >= LONG_COLLECTION) writer.bigUint(8, BigInt(count - LONG_COLLECTION));
  },
};

export const byteVec: Codec<Uint8Array> = {
  ...restBytes,
  decode: (cursor) => restBytes.decode(cursor.sub(collectionLength.decode(cursor), "bytes")),
  encode: (writer, value) => {
    collectionLength.encode(writer, checkedBytes(writer, value).length);
    writer.put(value);
  },
};

/** A byte order mark stays a character of the text: it would be lost otherwise. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Half of a surrogate pair: UTF-8 has no bytes for it. */
const HALF_PAIR = /\p{Surrogate}/u;

export const text: Codec<string> = {
  decode: (cursor) => {
    const raw = byteVec.decode(cursor);
    try {
      return UTF8.decode(raw);
    } catch {
      return cursor.fail({ kind: "badValue", what: "text is not UTF-8" });
    }
  },
  encode: (writer, value) => {
    if (typeof value !== "string" || HALF_PAIR.test(value)) writer.fail("not text");
    byteVec.encode(writer, new TextEncoder().encode(value));
  },
  toJson: (value) => value,
  fromJson: (json, path) => {
    const value = jsonText(json, path);
    return HALF_PAIR.test(value) ? refuseJson(path, "half of a character") : value;
  },
};

export interface Version {
  readonly writer: number;
  readonly oldestReader: number;
}

/**
 * Two bytes: the writer's version, and the oldest reader that may read it. Both are 1 in all that LDK ever
 * wrote, and then nothing is said of them here.
 */
export const versionPrefix: Codec<Version | undefined> = {
  mayBeAbsent: true,
  decode: (cursor) => {
    const version = versions.decode(cursor);
    const minimumReader = version.oldestReader;
    if (minimumReader > 1) cursor.fail({ kind: "unsupportedVersion", minimumReader });
    return unlessUsual(version);
  },
  encode: (writer, value = USUAL) => {
    versions.encode(writer, value);
    if (value.oldestReader > 1) writer.fail(FOR_NEWER);
  },
  toJson: (value = USUAL) => versions.toJson(value),
  fromJson: (json, path) => {
    const version = versions.fromJson(json, path);
    return version.oldestReader > 1 ? refuseJson(path, FOR_NEWER) : unlessUsual(version);
  },
};
const versions: Codec<Version> = sequence({ writer: u8, oldestReader: u8 });
const USUAL: Version = { writer: 1, oldestReader: 1 };
const FOR_NEWER = "for newer readers";
const unlessUsual = (version: Version): Version | undefined =>
  version.writer === 1 && version.oldestReader === 1 ? undefined : version;
