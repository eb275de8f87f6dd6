/**
 * Counts `batch.updates` in a serialized UpdateChannelRequest without building a message. What it cannot
 * follow it leaves to the decoder, which refuses it.
 */
import { MAX_BATCH_UPDATES } from "@farwatch/protocol/envelope/limits";

const BATCH_FIELD = 1;
const UPDATES_FIELD = 3;
const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;
const MAX_VARINT_BYTES = 10;

interface Field {
  readonly number: number;
  readonly type: number;
  readonly start: number;
  readonly end: number;
}

/** At least MAX_BATCH_UPDATES + 1 when there are more than that. */
export function countUpdates(bytes: Uint8Array): number {
  let count = 0;
  for (const outer of fields(bytes, 0, bytes.length)) {
    if (outer.number !== BATCH_FIELD || outer.type !== LENGTH_DELIMITED) continue;
    for (const inner of fields(bytes, outer.start, outer.end)) {
      if (inner.number === UPDATES_FIELD) count++;
      if (count > MAX_BATCH_UPDATES) return count;
    }
  }
  return count;
}

/** Ends at the first byte that does not follow the protobuf encoding. */
function* fields(bytes: Uint8Array, from: number, end: number): Generator<Field> {
  let at = from;
  while (at < end) {
    const tag = varint(bytes, at, end);
    if (tag === undefined) return;
    const type = tag.value & 7;
    const start = tag.next;
    const next = fieldEnd(bytes, type, start, end);
    if (next === undefined || next.end > end) return;
    yield { number: tag.value >>> 3, type, start: next.start, end: next.end };
    at = next.end;
  }
}

function fieldEnd(
  bytes: Uint8Array,
  type: number,
  start: number,
  end: number,
): { readonly start: number; readonly end: number } | undefined {
  switch (type) {
    case VARINT: {
      const value = varint(bytes, start, end);
      return value === undefined ? undefined : { start, end: value.next };
    }
    case FIXED64:
      return { start, end: start + 8 };
    case FIXED32:
      return { start, end: start + 4 };
    case LENGTH_DELIMITED: {
      const length = varint(bytes, start, end);
      return length === undefined
        ? undefined
        : { start: length.next, end: length.next + length.value };
    }
    default:
      return undefined; // groups and unknown wire types
  }
}

/** The low 32 bits; lengths and tags need no more. */
function varint(
  bytes: Uint8Array,
  from: number,
  end: number,
): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let i = 0; i < MAX_VARINT_BYTES && from + i < end; i++) {
    const byte = bytes[from + i] ?? 0;
    if (i < 5) value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value: value >>> 0, next: from + i + 1 };
  }
  return undefined;
}
