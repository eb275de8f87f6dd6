/** Holds a decoded value to an expected one: all that is expected is there, and says the same. */
import { toHex } from "@farwatch/protocol/bytes";
import type { Json } from "../../harness/ldk-bytes/wire.js";

/** Integers in decimal, bytes in hex; what keeps its own bytes too is taken for what it says. */
export function plain(value: unknown): Json | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return value.map((item: unknown) => plain(item) ?? null);
  if (typeof value !== "object") return undefined;
  if ("raw" in value && "value" in value) return plain(value.value);
  const out: Record<string, Json> = {};
  for (const [name, item] of Object.entries(value)) out[name] = plain(item) ?? null;
  return out;
}

/** A length in front may be left out of what is only carried. */
const LENGTH_BYTES = 9;

function sameText(expected: string, found: Json): boolean {
  if (typeof found !== "string") return false;
  if (expected === found) return true;
  const shorter = expected.length - found.length;
  return found !== "" && shorter > 0 && shorter <= 2 * LENGTH_BYTES && expected.endsWith(found);
}

/** Where the two differ, first one first. */
export function* differences(expected: Json, found: Json, path: string): Generator<string> {
  if (typeof expected === "string") {
    if (!sameText(expected, found)) yield `${path}: ${expected}, not ${JSON.stringify(found)}`;
  } else if (typeof expected !== "object" || expected === null) {
    if (expected !== found) yield `${path}: ${String(expected)}, not ${JSON.stringify(found)}`;
  } else if (Array.isArray(expected)) {
    yield* listDifferences(expected, found, path);
  } else if (typeof found !== "object" || found === null) {
    yield `${path}: is ${JSON.stringify(found)}`;
  } else {
    const values = new Map(Object.entries(found));
    for (const [name, item] of Object.entries(expected)) {
      yield* differences(item, values.get(name) ?? null, `${path}.${name}`);
    }
  }
}

function* listDifferences(expected: readonly Json[], found: Json, path: string): Generator<string> {
  if (!Array.isArray(found)) {
    yield `${path}: is no list`;
    return;
  }
  const list: readonly Json[] = found;
  if (list.length !== expected.length) yield `${path}: ${list.length}, not ${expected.length}`;
  for (const [at, item] of expected.entries()) {
    yield* differences(item, list[at] ?? null, `${path}[${at}]`);
  }
}
