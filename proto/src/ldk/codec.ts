/**
 * One declaration of a type of LDK's says how its bytes are read and written and how it looks in JSON
 * (ADR P-09). For every input a decoder accepts, encoding what it gave returns the same bytes.
 */
import type { Cursor, Decoder } from "./cursor.js";
import {
  jsonAt,
  jsonObject,
  refuseJson,
  refuseOtherKeys,
  type Json,
  type JsonReader,
} from "./json.js";
import type { Encoder, Writer } from "./writer.js";

export interface Codec<T> extends Decoder<T>, Encoder<T>, JsonReader<T> {
  decode(cursor: Cursor): T;
  encode(writer: Writer, value: T): void;
  toJson(value: T): Json;
  fromJson(json: Json, path: string): T;
  /** Its value may be undefined: a sequence leaves it out of its JSON then. */
  readonly mayBeAbsent?: true;
}

export type Decoded<D> = D extends Codec<infer T> ? T : never;

type Parts = Readonly<Record<string, Codec<unknown>>>;
export type Sequence<P extends Parts> = { readonly [K in keyof P]: Decoded<P[K]> };

/** Values one after the other, without numbers or lengths: tuples, and the body of a monitor. */
export function sequence<P extends Parts>(parts: P): Codec<Sequence<P>> {
  const list = Object.entries(parts);
  const names = new Set(Object.keys(parts));
  return {
    decode: (cursor) => {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of list) value[name] = codec.decode(cursor);
      return value as Sequence<P>; // each value came out of its part's own codec
    },
    encode: (writer, value) => {
      const values = fieldsOf(writer, value);
      for (const [name, codec] of list) {
        writer.within(name, () => codec.encode(writer, values[name]));
      }
    },
    toJson: (value) => {
      const values = value as Readonly<Record<string, unknown>>; // read under its own names alone
      const json: Record<string, Json> = {};
      for (const [name, codec] of list) {
        if (values[name] !== undefined) json[name] = codec.toJson(values[name]);
      }
      return json;
    },
    fromJson: (json, path) => {
      const object = jsonObject(json, path);
      refuseOtherKeys(object, names, path);
      const value: Record<string, unknown> = {};
      for (const [name, codec] of list) {
        const at = `${path}.${name}`;
        const part = jsonAt(object, name);
        if (part === undefined && codec.mayBeAbsent !== true) refuseJson(at, "missing");
        value[name] = part === undefined ? undefined : codec.fromJson(part, at);
      }
      return value as Sequence<P>; // as in decode
    },
  };
}

/** A sequence that ends in a struct whose fields stand beside its own parts in the value. */
export function followedBy<P extends Parts, T extends object>(
  parts: P,
  struct: Codec<T>,
): Codec<Sequence<P> & T> {
  const first = sequence(parts);
  const isFirst = (key: string): boolean => Object.hasOwn(parts, key);
  return {
    decode: (cursor) => ({ ...first.decode(cursor), ...struct.decode(cursor) }),
    encode: (writer, value) => {
      first.encode(writer, value);
      struct.encode(writer, value);
    },
    toJson: (value) => ({
      ...jsonObject(first.toJson(value), "$"),
      ...jsonObject(struct.toJson(value), "$"),
    }),
    fromJson: (json, path) => {
      const object = jsonObject(json, path);
      const part = (wanted: boolean): Json =>
        Object.fromEntries(Object.entries(object).filter(([key]) => isFirst(key) === wanted));
      return { ...first.fromJson(part(true), path), ...struct.fromJson(part(false), path) };
    },
  };
}

/** The named parts of a value that should have some. */
export function fieldsOf(writer: Writer, value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>) // what stands under a name is checked by its codec
    : writer.fail("not an object");
}
