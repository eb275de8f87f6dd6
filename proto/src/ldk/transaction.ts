/**
 * Bitcoin's own encoding inside LDK's: a transaction is delimited by its structure alone, so it has to be
 * walked to know where it ends (BIP 144). Its meaning is left to the reader; the bytes are kept.
 */
import { reversed, toHex } from "../bytes.js";
import { txid, type Outpoint } from "../ids.js";
import { sequence, type Codec, type Decoded } from "./codec.js";
import { decodeWhole, type Cursor } from "./cursor.js";
import { delimited } from "./opaque.js";
import { checkedBytes, restBytes, u64 } from "./primitives.js";
import type { Writer } from "./writer.js";

const OUTPOINT_BYTES = 36;
const SEQUENCE_BYTES = 4;

function littleEndian(cursor: Cursor, width: number): bigint {
  return cursor.take(width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function compactSize(cursor: Cursor): bigint {
  const start = cursor.position;
  const first = cursor.uint(1);
  if (first < 0xfd) return BigInt(first);
  const width = first === 0xfd ? 2 : first === 0xfe ? 4 : 8;
  const least = width === 2 ? 0xfdn : 1n << BigInt(width * 4);
  const value = littleEndian(cursor, width);
  return value < least ? cursor.fail({ kind: "notMinimal" }, start) : value;
}

const sized = (cursor: Cursor): Uint8Array => {
  const inner = cursor.sub(compactSize(cursor), "script");
  return inner.take(inner.left);
};

function putLittleEndian(writer: Writer, width: number, value: number | bigint): void {
  const bytes = writer.apart((inner) => inner.bigUint(width, BigInt(value)));
  writer.put(bytes.reverse());
}

/** Behind its length as bitcoin writes lengths. */
const compactBytes: Codec<Uint8Array> = {
  ...restBytes,
  decode: sized,
  encode: (writer, value) => {
    const { length } = checkedBytes(writer, value);
    const [mark, width] = length < 2 ** 16 ? [0xfd, 2] : [0xfe, 4];
    if (length >= 0xfd) writer.uint(1, mark);
    putLittleEndian(writer, length < 0xfd ? 1 : width, length);
    writer.put(value);
  },
};

/** u64 in bitcoin's byte order. */
const amount: Codec<bigint> = {
  ...u64,
  decode: (cursor) => littleEndian(cursor, 8),
  encode: (writer, value) =>
    typeof value === "bigint" ? putLittleEndian(writer, 8, value) : writer.fail("not a bigint"),
};

export const txOut = sequence({ valueSat: amount, scriptPubkey: compactBytes });
export type TxOutput = Decoded<typeof txOut>;

function skipInputs(cursor: Cursor, count: bigint): void {
  for (let at = 0n; at < count; at++) {
    cursor.take(OUTPOINT_BYTES);
    sized(cursor);
    cursor.take(SEQUENCE_BYTES);
  }
}

function skipWitnesses(cursor: Cursor, inputs: bigint): void {
  for (let at = 0n; at < inputs; at++) {
    const items = compactSize(cursor);
    for (let item = 0n; item < items; item++) sized(cursor);
  }
}

function skipTransaction(cursor: Cursor): void {
  cursor.take(4);
  let inputs = compactSize(cursor);
  const segwit = inputs === 0n;
  if (segwit) {
    if (cursor.uint(1) !== 1) cursor.fail({ kind: "badValue", what: "unknown segwit flag" });
    inputs = compactSize(cursor);
  }
  skipInputs(cursor, inputs);
  const outputs = compactSize(cursor);
  for (let at = 0n; at < outputs; at++) txOut.decode(cursor);
  if (segwit) skipWitnesses(cursor, inputs);
  cursor.take(4);
}

/** The bytes of one transaction, with or without witnesses. */
export const transaction = delimited("transaction", { decode: skipTransaction });

function firstInput(cursor: Cursor): Outpoint | undefined {
  cursor.take(4);
  if (compactSize(cursor) === 0n) {
    cursor.take(1);
    if (compactSize(cursor) === 0n) return undefined;
  }
  const hash = cursor.take(OUTPOINT_BYTES - 4);
  const vout = Number(littleEndian(cursor, 4));
  cursor.take(cursor.left);
  return { txid: txid(toHex(reversed(hash))), vout };
}

/** The output that the first input of a transaction spends; undefined: it has none. */
export function firstInputOf(transaction: Uint8Array): Outpoint | undefined {
  const read = decodeWhole("transaction", { decode: firstInput }, transaction);
  return read.ok ? read.value : undefined;
}
