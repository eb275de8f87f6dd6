/** Rows <-> bytes: versioned JSON with tags for what JSON lacks. An unknown version refuses to load. */
import { fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";

export const ROW_VERSION = 1;

export class RowUnreadable extends Error {
  override readonly name = "RowUnreadable";
}

export const encodeRow = (row: unknown): Uint8Array =>
  utf8(JSON.stringify({ v: ROW_VERSION, r: toPlain(row) }));

/** The caller names the row's type: bytes come from our own store, under its checks. */
export function decodeRow<R>(bytes: Uint8Array): R {
  const parsed: { readonly v?: unknown; readonly r?: unknown } = JSON.parse(
    new TextDecoder().decode(bytes),
  );
  if (parsed.v !== ROW_VERSION)
    throw new RowUnreadable(`row of unknown version ${String(parsed.v)}`);
  return fromPlain(parsed.r) as R;
}

/** Own tags are one-key objects; no row has a field that starts with "$". */
function toPlain(value: unknown): unknown {
  if (typeof value === "bigint") return { $n: value.toString() };
  if (value instanceof Uint8Array) return { $b: toHex(value) };
  if (value === undefined) return { $u: 0 };
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toPlain(entry)]));
  }
  return value;
}

function fromPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) {
    const [tag, inner] = first;
    if (tag === "$n") return BigInt(String(inner));
    if (tag === "$b") return fromHex(String(inner));
    if (tag === "$u") return undefined;
  }
  return Object.fromEntries(entries.map(([key, entry]) => [key, fromPlain(entry)]));
}
