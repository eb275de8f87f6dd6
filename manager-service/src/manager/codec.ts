/**
 * Rows <-> bytes. A version byte, then JSON in which bigints and byte strings are tagged; updates, the
 * one table whose rows are many and large, have a binary form instead. An unknown version refuses to
 * load. Casts to row types live here only: what is read was written by `encodeRow` of the same table.
 */
import { assert } from "@farwatch/protocol/assert";
import { fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";
import { hashUpdate, parseUpdate, UPDATE_BODY_BYTES } from "@farwatch/protocol/envelope/update";
import type { UpdateRow } from "./rows.js";

const VERSION = 1;
const BIGINT = "$n";
const BYTES = "$b";

export class UnreadableRow extends Error {
  override readonly name = "UnreadableRow";
}

function toPlain(value: unknown): unknown {
  if (typeof value === "bigint") return { [BIGINT]: value.toString() };
  if (value instanceof Uint8Array) return { [BYTES]: toHex(value) };
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, toPlain(field)]),
  );
}

function revive(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const [entry, ...more] = Object.entries(value);
  if (entry === undefined || more.length > 0) return value;
  const [tag, text]: readonly [string, unknown] = entry;
  if (typeof text !== "string") return value;
  if (tag === BIGINT) return BigInt(text);
  return tag === BYTES ? fromHex(text) : value;
}

/** Undefined fields are left out and read back as undefined. */
export function encodeRow(row: unknown): Uint8Array {
  const json = utf8(JSON.stringify(toPlain(row)));
  const bytes = new Uint8Array(json.length + 1);
  bytes[0] = VERSION;
  bytes.set(json, 1);
  return bytes;
}

function checkVersion(bytes: Uint8Array): void {
  if (bytes[0] === VERSION) return;
  throw new UnreadableRow(`a stored row has version ${bytes[0]}; this build reads ${VERSION}`);
}

export function decodeRow<R>(bytes: Uint8Array): R {
  checkVersion(bytes);
  try {
    return JSON.parse(new TextDecoder().decode(bytes.subarray(1)), revive) as R;
  } catch {
    // The parser's own error quotes what it read, which may be a preimage.
    throw new UnreadableRow("a stored row is damaged");
  }
}

/** Version, header, payload; id, channel and hash follow from the header. */
export function encodeUpdateRow(row: UpdateRow): Uint8Array {
  assert(row.header.length === UPDATE_BODY_BYTES, "update header");
  const bytes = new Uint8Array(1 + row.header.length + row.payload.length);
  bytes[0] = VERSION;
  bytes.set(row.header, 1);
  bytes.set(row.payload, 1 + row.header.length);
  return bytes;
}

export function decodeUpdateRow(bytes: Uint8Array): UpdateRow {
  checkVersion(bytes);
  const header = Uint8Array.from(bytes.subarray(1, 1 + UPDATE_BODY_BYTES));
  const parsed = parseUpdate(header);
  if (!parsed.ok) throw new UnreadableRow(`a stored update is damaged: ${parsed.error.message}`);
  const { channelId, updateId } = parsed.value;
  const payload = Uint8Array.from(bytes.subarray(1 + UPDATE_BODY_BYTES));
  return { channelId, updateId, updateHash: hashUpdate(header), header, payload };
}

/** Version, then the bytes as they are. */
export function encodeBytesRow(bytes: Uint8Array): Uint8Array {
  const row = new Uint8Array(1 + bytes.length);
  row[0] = VERSION;
  row.set(bytes, 1);
  return row;
}

export function decodeBytesRow(row: Uint8Array): Uint8Array {
  checkVersion(row);
  return Uint8Array.from(row.subarray(1));
}
