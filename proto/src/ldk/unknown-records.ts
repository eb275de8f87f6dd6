/**
 * Records of odd types that nobody here knows (LDK util/ser_macros.rs): kept with their bytes, written again
 * in the order of their types. One of an even type is refused.
 */
import { toHex } from "../bytes.js";
import { fieldsOf } from "./codec.js";
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
import { checkedBytes } from "./primitives.js";
import type { Writer } from "./writer.js";

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

/** Where they stand in a value. */
export const UNKNOWN = "unknownRecords";

type IsKnown = (type: bigint) => boolean;

export function unknownRecord(
  cursor: Cursor,
  number: number | bigint,
  start: number,
): UnknownRecord {
  const type = BigInt(number);
  if (type % 2n === 0n) cursor.fail({ kind: "unknownRequiredTlv", type }, start);
  const record = cursor.sub(cursor.bigSize(), "unknown");
  return { type, bytes: record.take(record.left) };
}

export function putUnknown(writer: Writer, record: UnknownRecord): void {
  writer.bigSize(record.type);
  writer.bigSize(record.bytes.length);
  writer.put(record.bytes);
}

/** What is wrong with records that claim to be unknown ones, if anything. */
function unknownProblem(records: readonly UnknownRecord[], isKnown: IsKnown): string | undefined {
  let previous = -1n;
  for (const { type } of records) {
    if (type <= previous) return "record types do not rise";
    if (type % 2n === 0n) return "an unknown record of an even type";
    if (isKnown(type)) return "a known record among the unknown";
    previous = type;
  }
  return undefined;
}

export function checkedUnknown(
  writer: Writer,
  value: unknown,
  isKnown: IsKnown,
): readonly UnknownRecord[] {
  if (value === undefined) return [];
  writer.within(UNKNOWN, () => {
    if (!Array.isArray(value)) writer.fail("not a list");
    for (const record of value) {
      const { type, bytes } = fieldsOf(writer, record);
      if (typeof type !== "bigint" || type >> 64n !== 0n) writer.fail("a type that is no u64");
      checkedBytes(writer, bytes);
    }
    const problem = unknownProblem(value as readonly UnknownRecord[], isKnown); // seen just above
    if (problem !== undefined) writer.fail(problem);
  });
  return value as readonly UnknownRecord[]; // as above
}

export const unknownToJson = (records: readonly UnknownRecord[]): Json =>
  records.map(({ type, bytes }) => ({ type: String(type), bytes: toHex(bytes) }));

const RECORD_KEYS = new Set(["type", "bytes"]);

export function unknownFromJson(
  json: Json,
  path: string,
  isKnown: IsKnown,
): readonly UnknownRecord[] {
  const records = jsonList(json, path).map((item, index) => {
    const at = `${path}[${index}]`;
    const object = jsonObject(item, at);
    refuseOtherKeys(object, RECORD_KEYS, at);
    return {
      type: jsonBigUint(jsonAt(object, "type") ?? null, `${at}.type`, 8),
      bytes: jsonBytes(jsonAt(object, "bytes") ?? null, `${at}.bytes`),
    };
  });
  const problem = records.length === 0 ? "an empty list" : unknownProblem(records, isKnown);
  return problem === undefined ? records : refuseJson(path, problem);
}
