/**
 * TLV streams and structs as LDK's macros write them (LDK util/ser_macros.rs; ldk-binary section 2). Types
 * rise strictly; a type nobody here knows is kept with its bytes when odd and refused when even. Known
 * values must be used up exactly.
 */
import { fieldsOf, type Codec } from "./codec.js";
import type { Cursor } from "./cursor.js";
import {
  jsonAt,
  jsonBigUint,
  jsonBytes,
  jsonList,
  jsonObject,
  refuseJson,
  refuseOtherKeys,
  type Json,
} from "./json.js";
import { toHex } from "../bytes.js";
import { checkedBytes } from "./primitives.js";
import type { Writer } from "./writer.js";

export interface Field<T> {
  readonly type: number;
  readonly codec: Codec<T>;
  readonly isRequired: boolean;
}

export const required = <T>(type: number, codec: Codec<T>): Field<T> => ({
  type,
  codec,
  isRequired: true,
});

/**
 * Absent when its record is: also where LDK's reader has a default, which consumers apply, so that what
 * was written can be told from what was not.
 */
export const optional = <T>(type: number, codec: Codec<T>): Field<T | undefined> => ({
  type,
  codec,
  isRequired: false,
});

/** A record of a later LDK, or of one that extended the format on its own. */
export interface UnknownRecord {
  /** Odd, or LDK would have to refuse it. */
  readonly type: bigint;
  readonly bytes: Uint8Array;
}

export interface WithUnknown {
  /** In the order of their types; left out where there are none. */
  readonly unknownRecords?: readonly UnknownRecord[];
}

type Fields = Readonly<Record<string, Field<unknown>>>;
export type Struct<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never;
} & WithUnknown;

interface NamedField extends Field<unknown> {
  readonly name: string;
}

const UNKNOWN = "unknownRecords";

/** Records up to the end of the cursor. */
export function tlvStream<F extends Fields>(fields: F): Codec<Struct<F>> {
  const rising = Object.entries(fields)
    .map(([name, field]): NamedField => ({ ...field, name }))
    .sort((a, b) => a.type - b.type);
  const blank = Object.fromEntries(rising.map(({ name }) => [name, undefined]));
  const byType = new Map<number | bigint, NamedField>(rising.map((field) => [field.type, field]));
  const names = new Set([...Object.keys(fields), UNKNOWN]);
  const needed = rising.filter(({ isRequired }) => isRequired);
  return {
    decode: (cursor) => {
      const value: Record<string, unknown> = { ...blank };
      let unknown: UnknownRecord[] | undefined;
      for (let previous: number | bigint = -1; cursor.left > 0;) {
        const start = cursor.position;
        const type = cursor.bigSize();
        if (type <= previous) cursor.fail({ kind: "unorderedTlv", type: BigInt(type) }, start);
        previous = type;
        const field = byType.get(type);
        if (field === undefined) {
          unknown ??= [];
          unknown.push(unknownRecord(cursor, type, start));
        } else {
          value[field.name] = readField(cursor, field);
        }
      }
      for (const { name, type } of needed) {
        if (value[name] === undefined) cursor.fail({ kind: "missingTlv", type, field: name });
      }
      if (unknown !== undefined) value[UNKNOWN] = unknown;
      return value as Struct<F>; // each value came out of its field's own codec
    },
    encode: (writer, value) => {
      const values = fieldsOf(writer, value);
      const others = [...checkedUnknown(writer, values[UNKNOWN], byType)];
      for (const field of rising) {
        while (others[0] !== undefined && others[0].type < field.type) {
          putUnknown(writer, others.shift());
        }
        writer.within(field.name, () => putField(writer, field, values[field.name]));
      }
      for (const other of others) putUnknown(writer, other);
    },
    toJson: (value) => toJson(rising, value as Readonly<Record<string, unknown>>), // by name alone
    fromJson: (json, path) => {
      const object = jsonObject(json, path);
      refuseOtherKeys(object, names, path);
      const value: Record<string, unknown> = { ...blank };
      for (const field of rising) value[field.name] = fieldFromJson(object, field, path);
      const unknown = jsonAt(object, UNKNOWN);
      if (unknown !== undefined) {
        value[UNKNOWN] = unknownFromJson(unknown, `${path}.${UNKNOWN}`, byType);
      }
      return value as Struct<F>; // as in decode
    },
  };
}

type ByType = ReadonlyMap<number | bigint, NamedField>;

function readField(cursor: Cursor, { name, codec }: NamedField): unknown {
  const record = cursor.sub(cursor.bigSize(), name);
  const value = codec.decode(record);
  record.finish();
  return value;
}

function unknownRecord(cursor: Cursor, number: number | bigint, start: number): UnknownRecord {
  const type = BigInt(number);
  if (type % 2n === 0n) cursor.fail({ kind: "unknownRequiredTlv", type }, start);
  const record = cursor.sub(cursor.bigSize(), "unknown");
  return { type, bytes: record.take(record.left) };
}

function putField(writer: Writer, { type, codec, isRequired }: NamedField, value: unknown): void {
  if (value === undefined) return isRequired ? writer.fail("missing") : undefined;
  writer.bigSize(type);
  writer.sized((inner) => codec.encode(inner, value));
}

function putUnknown(writer: Writer, record: UnknownRecord | undefined): void {
  if (record === undefined) return;
  writer.bigSize(record.type);
  writer.bigSize(record.bytes.length);
  writer.put(record.bytes);
}

/** What is wrong with records that claim to be unknown ones, if anything. */
function unknownProblem(records: readonly UnknownRecord[], byType: ByType): string | undefined {
  let previous = -1n;
  for (const { type } of records) {
    if (type <= previous) return "record types do not rise";
    if (type % 2n === 0n) return "an unknown record of an even type";
    if (byType.has(Number(type))) return "a known record among the unknown";
    previous = type;
  }
  return undefined;
}

function checkedUnknown(writer: Writer, value: unknown, byType: ByType): readonly UnknownRecord[] {
  if (value === undefined) return [];
  writer.within(UNKNOWN, () => {
    if (!Array.isArray(value)) writer.fail("not a list");
    for (const record of value) {
      const { type, bytes } = fieldsOf(writer, record);
      if (typeof type !== "bigint" || type >> 64n !== 0n) writer.fail("a type that is no u64");
      checkedBytes(writer, bytes);
    }
    const problem = unknownProblem(value as readonly UnknownRecord[], byType); // seen just above
    if (problem !== undefined) writer.fail(problem);
  });
  return value as readonly UnknownRecord[]; // as above
}

function toJson(
  fields: readonly NamedField[],
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, Json>> {
  const json: Record<string, Json> = {};
  for (const { name, codec } of fields) {
    if (values[name] !== undefined) json[name] = codec.toJson(values[name]);
  }
  const unknown = values[UNKNOWN] as readonly UnknownRecord[] | undefined; // nothing else stands there
  if (unknown !== undefined) {
    json[UNKNOWN] = unknown.map(({ type, bytes }) => ({ type: String(type), bytes: toHex(bytes) }));
  }
  return json;
}

function fieldFromJson(
  object: Readonly<Record<string, Json>>,
  { name, codec, isRequired }: NamedField,
  path: string,
): unknown {
  const at = `${path}.${name}`;
  const json = jsonAt(object, name);
  if (json === undefined) return isRequired ? refuseJson(at, "missing") : undefined;
  return codec.fromJson(json, at);
}

const RECORD_KEYS = new Set(["type", "bytes"]);

function unknownFromJson(json: Json, path: string, byType: ByType): readonly UnknownRecord[] {
  const records = jsonList(json, path).map((item, index) => {
    const at = `${path}[${index}]`;
    const object = jsonObject(item, at);
    refuseOtherKeys(object, RECORD_KEYS, at);
    return {
      type: jsonBigUint(jsonAt(object, "type") ?? null, `${at}.type`, 8),
      bytes: jsonBytes(jsonAt(object, "bytes") ?? null, `${at}.bytes`),
    };
  });
  const problem = records.length === 0 ? "an empty list" : unknownProblem(records, byType);
  return problem === undefined ? records : refuseJson(path, problem);
}

/** A stream behind its length in bytes: how LDK writes nearly every type. */
export const tlvStruct = <F extends Fields>(name: string, fields: F): Codec<Struct<F>> =>
  sized(name, tlvStream(fields));

/** A value behind its length, which it must fill: a struct, or a tuple variant of a newer enum. */
export const sized = <T>(name: string, codec: Codec<T>): Codec<T> => ({
  ...codec,
  decode: (cursor) => {
    const inner = cursor.sub(cursor.bigSize(), name);
    const value = codec.decode(inner);
    inner.finish();
    return value;
  },
  encode: (writer, value) => writer.sized((inner) => codec.encode(inner, value)),
});

/** A struct that has no fields yet; undefined: nor any of a later LDK. */
export const noFields: Codec<WithUnknown | undefined> = {
  mayBeAbsent: true,
  decode: (cursor) => unlessEmpty(empty.decode(cursor)),
  encode: (writer, value) => empty.encode(writer, value ?? {}),
  toJson: (value) => empty.toJson(value ?? {}),
  fromJson: (json, path) => unlessEmpty(empty.fromJson(json, path)),
};
const empty = tlvStruct("end", {});
const unlessEmpty = (value: WithUnknown): WithUnknown | undefined =>
  value.unknownRecords === undefined ? undefined : value;
