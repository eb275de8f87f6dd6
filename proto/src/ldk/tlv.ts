/**
 * TLV streams and enums as LDK's macros write them (LDK util/ser_macros.rs; ldk-binary section 2). Types
 * rise strictly; a type nobody here knows is skipped when odd and refused when even. Known values must be
 * used up exactly.
 */
import type { Cursor, Decode } from "./cursor.js";

export interface Field<T> {
  readonly type: number;
  readonly decode: Decode<T>;
  /** What the field is when its record is missing; undefined: it must not be. */
  readonly absent: (() => T) | undefined;
}

export const required = <T>(type: number, decode: Decode<T>): Field<T> => ({
  type,
  decode,
  absent: undefined,
});

export const optional = <T>(type: number, decode: Decode<T>): Field<T | undefined> => ({
  type,
  decode,
  absent: () => undefined,
});

export const defaulted = <T>(type: number, decode: Decode<T>, value: T): Field<T> => ({
  type,
  decode,
  absent: () => value,
});

type Fields = Readonly<Record<string, Field<unknown>>>;
export type Struct<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
};
export type Decoded<D> = D extends Decode<infer T> ? T : never;

/** Records up to the end of the cursor. */
export function tlvStream<F extends Fields>(fields: F): Decode<Struct<F>> {
  const byType = new Map(
    Object.entries(fields).map(([name, field]) => [BigInt(field.type), { name, field }]),
  );
  return (cursor) => {
    const found = new Map<string, unknown>();
    let previous = -1n;
    while (cursor.left > 0) {
      const start = cursor.position;
      const type = cursor.bigSize();
      if (type <= previous) cursor.fail({ kind: "unorderedTlv", type }, start);
      previous = type;
      const known = byType.get(type);
      if (known === undefined && type % 2n === 0n) {
        cursor.fail({ kind: "unknownRequiredTlv", type }, start);
      }
      const value = cursor.sub(cursor.bigSize(), known?.name ?? "skipped");
      if (known === undefined) continue;
      found.set(known.name, known.field.decode(value));
      value.finish();
    }
    return complete(cursor, fields, found);
  };
}

function complete<F extends Fields>(
  cursor: Cursor,
  fields: F,
  found: ReadonlyMap<string, unknown>,
): Struct<F> {
  const values = Object.entries(fields).map(([name, { type, absent }]) => {
    if (found.has(name)) return [name, found.get(name)];
    if (absent === undefined) cursor.fail({ kind: "missingTlv", type, field: name });
    return [name, absent()];
  });
  return Object.fromEntries(values) as Struct<F>; // each value came out of its field's own decoder
}

/** A stream behind its length in bytes: how LDK writes nearly every type. */
export function tlvStruct<F extends Fields>(name: string, fields: F): Decode<Struct<F>> {
  const stream = tlvStream(fields);
  return (cursor) => stream(cursor.sub(cursor.bigSize(), name));
}

/** A type whose inside nobody here reads: its length and its bytes. */
export const opaqueStruct: Decode<Uint8Array> = (cursor) => {
  const start = cursor.position;
  cursor.sub(cursor.bigSize(), "opaque");
  return cursor.since(start);
};

/** A value behind its length, which it must fill: a tuple variant of a newer enum. */
export const sized =
  <T>(name: string, decode: Decode<T>): Decode<T> =>
  (cursor) => {
    const inner = cursor.sub(cursor.bigSize(), name);
    const value = decode(inner);
    inner.finish();
    return value;
  };

export const variant =
  <K extends string, T extends object>(
    kind: K,
    decode: Decode<T>,
  ): Decode<T & { readonly kind: K }> =>
  (cursor) => ({ ...decode(cursor), kind });

export const structVariant = <K extends string, F extends Fields>(kind: K, fields: F) =>
  variant(kind, tlvStruct(kind, fields));

type Variants = Readonly<Record<number, Decode<object>>>;
type OneOf<V extends Variants> = Decoded<V[keyof V]>;

function known<V extends Variants>(variants: V, id: number): Decode<OneOf<V>> | undefined {
  return variants[id] as Decode<OneOf<V>> | undefined; // each returns one of the union
}

/** One byte names the variant; any other value is refused. */
export const strictEnum =
  <V extends Variants>(variants: V): Decode<OneOf<V>> =>
  (cursor) => {
    const start = cursor.position;
    const id = cursor.uint(1);
    const decode = known(variants, id);
    return decode === undefined
      ? cursor.fail({ kind: "unknownVariant", variant: id }, start)
      : decode(cursor);
  };

/** What a later LDK added under an odd number; LDK leaves it out, here the caller decides. */
export interface UnknownVariant {
  readonly kind: "unknown";
  readonly variant: number;
}

/** Like `strictEnum`, but an unknown odd variant is stepped over and named. */
export const upgradableEnum =
  <V extends Variants>(variants: V): Decode<OneOf<V> | UnknownVariant> =>
  (cursor) => {
    const start = cursor.position;
    const id = cursor.uint(1);
    const decode = known(variants, id);
    if (decode !== undefined) return decode(cursor);
    if (id % 2 === 0) cursor.fail({ kind: "unknownVariant", variant: id }, start);
    cursor.sub(cursor.bigSize(), "skipped");
    return { kind: "unknown", variant: id };
  };
