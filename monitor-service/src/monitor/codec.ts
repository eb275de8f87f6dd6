/**
 * Monitor state <-> bytes: versioned JSON with tags for what JSON lacks. Written as a snapshot in idle
 * moments and when a block changes a channel, never for an update. Bytes carry a checksum; an unknown
 * version or a wrong checksum refuses to load.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from "@farwatch/protocol/bytes";
import type { MonitorState } from "./state.js";

export const STATE_VERSION = 2;
const CHECKSUM_BYTES = 32;

/** Stored state that cannot be read; a person must look. */
export class StateUnreadable extends Error {
  override readonly name = "StateUnreadable";
}

export const encodeState = (state: MonitorState): Uint8Array => encodeVersion(STATE_VERSION, state);

export const decodeState = (bytes: Uint8Array): MonitorState =>
  decodeVersion(STATE_VERSION, bytes) as MonitorState;

/** For every kind of channel; `version` tells them apart too. */
export function encodeVersion(version: number | string, state: unknown): Uint8Array {
  const body = utf8(JSON.stringify({ version, state: toPlain(state) }));
  return concatBytes(sha256(body), body);
}

/** Throws StateUnreadable. */
export function decodeVersion(version: number | string, bytes: Uint8Array): unknown {
  const parsed = parse(bytes);
  if (parsed.version !== version) {
    throw new StateUnreadable(`monitor state: unknown version ${String(parsed.version)}`);
  }
  return fromPlain(parsed.state);
}

/** Throws StateUnreadable. */
export const versionOf = (bytes: Uint8Array): unknown => parse(bytes).version;

function parse(bytes: Uint8Array): { readonly version?: unknown; readonly state?: unknown } {
  const body = bytes.subarray(CHECKSUM_BYTES);
  if (!equalBytes(sha256(body), bytes.subarray(0, CHECKSUM_BYTES))) {
    throw new StateUnreadable("monitor state: checksum mismatch");
  }
  const parsed: { readonly version?: unknown; readonly state?: unknown } = JSON.parse(
    new TextDecoder().decode(body),
  );
  return parsed;
}

/** Own tags are one-key objects; state has no key that starts with "$". */
function toPlain(value: unknown): unknown {
  if (typeof value === "bigint") return { $n: value.toString() };
  if (value instanceof Uint8Array) return { $b: toHex(value) };
  if (value instanceof Map) {
    return { $m: [...value].map(([key, entry]) => [toPlain(key), toPlain(entry)]) };
  }
  if (value instanceof Set) return { $s: [...value].map(toPlain) };
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
    if (tag === "$m") return new Map(pairs(inner));
    if (tag === "$s") return new Set(Array.isArray(inner) ? inner.map(fromPlain) : []);
  }
  return Object.fromEntries(entries.map(([key, entry]) => [key, fromPlain(entry)]));
}

const pairs = (inner: unknown): [unknown, unknown][] =>
  Array.isArray(inner)
    ? inner.map((pair): [unknown, unknown] => [fromPlain(pair[0]), fromPlain(pair[1])])
    : [];
