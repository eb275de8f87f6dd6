/**
 * LDK's framing, written from LDK's sources (util/ser.rs, util/ser_macros.rs) and not from the decoder under
 * proto/src/ldk, which it is there to check. A value is a tree, so that a test can put one more record into
 * any TLV stream and write everything around it anew with the right lengths.
 */
import { concatBytes } from "@farwatch/protocol/bytes";

export type Json = string | boolean | null | readonly Json[] | { readonly [name: string]: Json };

export interface TlvRecord {
  readonly type: bigint;
  readonly value: Wire;
}

export type Wire =
  | { readonly kind: "raw"; readonly bytes: Uint8Array }
  | { readonly kind: "sequence"; readonly parts: readonly Wire[] }
  /** A BigSize length and that many bytes. */
  | { readonly kind: "sized"; readonly body: Wire }
  /** The same, holding a TLV stream. */
  | { readonly kind: "struct"; readonly records: readonly TlvRecord[] }
  /** As `Option` is written where it is not a TLV of its own: length plus one, or 0. */
  | { readonly kind: "option"; readonly body: Wire | undefined }
  /** What Farwatch hands through without looking into it. */
  | { readonly kind: "opaque"; readonly body: Wire };

/** Bytes to be and what they mean, in LDK's own names. */
export interface Built {
  readonly wire: Wire;
  readonly meaning: Json;
}

export function bigEndian(value: bigint | number, width: number): Uint8Array {
  const out = new Uint8Array(width);
  let left = BigInt(value);
  for (let at = width - 1; at >= 0; at--, left >>= 8n) out[at] = Number(left & 0xffn);
  return out;
}

/** util/ser.rs, `BigSize`. */
export function bigSizeOf(value: bigint | number): Uint8Array {
  const n = BigInt(value);
  if (n < 0xfdn) return bigEndian(n, 1);
  if (n <= 0xffffn) return concatBytes(Uint8Array.of(0xfd), bigEndian(n, 2));
  if (n <= 0xffffffffn) return concatBytes(Uint8Array.of(0xfe), bigEndian(n, 4));
  return concatBytes(Uint8Array.of(0xff), bigEndian(n, 8));
}

const prefixed = (body: Uint8Array, extra = 0): Uint8Array =>
  concatBytes(bigSizeOf(body.length + extra), body);

export function encodeWire(wire: Wire): Uint8Array {
  switch (wire.kind) {
    case "raw":
      return wire.bytes;
    case "sequence":
      return concatBytes(...wire.parts.map(encodeWire));
    case "sized":
      return prefixed(encodeWire(wire.body));
    case "struct":
      return prefixed(concatBytes(...wire.records.map(encodeRecord)));
    case "option":
      return wire.body === undefined ? Uint8Array.of(0) : prefixed(encodeWire(wire.body), 1);
    case "opaque":
      return encodeWire(wire.body);
  }
}

const encodeRecord = ({ type, value }: TlvRecord): Uint8Array =>
  concatBytes(bigSizeOf(type), prefixed(encodeWire(value)));

export const raw = (bytes: Uint8Array): Wire => ({ kind: "raw", bytes });
export const sequence = (...parts: readonly Wire[]): Wire => ({ kind: "sequence", parts });

/** `WithoutLength`: items back to back, the enclosing record says where they end. */
export const restOf = (items: readonly Built[]): Built => ({
  wire: sequence(...items.map(({ wire }) => wire)),
  meaning: items.map(({ meaning }) => meaning),
});

/** `CollectionLength`: two bytes, or 0xffff and eight more. */
export const collectionLength = (count: number): Uint8Array =>
  count < 0xffff
    ? bigEndian(count, 2)
    : concatBytes(bigEndian(0xffff, 2), bigEndian(count - 0xffff, 8));

export const vecOf = (items: readonly Built[]): Built => counted(collectionLength, items);

/** A list of the monitor's body: eight bytes of count. */
export const listOf = (items: readonly Built[]): Built =>
  counted((count) => bigEndian(count, 8), items);

function counted(count: (items: number) => Uint8Array, items: readonly Built[]): Built {
  const { wire, meaning } = restOf(items);
  return { wire: sequence(raw(count(items.length)), wire), meaning };
}

export const optionOf = (value: Built | undefined): Built => ({
  wire: { kind: "option", body: value?.wire },
  meaning: value?.meaning ?? null,
});

export type NamedParts = readonly (readonly [name: string, value: Built])[];

/** Fields one after the other: a tuple, or a part of the monitor's body. */
export const fieldsOf = (parts: NamedParts): Built => ({
  wire: sequence(...parts.map(([, { wire }]) => wire)),
  meaning: Object.fromEntries(parts.map(([name, { meaning }]) => [name, meaning])),
});

/** A TLV field; one without a value is not written (`option`, `optional_vec`). */
export type Tlv = readonly [type: number, name: string, value: Built | undefined];

export function structOf(fields: readonly Tlv[]): Built {
  const records: TlvRecord[] = [];
  const meaning: Record<string, Json> = {};
  for (const [type, name, value] of fields) {
    if (value === undefined) continue;
    records.push({ type: BigInt(type), value: value.wire });
    meaning[name] = value.meaning;
  }
  return { wire: { kind: "struct", records }, meaning };
}

/** A variant whose fields are a TLV struct: the same in all of LDK's enums. */
export function structVariant(id: number, name: string, fields: readonly Tlv[]): Built {
  const { wire, meaning } = structOf(fields);
  return { wire: sequence(raw(Uint8Array.of(id)), wire), meaning: { [name]: meaning } };
}

/** A tuple variant of the `_legacy` macros: its payload stands there without a length. */
export const bareVariant = (id: number, name: string, payload: Built): Built => ({
  wire: sequence(raw(Uint8Array.of(id)), payload.wire),
  meaning: { [name]: payload.meaning },
});

/** A tuple variant of the other macros: a length comes first. */
export const sizedVariant = (id: number, name: string, payload: Built): Built => ({
  wire: sequence(raw(Uint8Array.of(id)), { kind: "sized", body: payload.wire }),
  meaning: { [name]: payload.meaning },
});

/** For what is only carried: its meaning is its bytes. */
export const opaqueOf = ({ wire }: Built): Built => ({
  wire: { kind: "opaque", body: wire },
  meaning: Buffer.from(encodeWire(wire)).toString("hex"),
});

/** A number with nothing behind it. */
export const unitOf = (id: number, name: string): Built => ({
  wire: raw(Uint8Array.of(id)),
  meaning: { [name]: true },
});

/** The same value with one more record behind those of a struct, for every struct in turn. */
export function* withRecordAdded(wire: Wire, added: TlvRecord): Generator<Wire> {
  switch (wire.kind) {
    case "raw":
    case "opaque":
      return;
    case "sequence":
      for (const [at, part] of wire.parts.entries()) {
        for (const changed of withRecordAdded(part, added)) {
          yield { ...wire, parts: wire.parts.with(at, changed) };
        }
      }
      return;
    case "struct":
      yield { ...wire, records: [...wire.records, added] };
      for (const [at, record] of wire.records.entries()) {
        for (const value of withRecordAdded(record.value, added)) {
          yield { ...wire, records: wire.records.with(at, { ...record, value }) };
        }
      }
      return;
    case "sized":
      for (const body of withRecordAdded(wire.body, added)) yield { ...wire, body };
      return;
    case "option":
      if (wire.body === undefined) return;
      for (const body of withRecordAdded(wire.body, added)) yield { ...wire, body };
  }
}
