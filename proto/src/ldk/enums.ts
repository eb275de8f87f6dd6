/**
 * Enums as LDK's macros write them: one byte names the variant (LDK util/ser_macros.rs; ldk-binary section
 * 2). In JSON the variant stands by name under `kind`, beside its fields.
 */
import { toHex } from "../bytes.js";
import { fieldsOf, type Codec, type Decoded } from "./codec.js";
import {
  jsonAt,
  jsonBytes,
  jsonObject,
  jsonText,
  refuseJson,
  refuseOtherKeys,
  type Json,
  type JsonObject,
} from "./json.js";
import { checkedBytes, restBytes, u8 } from "./primitives.js";
import { tlvStruct, type Struct } from "./tlv.js";
import type { Writer } from "./writer.js";

/** A variant's codec reads and writes what follows the number; the enum puts the name beside it. */
export interface Variant<K extends string, T> extends Codec<T & { readonly kind: K }> {
  readonly kind: K;
}

export const variant = <K extends string, T extends object>(
  kind: K,
  codec: Codec<T>,
): Variant<K, T> => ({
  kind,
  decode: (cursor) => ({ ...codec.decode(cursor), kind }),
  encode: (writer, value) => codec.encode(writer, value),
  toJson: (value) => codec.toJson(value),
  fromJson: (json, path) => ({ ...codec.fromJson(json, path), kind }),
});

export const structVariant = <K extends string, F extends Parameters<typeof tlvStruct>[1]>(
  kind: K,
  fields: F,
): Variant<K, Struct<F>> => variant(kind, tlvStruct(kind, fields));

type Variants = Readonly<Record<number, Variant<string, object>>>;
type OneOf<V extends Variants> = Decoded<V[keyof V]>;

interface Numbered {
  readonly id: number;
  readonly codec: Variant<string, object>;
}

interface Table {
  readonly byId: ReadonlyMap<number, Variant<string, object>>;
  readonly byKind: ReadonlyMap<string, Numbered>;
}

function tableOf(variants: Variants): Table {
  const list = Object.entries(variants).map(([id, codec]) => ({ id: Number(id), codec }));
  return {
    byId: new Map(list.map(({ id, codec }) => [id, codec])),
    byKind: new Map(list.map((numbered) => [numbered.codec.kind, numbered])),
  };
}

/** Any other value of the byte is refused. */
export function strictEnum<V extends Variants>(variants: V): Codec<OneOf<V>> {
  const table = tableOf(variants);
  return {
    decode: (cursor) => {
      const start = cursor.position;
      const id = cursor.uint(1);
      const codec = table.byId.get(id);
      if (codec === undefined) return cursor.fail({ kind: "unknownVariant", variant: id }, start);
      return codec.decode(cursor) as OneOf<V>; // each returns one of the union
    },
    encode: (writer, value) => {
      if (!encodedKnown(table, writer, value)) writer.fail(NOT_KNOWN);
    },
    toJson: (value) => toJson(table, value as Kinded), // variants are objects with a kind
    fromJson: (json, path) => {
      const [kind, object] = kindIn(json, path);
      return knownFromJson(table, kind, object, path) as OneOf<V>; // as in decode
    },
  };
}

/** What a later LDK added under an odd number; LDK leaves it out, here the caller decides. */
export interface UnknownVariant {
  readonly kind: "unknown";
  readonly variant: number;
  /** Without their length. */
  readonly bytes: Uint8Array;
}

interface Kinded {
  readonly kind: string;
}

const isUnknown = (value: Kinded): value is UnknownVariant => value.kind === "unknown";

const mayBeUnknown = ({ byId }: Table, id: number): boolean => id % 2 === 1 && !byId.has(id);

/** Like `strictEnum`, but an unknown odd variant is kept with its bytes. */
export function upgradableEnum<V extends Variants>(variants: V): Codec<OneOf<V> | UnknownVariant> {
  const table = tableOf(variants);
  const known = strictEnum(variants);
  return {
    decode: (cursor) => {
      const start = cursor.position;
      const id = cursor.uint(1);
      const codec = table.byId.get(id);
      if (codec !== undefined) return codec.decode(cursor) as OneOf<V>; // one of the union
      if (id % 2 === 0) cursor.fail({ kind: "unknownVariant", variant: id }, start);
      const inner = cursor.sub(cursor.bigSize(), "unknown");
      return { kind: "unknown", variant: id, bytes: inner.take(inner.left) };
    },
    encode: (writer, value) => {
      if (encodedKnown(table, writer, value)) return;
      const { kind, variant: id, bytes } = fieldsOf(writer, value);
      if (kind !== "unknown") writer.fail(NOT_KNOWN);
      if (typeof id !== "number" || !mayBeUnknown(table, id)) writer.fail(NOT_UNKNOWN);
      u8.encode(writer, Number(id));
      writer.sized((inner) => restBytes.encode(inner, checkedBytes(writer, bytes)));
    },
    toJson: (value) => {
      const unknown = value as Kinded | UnknownVariant; // variants are objects with a kind
      if (!isUnknown(unknown)) return toJson(table, unknown);
      return { kind: unknown.kind, variant: unknown.variant, bytes: toHex(unknown.bytes) };
    },
    fromJson: (json, path) => {
      const [kind, object] = kindIn(json, path);
      return kind === "unknown" ? unknownFromJson(table, object, path) : known.fromJson(json, path);
    },
  };
}

const NOT_KNOWN = "not a variant that is known here";
const NOT_UNKNOWN = "an unknown variant has an odd number that no known one has";

function encodedKnown({ byKind }: Table, writer: Writer, value: unknown): boolean {
  const { kind } = fieldsOf(writer, value);
  const found = typeof kind === "string" ? byKind.get(kind) : undefined;
  if (found === undefined) return false;
  writer.uint(1, found.id);
  writer.within(found.codec.kind, () => found.codec.encode(writer, value as Kinded)); // seen
  return true;
}

function toJson({ byKind }: Table, value: Kinded): Json {
  const { kind } = value;
  const fields = byKind.get(kind)?.codec.toJson(value) ?? {};
  return { kind, ...(fields as JsonObject) }; // variants are structs and sequences
}

/** The name of the variant, and what stands beside it. */
function kindIn(json: Json, path: string): readonly [string, JsonObject] {
  const object = jsonObject(json, path);
  const kind = jsonText(jsonAt(object, "kind") ?? null, `${path}.kind`);
  return [kind, Object.fromEntries(Object.entries(object).filter(([key]) => key !== "kind"))];
}

function knownFromJson({ byKind }: Table, kind: string, object: JsonObject, path: string): object {
  const found = byKind.get(kind);
  if (found === undefined) refuseJson(`${path}.kind`, NOT_KNOWN);
  return found.codec.fromJson(object, path);
}

const UNKNOWN_KEYS = new Set(["variant", "bytes"]);

function unknownFromJson(table: Table, object: JsonObject, path: string): UnknownVariant {
  refuseOtherKeys(object, UNKNOWN_KEYS, path);
  const id = u8.fromJson(jsonAt(object, "variant") ?? null, `${path}.variant`);
  if (!mayBeUnknown(table, id)) refuseJson(`${path}.variant`, NOT_UNKNOWN);
  const bytes = jsonBytes(jsonAt(object, "bytes") ?? null, `${path}.bytes`);
  return { kind: "unknown", variant: id, bytes };
}
