/**
 * Fixed-order, fixed-width, big-endian bodies (reliability 3.5). Both directions check the length
 * first: a writer is created with the exact size, a reader only over bytes of the exact size, so a
 * mistake in a layout is an assertion and never a short or long body.
 */
import { assert } from "../assert.js";
import { blockHash, type BlockHash } from "../block.js";
import { fromHex, isHex, reversed, toHex } from "../bytes.js";
import { hash32, txidFromInternal, txidToInternal, type Hash32, type Txid } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";

/** The only version of every layout. Another version is another tag as well. */
export const BODY_VERSION = 1;

const U64_MAX = (1n << 64n) - 1n;

export class ByteWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #skip(length: number): number {
    const at = this.#at;
    assert(at + length <= this.#bytes.length, "layout: body longer than its size");
    this.#at = at + length;
    return at;
  }
  #integer(value: number, max: number, what: string): number {
    assert(Number.isInteger(value) && value >= 0 && value <= max, `layout: outside ${what}`);
    return value;
  }

  u8(value: number): this {
    this.#view.setUint8(this.#skip(1), this.#integer(value, 0xff, "u8"));
    return this;
  }
  u16(value: number): this {
    this.#view.setUint16(this.#skip(2), this.#integer(value, 0xffff, "u16"));
    return this;
  }
  u32(value: number): this {
    this.#view.setUint32(this.#skip(4), this.#integer(value, 0xffffffff, "u32"));
    return this;
  }
  u64(value: bigint): this {
    assert(value >= 0n && value <= U64_MAX, "layout: outside u64");
    this.#view.setBigUint64(this.#skip(8), value);
    return this;
  }
  bytes(value: Uint8Array, length: number): this {
    assert(value.length === length, `layout: expected ${length} bytes, got ${value.length}`);
    this.#bytes.set(value, this.#skip(length));
    return this;
  }
  /** An identifier as it stands: `length` bytes of lowercase hex. */
  hex(value: string, length: number): this {
    assert(isHex(value, length), `layout: expected ${length} bytes of hex`);
    return this.bytes(fromHex(value), length);
  }
  /** Display order in, internal order out. */
  txid(value: Txid): this {
    return this.bytes(txidToInternal(value), 32);
  }
  /** Display order in, internal order out. */
  blockHash(value: BlockHash): this {
    return this.bytes(reversed(fromHex(value)), 32);
  }
  finish(): Uint8Array {
    assert(this.#at === this.#bytes.length, "layout: body shorter than its size");
    return this.#bytes;
  }
}

/** Starts a body: every layout opens with its version. */
export const startBody = (size: number): ByteWriter => new ByteWriter(size).u16(BODY_VERSION);

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  #skip(length: number): number {
    const at = this.#at;
    assert(at + length <= this.#bytes.length, "layout: read past the end");
    this.#at = at + length;
    return at;
  }

  u8(): number {
    return this.#view.getUint8(this.#skip(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#skip(2));
  }
  u32(): number {
    return this.#view.getUint32(this.#skip(4));
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#skip(8));
  }
  /** A copy: what is kept must not hold on to a whole network message. */
  bytes(length: number): Uint8Array {
    const at = this.#skip(length);
    return Uint8Array.from(this.#bytes.subarray(at, at + length));
  }
  hex(length: number): string {
    return toHex(this.bytes(length));
  }
  hash32(): Hash32 {
    return hash32(this.hex(32));
  }
  txid(): Txid {
    return txidFromInternal(this.bytes(32));
  }
  blockHash(): BlockHash {
    return blockHash(toHex(reversed(this.bytes(32))));
  }
  finish(): void {
    assert(this.#at === this.#bytes.length, "layout: unread bytes at the end");
  }
}

/** A refusal unless `bytes` has exactly `size` bytes and opens with the known version. */
export function checkBody(bytes: Uint8Array, size: number, layout: string): Refusal | undefined {
  if (bytes.length !== size) {
    return refuse("wrongLength", `${layout}: expected ${size} bytes, got ${bytes.length}`, {
      field: layout,
      limit: String(size),
    });
  }
  const version = new ByteReader(bytes).u16();
  if (version === BODY_VERSION) return undefined;
  return refuse("malformed", `${layout}: unknown version ${version}`, { field: `${layout}.ver` });
}

/** A reader over a body that checkBody has accepted, placed behind the version. */
export function openBody(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes);
  reader.u16();
  return reader;
}
