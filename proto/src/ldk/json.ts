/**
 * The form of LDK's values that people read and write. Bytes are lowercase hex, txids and block hashes in
 * the order in which explorers show them, integers that may pass 2^53 are decimal strings, variants stand
 * by name under `kind`, what was not written is left out. Nothing else is taken back: an unknown key or a
 * second spelling of a value is refused with its path.
 */
import { fromHex } from "../bytes.js";
import { err, ok, type Result } from "../result.js";

export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface JsonFailure {
  readonly problem: string;
  /** `$.steps[0].commitment.feeratePerKw` */
  readonly path: string;
}

/** Leaves this folder only as a value: `readJson` catches it. */
class JsonError extends Error {
  override readonly name = "JsonError";
  constructor(readonly failure: JsonFailure) {
    super(`${failure.problem} at ${failure.path}`);
  }
}

export function refuseJson(path: string, problem: string): never {
  throw new JsonError({ problem, path });
}

export type JsonObject = Readonly<Record<string, Json>>;

const isList = (json: Json): json is readonly Json[] => Array.isArray(json);

export const jsonList = (json: Json, path: string): readonly Json[] =>
  isList(json) ? json : refuseJson(path, "not a list");

export const jsonObject = (json: Json, path: string): JsonObject =>
  typeof json === "object" && json !== null && !isList(json)
    ? json
    : refuseJson(path, "not an object");

export const jsonText = (json: Json, path: string): string =>
  typeof json === "string" ? json : refuseJson(path, "not a string");

/** A key of the object itself: `toString` and the like are not in it. */
export const jsonAt = (object: JsonObject, key: string): Json | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

export function refuseOtherKeys(
  object: JsonObject,
  known: ReadonlySet<string>,
  path: string,
): void {
  for (const key of Object.keys(object)) {
    if (!known.has(key)) refuseJson(`${path}.${key}`, "a key that is not known here");
  }
}

const HEX = /^(?:[0-9a-f]{2})*$/;

/** Bytes of this many, or of any number. */
export function jsonBytes(json: Json, path: string, count?: number): Uint8Array {
  const hex = jsonText(json, path);
  if (!HEX.test(hex)) refuseJson(path, "not lowercase hex");
  if (count !== undefined && hex.length !== 2 * count)
    refuseJson(path, `not ${count} bytes of hex`);
  return fromHex(hex);
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,38})$/;

/** An unsigned integer of this many bytes, as a decimal string. */
export function jsonBigUint(json: Json, path: string, width: number): bigint {
  const digits = jsonText(json, path);
  const value = DECIMAL.test(digits) ? BigInt(digits) : -1n;
  return value >= 0n && value >> BigInt(8 * width) === 0n
    ? value
    : refuseJson(path, `not a decimal string of at most ${width} bytes`);
}

/** Anything that reads a value back from JSON. */
export interface JsonReader<T> {
  fromJson(json: Json, path: string): T;
}

export function readJson<T>(reader: JsonReader<T>, json: Json): Result<T, JsonFailure> {
  try {
    return ok(reader.fromJson(json, "$"));
  } catch (error) {
    if (error instanceof JsonError) return err(error.failure);
    throw error;
  }
}
