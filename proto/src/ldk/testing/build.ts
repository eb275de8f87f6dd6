/** Builds LDK bytes by hand for tests of what no recording holds. */
import { concatBytes } from "../../bytes.js";
import { Cursor, type Decoder } from "../cursor.js";

export const uint = (value: bigint | number, width: number): Uint8Array =>
  Uint8Array.from({ length: width }, (_, at) =>
    Number((BigInt(value) >> BigInt(8 * (width - 1 - at))) & 0xffn),
  );

export function bigSize(value: bigint | number): Uint8Array {
  const number = BigInt(value);
  if (number < 0xfdn) return uint(number, 1);
  if (number < 1n << 16n) return concatBytes(uint(0xfd, 1), uint(number, 2));
  if (number < 1n << 32n) return concatBytes(uint(0xfe, 1), uint(number, 4));
  return concatBytes(uint(0xff, 1), uint(number, 8));
}

export const filled = (length: number, byte: number): Uint8Array =>
  new Uint8Array(length).fill(byte);

/** A compressed key by its looks; the decoder does not ask for more. */
export const key = (byte: number): Uint8Array => concatBytes(uint(2, 1), filled(32, byte));

export const record = (type: bigint | number, ...value: readonly Uint8Array[]): Uint8Array => {
  const joined = concatBytes(...value);
  return concatBytes(bigSize(type), bigSize(joined.length), joined);
};

export const struct = (...records: readonly Uint8Array[]): Uint8Array => {
  const joined = concatBytes(...records);
  return concatBytes(bigSize(joined.length), joined);
};

/** A `ChannelMonitorUpdate` of LDK 0.2 around encoded steps. */
export const update = (updateId: number, ...steps: readonly Uint8Array[]): Uint8Array =>
  concatBytes(
    uint(0x0101, 2),
    uint(updateId, 8),
    uint(steps.length, 8),
    ...steps,
    struct(record(3, filled(32, 9))),
  );

/** Runs a decoder over bytes, from their start and to their end. */
export function decodeAll<T>(decoder: Decoder<T>, bytes: Uint8Array): T {
  const cursor = Cursor.over(bytes, "test");
  const value = decoder.decode(cursor);
  cursor.finish();
  return value;
}
