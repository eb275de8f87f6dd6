/**
 * TLV streams and structs as LDK's macros write them (LDK util/ser_macros.rs; ldk-binary section 2). Types
 * rise strictly; a type nobody here knows is kept with its bytes when odd and refused when even. Known
 * values must be used up exactly.
 */
import { fieldsOf, type Codec } from "./codec.js";
import { decodeWhole, type Cursor } from "./cursor.js";
import { jsonAt, jsonObject, refuseJson, refuseOtherKeys, type Json } from "./json.js";
import {
  checkedUnknown,
  putUnknown,
  UNKNOWN,
  unknownFromJson,
  unknownRecord,
  unknownToJson,
  type UnknownRecord,
  type WithUnknown,
} from "./unknown-records.js";
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

type Fields = Readonly<Record<string, Field<unknown>>>;
type ValueOf<X> = X extends Field<infer T> ? T : never;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: undefined extends ValueOf<F[K]> ? K : never;
}[keyof F];

/** What `decode` gives has every key; who builds a value by hand may leave out what is absent. */
export type Struct<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: ValueOf<F[K]>;
} & {
  readonly [K in OptionalKeys<F>]?: ValueOf<F[K]>;
} & WithUnknown;

interface NamedField extends Field<unknown> {
  readonly name: string;
}

/**
 * Fields of one type are forms of one record, tried in the order in which they are declared: LDK changed
 * some values and kept their numbers.
 */
type Forms = readonly [NamedField, ...NamedField[]];

interface Shape {
  /** By type. */
  readonly fields: readonly NamedField[];
  readonly byType: ReadonlyMap<number | bigint, Forms>;
  readonly needed: readonly NamedField[];
  readonly names: ReadonlySet<string>;
  /** Every field, absent. */
  readonly blank: Readonly<Record<string, undefined>>;
}

type Values = Record<string, unknown>;

function shapeOf(declared: Fields): Shape {
  const fields = Object.entries(declared)
    .map(([name, field]): NamedField => ({ ...field, name }))
    .sort((a, b) => a.type - b.type);
  const byType = new Map<number | bigint, Forms>();
  for (const field of fields) {
    const others = byType.get(field.type);
    byType.set(field.type, others === undefined ? [field] : [...others, field]);
  }
  return {
    fields,
    byType,
    needed: fields.filter(({ isRequired }) => isRequired),
    names: new Set([...Object.keys(declared), UNKNOWN]),
    blank: Object.fromEntries(fields.map(({ name }) => [name, undefined])),
  };
}

/** Records up to the end of the cursor. */
export function tlvStream<F extends Fields>(declared: F): Codec<Struct<F>> {
  const shape = shapeOf(declared);
  return {
    decode: (cursor) => decode(shape, cursor) as Struct<F>, // each value is its own field's codec's
    encode: (writer, value) => encode(shape, writer, fieldsOf(writer, value)),
    toJson: (value) => toJson(shape, value as Values), // read under its own names alone
    fromJson: (json, path) => fromJson(shape, json, path) as Struct<F>, // as in decode
  };
}

function decode(shape: Shape, cursor: Cursor): Values {
  const value: Values = { ...shape.blank };
  let unknown: UnknownRecord[] | undefined;
  let previous: number | bigint = -1;
  while (cursor.left > 0) {
    const start = cursor.position;
    const type = cursor.bigSize();
    if (type <= previous) cursor.fail({ kind: "unorderedTlv", type: BigInt(type) }, start);
    previous = type;
    const forms = shape.byType.get(type);
    if (forms === undefined) {
      unknown ??= [];
      unknown.push(unknownRecord(cursor, type, start));
    } else {
      readRecord(cursor, forms, value);
    }
  }
  for (const { name, type } of shape.needed) {
    if (value[name] === undefined) cursor.fail({ kind: "missingTlv", type, field: name });
  }
  if (unknown !== undefined) value[UNKNOWN] = unknown;
  return value;
}

function readRecord(cursor: Cursor, forms: Forms, into: Values): void {
  const size = cursor.bigSize();
  const { name, codec } = forms.length === 1 ? forms[0] : formOf(forms, cursor.ahead(size));
  const record = cursor.sub(size, name);
  into[name] = codec.decode(record);
  record.finish();
}

/** The form that uses the record up; if none does, the one that comes furthest, to say why. */
function formOf(forms: Forms, bytes: Uint8Array): NamedField {
  let best: { readonly field: NamedField; readonly offset: number } | undefined;
  for (const field of forms) {
    const read = decodeWhole(field.name, field.codec, bytes);
    if (read.ok) return field;
    if (best === undefined || read.error.offset > best.offset) {
      best = { field, offset: read.error.offset };
    }
  }
  return best?.field ?? forms[0];
}

const isKnownTo =
  ({ byType }: Shape) =>
  (type: bigint): boolean =>
    byType.has(Number(type));

const TWO_FORMS = "a second form of the same record";

function encode(shape: Shape, writer: Writer, values: Readonly<Values>): void {
  const unknown = checkedUnknown(writer, values[UNKNOWN], isKnownTo(shape));
  let put = 0;
  const putUnknownBelow = (type: number): void => {
    for (let next = unknown[put]; next !== undefined && next.type < type; next = unknown[++put]) {
      putUnknown(writer, next);
    }
  };
  let last: number | undefined;
  for (const { name, type, codec, isRequired } of shape.fields) {
    putUnknownBelow(type);
    writer.within(name, () => {
      const value = values[name];
      if (value === undefined) return isRequired ? writer.fail("missing") : undefined;
      if (last === type) writer.fail(TWO_FORMS);
      last = type;
      writer.bigSize(type);
      writer.sized((inner) => codec.encode(inner, value));
    });
  }
  putUnknownBelow(Infinity);
}

function toJson({ fields }: Shape, values: Readonly<Values>): Json {
  const json: Record<string, Json> = {};
  for (const { name, codec } of fields) {
    if (values[name] !== undefined) json[name] = codec.toJson(values[name]);
  }
  const unknown = values[UNKNOWN] as readonly UnknownRecord[] | undefined; // nothing else stands there
  if (unknown !== undefined) json[UNKNOWN] = unknownToJson(unknown);
  return json;
}

function fromJson(shape: Shape, json: Json, path: string): Values {
  const object = jsonObject(json, path);
  refuseOtherKeys(object, shape.names, path);
  const value: Values = { ...shape.blank };
  let last: number | undefined;
  for (const { name, type, codec, isRequired } of shape.fields) {
    const at = `${path}.${name}`;
    const given = jsonAt(object, name);
    if (given === undefined) {
      if (isRequired) refuseJson(at, "missing");
      continue;
    }
    if (last === type) refuseJson(at, TWO_FORMS);
    last = type;
    value[name] = codec.fromJson(given, at);
  }
  const unknown = jsonAt(object, UNKNOWN);
  if (unknown !== undefined) {
    value[UNKNOWN] = unknownFromJson(unknown, `${path}.${UNKNOWN}`, isKnownTo(shape));
  }
  return value;
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
