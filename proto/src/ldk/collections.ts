/**
 * Lists, maps and options of LDK's values (LDK util/ser.rs; ldk-binary section 1). Nothing is allocated from
 * a count: every item takes a byte at least, so the input bounds each loop.
 */
import { toHex } from "../bytes.js";
import { fieldsOf, sequence, type Codec } from "./codec.js";
import type { Cursor } from "./cursor.js";
import { jsonList, refuseJson } from "./json.js";
import { collectionLength } from "./primitives.js";
import { encodeWhole, type Writer } from "./writer.js";

function repeat<T>(cursor: Cursor, count: number | bigint, codec: Codec<T>): readonly T[] {
  const items: T[] = [];
  for (let at = 0; at < count; at++) items.push(codec.decode(cursor));
  return items;
}

function listed<T>(writer: Writer, value: readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : writer.fail("not a list");
}

function put<T>(writer: Writer, items: readonly T[], codec: Codec<T>): void {
  items.forEach((item, at) => writer.within(at, () => codec.encode(writer, item)));
}

type Framing = Pick<Codec<readonly unknown[]>, "encode"> & {
  /** How many items follow; undefined: up to the end. */
  readonly count: (cursor: Cursor) => number | bigint | undefined;
};

function list<T>(codec: Codec<T>, { count, encode }: Framing): Codec<readonly T[]> {
  return {
    decode: (cursor) => {
      const items = count(cursor);
      if (items !== undefined) return repeat(cursor, items, codec);
      const all: T[] = [];
      while (cursor.left > 0) all.push(codec.decode(cursor));
      return all;
    },
    encode: (writer, value) => {
      encode(writer, listed(writer, value));
      put(writer, value, codec);
    },
    toJson: (value) => value.map((item) => codec.toJson(item)),
    fromJson: (json, path) =>
      jsonList(json, path).map((item, at) => codec.fromJson(item, `${path}[${at}]`)),
  };
}

/** Behind a collection length, as vectors stand outside TLV records. */
export const vec = <T>(codec: Codec<T>): Codec<readonly T[]> =>
  list(codec, {
    count: collectionLength.decode,
    encode: (writer, value) => collectionLength.encode(writer, value.length),
  });

/** Behind a u64, as the monitor's body counts. */
export const counted = <T>(codec: Codec<T>): Codec<readonly T[]> =>
  list(codec, {
    count: (cursor) => cursor.uint64(),
    encode: (writer, value) => writer.bigUint(8, BigInt(value.length)),
  });

/** A whole number of items up to the end of the TLV record. */
export const rest = <T>(codec: Codec<T>): Codec<readonly T[]> =>
  list(codec, { count: () => undefined, encode: () => undefined });

export function exactly<T>(items: number, codec: Codec<T>): Codec<readonly T[]> {
  const all = list(codec, {
    count: () => items,
    encode: (writer, { length }) =>
      length === items ? undefined : writer.fail(`not ${items} items`),
  });
  return {
    ...all,
    fromJson: (json, path) =>
      jsonList(json, path).length === items
        ? all.fromJson(json, path)
        : refuseJson(path, `not ${items} items`),
  };
}

/** `Option` outside TLV records: length + 1, then the value; 0 for none. */
export const option = <T>(codec: Codec<T>): Codec<T | undefined> => ({
  mayBeAbsent: true,
  decode: (cursor) => {
    const size = cursor.bigSize();
    if (size === 0) return undefined;
    const inner = cursor.sub(typeof size === "bigint" ? size - 1n : size - 1, "option");
    const value = codec.decode(inner);
    inner.finish();
    return value;
  },
  encode: (writer, value) => {
    if (value === undefined) return writer.bigSize(0);
    writer.sized((inner) => codec.encode(inner, value), 1);
  },
  toJson: (value) => (value === undefined ? null : codec.toJson(value)),
  fromJson: (json, path) => codec.fromJson(json, path),
});

/** `Option` within a TLV record, where the record's absence is another thing: null for none. */
export const nullable = <T>(codec: Codec<T>): Codec<T | null> => {
  const inner = option(codec);
  return {
    decode: (cursor) => inner.decode(cursor) ?? null,
    encode: (writer, value) => inner.encode(writer, value ?? undefined),
    toJson: (value) => (value === null ? null : codec.toJson(value)),
    fromJson: (json, path) => (json === null ? null : codec.fromJson(json, path)),
  };
};

/** A value together with the bytes it was read from; what is written is the value. */
export interface WithRaw<T> {
  readonly value: T;
  readonly raw: Uint8Array;
}

export const withRaw = <T>(codec: Codec<T>): Codec<WithRaw<T>> => ({
  decode: (cursor) => {
    const start = cursor.position;
    const value = codec.decode(cursor);
    return { value, raw: cursor.since(start) };
  },
  encode: (writer, both) => codec.encode(writer, fieldsOf(writer, both)["value"] as T), // checked by it
  toJson: ({ value }) => codec.toJson(value),
  fromJson: (json, path) => {
    const value = codec.fromJson(json, path);
    const raw = encodeWhole("value", codec, value);
    return raw.ok ? { value, raw: raw.value } : refuseJson(path, raw.error.problem);
  },
});

export interface Entry<K, V> {
  readonly key: K;
  readonly value: V;
}

/** A map, in whatever order its writer happened to hold it; a key that comes twice is refused. */
export function entries<K, V>(key: Codec<K>, value: Codec<V>): Codec<readonly Entry<K, V>[]> {
  const named = withRaw(key);
  const all = vec<Entry<K, V>>(sequence({ key, value }));
  return {
    ...all,
    decode: (cursor) => {
      const seen = new Set<string>();
      const count = collectionLength.decode(cursor);
      const found: Entry<K, V>[] = [];
      for (let at = 0; at < count; at++) {
        const { value: name, raw } = named.decode(cursor);
        if (isTwice(seen, raw)) cursor.fail({ kind: "badValue", what: TWICE });
        found.push({ key: name, value: value.decode(cursor) });
      }
      return found;
    },
    encode: (writer, value) => {
      const seen = new Set<string>();
      all.encode(writer, value);
      for (const [at, entry] of value.entries()) {
        const raw = writer.apart((inner) => key.encode(inner, entry.key));
        if (isTwice(seen, raw)) writer.within(at, () => writer.fail(TWICE));
      }
    },
    fromJson: (json, path) => {
      const seen = new Set<string>();
      const value = all.fromJson(json, path);
      for (const [at, entry] of value.entries()) {
        const raw = encodeWhole("key", key, entry.key);
        if (!raw.ok) refuseJson(`${path}[${at}].key`, raw.error.problem);
        if (isTwice(seen, raw.value)) refuseJson(`${path}[${at}].key`, TWICE);
      }
      return value;
    },
  };
}

const TWICE = "a key that comes twice";

function isTwice(seen: Set<string>, raw: Uint8Array): boolean {
  const name = toHex(raw);
  const twice = seen.has(name);
  seen.add(name);
  return twice;
}
