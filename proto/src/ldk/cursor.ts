/**
 * A bounded position in LDK's bytes, and the one error that reading can end in. Every length is checked
 * against what is left before anything is taken, and nothing is allocated from a count, so hostile bytes
 * cost no more than their own size (LDK util/ser.rs; ldk-binary section 2).
 */
import { err, ok, type Result } from "../result.js";

export type DecodeProblem =
  | { readonly kind: "truncated"; readonly wanted: bigint; readonly left: number }
  /** A value ended before the bytes set aside for it did. */
  | { readonly kind: "leftover"; readonly bytes: number }
  | { readonly kind: "notMinimal" }
  | { readonly kind: "unorderedTlv"; readonly type: bigint }
  /** An even type: its writer says that it must not be ignored. */
  | { readonly kind: "unknownRequiredTlv"; readonly type: bigint }
  | { readonly kind: "missingTlv"; readonly type: number; readonly field: string }
  | { readonly kind: "unknownVariant"; readonly variant: number }
  | { readonly kind: "unsupportedVersion"; readonly minimumReader: number }
  | { readonly kind: "badValue"; readonly what: string }
  /** More values in one another than `MAX_NESTING`. */
  | { readonly kind: "tooDeep" };

/** Why bytes are not what LDK writes. It quotes none of them: they hold secrets. */
export interface DecodeFailure {
  readonly problem: DecodeProblem;
  /** Of the byte at which reading stopped, from the start of the input. */
  readonly offset: number;
  /** The value being read, outermost first: `channelMonitor/onchainTxHandler/commitment`. */
  readonly place: string;
}

/** Leaves this folder only as a value: `decodeWhole` catches it. */
class DecodeError extends Error {
  override readonly name = "DecodeError";
  constructor(readonly failure: DecodeFailure) {
    super(`${failure.problem.kind} at ${failure.offset}`);
  }
}

/** Anything that reads: a codec, or a part of one. */
export interface Decoder<T> {
  decode(cursor: Cursor): T;
}

/**
 * How deep values may stand in one another. The deepest LDK writes (an HTLC's route in a pending splice of
 * a monitor) is 15; no type contains itself, this holds if one ever does.
 */
export const MAX_NESTING = 32;

export class Cursor {
  #position: number;
  readonly #depth: number;

  constructor(
    private readonly view: DataView,
    start: number,
    private readonly end: number,
    private readonly name: string,
    private readonly parent?: Cursor,
  ) {
    this.#position = start;
    this.#depth = parent === undefined ? 0 : parent.#depth + 1;
    if (this.#depth > MAX_NESTING) this.fail({ kind: "tooDeep" });
  }

  /** At the first byte of a whole input. */
  static over(bytes: Uint8Array, name: string): Cursor {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new Cursor(view, 0, bytes.length, name);
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.end - this.#position;
  }

  /** A view of the next bytes; it lives as long as the input. */
  take(count: number): Uint8Array {
    return this.#bytes(this.#advance(count), count);
  }

  /** What lies between an earlier position and this one. */
  since(start: number): Uint8Array {
    return this.#bytes(start, this.#position - start);
  }

  /** The next bytes as a cursor of their own; this one moves behind them. */
  sub(length: number | bigint, name: string): Cursor {
    if (length > this.left) this.#truncated(BigInt(length));
    const start = this.#position;
    this.#position += Number(length);
    return new Cursor(this.view, start, this.#position, name, this);
  }

  /** The next bytes without moving; as many as there are if that is fewer. */
  ahead(length: number | bigint): Uint8Array {
    const count = length > this.left ? this.left : Number(length);
    return this.#bytes(this.#position, count);
  }

  /** Big-endian unsigned integer of up to 6 bytes. */
  uint(width: 1 | 2 | 4 | 6): number {
    const at = this.#advance(width);
    switch (width) {
      case 1:
        return this.view.getUint8(at);
      case 2:
        return this.view.getUint16(at);
      case 4:
        return this.view.getUint32(at);
      case 6:
        return this.view.getUint16(at) * 2 ** 32 + this.view.getUint32(at + 2);
    }
  }

  /** Big-endian unsigned integer of 8 bytes. */
  uint64(): bigint {
    return this.view.getBigUint64(this.#advance(8));
  }

  /** BOLT 1 BigSize: 1, 3, 5 or 9 bytes, big-endian, in the shortest form only; a bigint from 2^32 on. */
  bigSize(): number | bigint {
    const start = this.#position;
    const first = this.uint(1);
    if (first < 0xfd) return first;
    const [value, least] =
      first === 0xfd
        ? [this.uint(2), 0xfd]
        : first === 0xfe
          ? [this.uint(4), 2 ** 16]
          : [this.uint64(), 2 ** 32];
    return value < least ? this.fail({ kind: "notMinimal" }, start) : value;
  }

  /** Refuses bytes that were set aside for a value and not used by it. */
  finish(): void {
    if (this.left > 0) this.fail({ kind: "leftover", bytes: this.left });
  }

  fail(problem: DecodeProblem, offset = this.#position): never {
    throw new DecodeError({ problem, offset, place: this.#place() });
  }

  #advance(count: number): number {
    const at = this.#position;
    if (count > this.end - at) this.#truncated(BigInt(count));
    this.#position = at + count;
    return at;
  }

  #bytes(start: number, length: number): Uint8Array {
    return new Uint8Array(this.view.buffer, this.view.byteOffset + start, length);
  }

  #truncated(wanted: bigint): never {
    return this.fail({ kind: "truncated", wanted, left: this.left });
  }

  #place(): string {
    const names: string[] = [];
    for (let at: Cursor | undefined = this; at !== undefined; at = at.parent)
      names.unshift(at.name);
    return names.join("/");
  }
}

/** Decodes a whole input: success means that every byte of it was understood. */
export function decodeWhole<T>(
  name: string,
  decoder: Decoder<T>,
  bytes: Uint8Array,
): Result<T, DecodeFailure> {
  const cursor = Cursor.over(bytes, name);
  try {
    const value = decoder.decode(cursor);
    cursor.finish();
    return ok(value);
  } catch (error) {
    if (error instanceof DecodeError) return err(error.failure);
    throw error;
  }
}

/** One line for people: what, where, at which byte. */
export function describeFailure({ problem, offset, place }: DecodeFailure): string {
  const { kind, ...facts } = problem;
  const told = Object.entries(facts).map(([name, value]) => `${name} ${String(value)}`);
  return [`${kind} at byte ${offset} of ${place}`, ...told].join(", ");
}
