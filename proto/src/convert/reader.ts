/**
 * How wire messages become domain values: every length, range and presence is checked where it is read,
 * and the field's path stands in the refusal. Readers throw WireError inside; `parseWith` turns it into
 * a value, so nothing leaves this folder as an exception, whatever the bytes.
 */
import {
  feeratePerKw,
  MAX_SAT,
  msat,
  sat,
  type FeeratePerKw,
  type Msat,
  type Sat,
} from "../amount.js";
import {
  blockDelta,
  blockHeight,
  LOCKTIME_THRESHOLD,
  type BlockDelta,
  type BlockHeight,
} from "../block.js";
import { equalBytes, toHex, utf8 } from "../bytes.js";
import { refuse, type Reason, type Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";

export class WireError extends Error {
  override readonly name = "WireError";
  constructor(readonly refusal: Refusal) {
    super(refusal.message);
  }
}

export function fail(reason: Reason, field: string, message: string): never {
  throw new WireError(refuse(reason, message, { field }));
}

interface Codec<T> {
  decode(bytes: Uint8Array): T;
  encode(message: T): { finish(): Uint8Array };
}

/**
 * Decodes and reads a message. Bytes that do not re-encode to themselves carry fields this version does
 * not know, or are not canonical; ignoring them could lose what the sender meant, so they are refused.
 */
export function parseWith<W, D>(
  codec: Codec<W>,
  bytes: Uint8Array,
  read: (message: W) => D,
): Result<D, Refusal> {
  return readWith(() => {
    const message = decodeMessage(codec, bytes);
    const value = read(message);
    if (!equalBytes(codec.encode(message).finish(), bytes)) {
      fail("malformed", "payload", "unknown fields, or not the canonical encoding");
    }
    return value;
  });
}

/** Runs a reader over a message that was decoded elsewhere; its refusals become values. */
export function readWith<D>(read: () => D): Result<D, Refusal> {
  try {
    return ok(read());
  } catch (error) {
    if (error instanceof WireError) return err(error.refusal);
    throw error;
  }
}

function decodeMessage<W>(codec: Codec<W>, bytes: Uint8Array): W {
  try {
    return codec.decode(bytes);
  } catch {
    return fail("malformed", "payload", "not a valid protobuf message of this type");
  }
}

export function present<T>(value: T | undefined, field: string): T {
  return value ?? fail("malformed", field, "required");
}

export function fixed(bytes: Uint8Array, length: number, field: string): Uint8Array {
  if (bytes.length !== length) {
    fail("wrongLength", field, `expected ${length} bytes, got ${bytes.length}`);
  }
  return Uint8Array.from(bytes);
}

export const fixedHex = (bytes: Uint8Array, length: number, field: string): string =>
  toHex(fixed(bytes, length, field));

export function readSat(value: bigint, field: string): Sat {
  return value > MAX_SAT ? fail("rangeExceeded", field, "more than 21 million BTC") : sat(value);
}

export function readMsat(value: bigint, field: string): Msat {
  return value > MAX_SAT * 1000n
    ? fail("rangeExceeded", field, "more than 21 million BTC")
    : msat(value);
}

export function readHeight(value: number, field: string): BlockHeight {
  return value >= LOCKTIME_THRESHOLD
    ? fail("rangeExceeded", field, "not a block height")
    : blockHeight(value);
}

export function readDelta(value: number, field: string): BlockDelta {
  return value > 0xffff
    ? fail("rangeExceeded", field, "more than 65535 blocks")
    : blockDelta(value);
}

export const readFeerate = (value: number): FeeratePerKw => feeratePerKw(value);

/** Text up to a number of UTF-8 bytes. */
export function textUpTo(value: string, limit: number, field: string): string {
  if (utf8(value).length > limit) fail("tooLarge", field, `more than ${limit} bytes`);
  return value;
}

/** Variable length up to a limit, copied. */
export function atMost(bytes: Uint8Array, limit: number, field: string): Uint8Array {
  if (bytes.length > limit) fail("tooLarge", field, `more than ${limit} bytes`);
  return Uint8Array.from(bytes);
}

export const optional = <T, D>(value: T | undefined, read: (value: T) => D): D | undefined =>
  value === undefined ? undefined : read(value);
