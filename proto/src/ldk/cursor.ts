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
  | { readonly kind: "badValue"; readonly what: string };

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

export type Decode<T> = (cursor: Cursor) => T;

export class Cursor {
  #position: number;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly range: { readonly start: number; readonly end: number },
    private readonly name: string,
    private readonly parent?: Cursor,
  ) {
    this.#position = range.start;
  }

  get position(): number {
    return this.#position;
  }

  get left(): number {
    return this.range.end - this.#position;
  }

  /** A view of the next bytes; it lives as long as the input. */
  take(count: number): Uint8Array {
    if (count > this.left) this.#truncated(BigInt(count));
    const start = this.#position;
    this.#position += count;
    return this.bytes.subarray(start, this.#position);
  }

  /** What lies between an earlier position and this one. */
  since(start: number): Uint8Array {
    return this.bytes.subarray(start, this.#position);
  }

  /** The next bytes as a cursor of their own; this one moves behind them. */
  sub(length: bigint, name: string): Cursor {
    if (length > BigInt(this.left)) this.#truncated(length);
    const start = this.#position;
    this.#position += Number(length);
    return new Cursor(this.bytes, { start, end: this.#position }, name, this);
  }

  /** Big-endian unsigned integer of up to 6 bytes. */
  uint(width: 1 | 2 | 4 | 6): number {
    let value = 0;
    for (const byte of this.take(width)) value = value * 256 + byte;
    return value;
  }

  /** Big-endian unsigned integer of any width. */
  bigUint(width: number): bigint {
    let value = 0n;
    for (const byte of this.take(width)) value = (value << 8n) | BigInt(byte);
    return value;
  }

  /** BOLT 1 BigSize: 1, 3, 5 or 9 bytes, big-endian, in the shortest form only. */
  bigSize(): bigint {
    const start = this.#position;
    const first = this.uint(1);
    if (first < 0xfd) return BigInt(first);
    const [width, least] = first === 0xfd ? [2, 0xfdn] : first === 0xfe ? [4, 1n << 16n] : BIG_SIZE;
    const value = this.bigUint(width);
    return value < least ? this.fail({ kind: "notMinimal" }, start) : value;
  }

  /** Refuses bytes that were set aside for a value and not used by it. */
  finish(): void {
    if (this.left > 0) this.fail({ kind: "leftover", bytes: this.left });
  }

  fail(problem: DecodeProblem, offset = this.#position): never {
    throw new DecodeError({ problem, offset, place: this.#place() });
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

const BIG_SIZE = [8, 1n << 32n] as const;

/** Decodes a whole input: success means that every byte of it was understood. */
export function decodeWhole<T>(
  name: string,
  decode: Decode<T>,
  bytes: Uint8Array,
): Result<T, DecodeFailure> {
  const cursor = new Cursor(bytes, { start: 0, end: bytes.length }, name);
  try {
    const value = decode(cursor);
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
