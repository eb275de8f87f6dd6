/**
 * The way back into LDK's bytes, and the one error that writing can end in. A value may come from JSON or
 * from JavaScript, so what its type promises is checked again before it is written.
 */
import { err, ok, type Result } from "../result.js";
import { MAX_NESTING } from "./cursor.js";

/** Why a value cannot be written. It quotes no value: they hold secrets. */
export interface EncodeFailure {
  readonly problem: string;
  /** The value at fault, outermost first: `channelMonitorUpdate/steps/0/commitment/feeratePerKw`. */
  readonly place: string;
}

/** Leaves this folder only as a value: `encodeWhole` catches it. */
class EncodeError extends Error {
  override readonly name = "EncodeError";
  constructor(readonly failure: EncodeFailure) {
    super(`${failure.problem} at ${failure.place}`);
  }
}

/** Anything that writes: a codec, or a part of one. */
export interface Encoder<T> {
  encode(writer: Writer, value: T): void;
}

const FIRST_CAPACITY = 128;

export class Writer {
  #view = new DataView(new ArrayBuffer(FIRST_CAPACITY));
  #length = 0;

  private constructor(
    private readonly names: (string | number)[],
    private readonly depth: number,
  ) {
    if (depth > MAX_NESTING) this.fail("more values in one another than are read");
  }

  static named(name: string): Writer {
    return new Writer([name], 0);
  }

  put(bytes: Uint8Array): void {
    const at = this.#grow(bytes.length);
    new Uint8Array(this.#view.buffer).set(bytes, at);
  }

  /** Big-endian unsigned integer of up to 6 bytes. */
  uint(width: 1 | 2 | 4 | 6, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 2 ** (8 * width)) {
      this.fail(`not an integer of ${width} bytes`);
    }
    const at = this.#grow(width);
    for (let byte = width - 1, left = value; byte >= 0; byte--) {
      this.#view.setUint8(at + byte, left % 256);
      left = Math.floor(left / 256);
    }
  }

  /** Big-endian unsigned integer of any width. */
  bigUint(width: number, value: bigint): void {
    if (typeof value !== "bigint" || value < 0n || value >> BigInt(8 * width) !== 0n) {
      this.fail(`not an integer of ${width} bytes`);
    }
    const at = this.#grow(width);
    for (let byte = width - 1, left = value; byte >= 0; byte--) {
      this.#view.setUint8(at + byte, Number(left & 0xffn));
      left >>= 8n;
    }
  }

  /** BOLT 1 BigSize in its shortest form. */
  bigSize(value: number | bigint): void {
    if (value < 0xfd) return this.uint(1, Number(value));
    if (value < 2 ** 16) {
      this.uint(1, 0xfd);
      return this.uint(2, Number(value));
    }
    if (value < 2 ** 32) {
      this.uint(1, 0xfe);
      return this.uint(4, Number(value));
    }
    this.uint(1, 0xff);
    this.bigUint(8, BigInt(value));
  }

  /** A part of the value under its name. */
  within(name: string | number, write: () => void): void {
    this.names.push(name);
    write();
    this.names.pop();
  }

  /** What `write` puts, in bytes of its own. */
  apart(write: (inner: Writer) => void): Uint8Array {
    const inner = new Writer(this.names, this.depth + 1);
    write(inner);
    return inner.bytes();
  }

  /** What `write` puts, behind its length as a BigSize; `more` is counted on top of it. */
  sized(write: (inner: Writer) => void, more = 0): void {
    const inner = this.apart(write);
    this.bigSize(inner.length + more);
    this.put(inner);
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer, 0, this.#length);
  }

  fail(problem: string): never {
    throw new EncodeError({ problem, place: this.names.join("/") });
  }

  #grow(count: number): number {
    const at = this.#length;
    this.#length += count;
    const capacity = this.#view.byteLength;
    if (this.#length > capacity) {
      const longer = new Uint8Array(Math.max(this.#length, capacity * 2));
      longer.set(new Uint8Array(this.#view.buffer));
      this.#view = new DataView(longer.buffer);
    }
    return at;
  }
}

/** All bytes of a value, or where and why it has none. */
export function encodeWhole<T>(
  name: string,
  encoder: Encoder<T>,
  value: T,
): Result<Uint8Array, EncodeFailure> {
  const writer = Writer.named(name);
  try {
    encoder.encode(writer, value);
    return ok(writer.bytes());
  } catch (error) {
    if (error instanceof EncodeError) return err(error.failure);
    throw error;
  }
}
