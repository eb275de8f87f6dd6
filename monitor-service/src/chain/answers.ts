/** PURE. bitcoind's JSON answers -> domain values. Anything unexpected is an outage, never a default. */
import { feeratePerKw, sat, type FeeratePerKw, type Sat } from "@farwatch/protocol/amount";
import {
  blockHash,
  blockHeight,
  LOCKTIME_THRESHOLD,
  type BlockHash,
  type BlockHeight,
} from "@farwatch/protocol/block";
import { isHex } from "@farwatch/protocol/bytes";
import { isRecord } from "./bitcoind-rpc.js";
import { ChainUnavailable, type ConfirmedOutput } from "./chain-source.js";

const malformed = (what: string): ChainUnavailable =>
  new ChainUnavailable(`bitcoind's answer is malformed: ${what}`);

export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown, what: string): Fields {
  if (!isRecord(value)) throw malformed(what);
  return value;
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value;
}

export function textOf(value: unknown, what: string): string {
  if (typeof value !== "string") throw malformed(what);
  return value;
}

export function hashOf(value: unknown, what: string): BlockHash {
  if (typeof value !== "string" || !isHex(value, 32)) throw malformed(what);
  return blockHash(value);
}

export function heightOf(value: unknown, what: string): BlockHeight {
  const valid = typeof value === "number" && Number.isInteger(value);
  if (!valid || value < 0 || value >= LOCKTIME_THRESHOLD) throw malformed(what);
  return blockHeight(value);
}

/** Even-length lowercase hex of any size. */
export function bytesOf(value: unknown, what: string): Uint8Array {
  if (typeof value !== "string") throw malformed(what);
  const bytes = Buffer.from(value, "hex");
  if (bytes.length * 2 !== value.length) throw malformed(what);
  return bytes;
}

const SAT_PER_BTC = 1e8;

/** An amount in BTC, never negative. */
export function satOf(value: unknown, what: string): Sat {
  if (typeof value !== "number" || !(value >= 0)) throw malformed(what);
  return sat(Math.round(value * SAT_PER_BTC));
}

/** Of gettxout. */
export const outputOf = (answer: Fields): ConfirmedOutput => ({
  valueSat: satOf(answer["value"], "gettxout"),
  scriptPubkey: Uint8Array.from(
    bytesOf(fieldsOf(answer["scriptPubKey"], "gettxout")["hex"], "gettxout"),
  ),
});

/** Satoshis per 1000 weight units above which an estimate is taken for a fault: 10,000 sat/vB. */
export const MAX_ESTIMATE_PER_KW = 2_500_000;

/** BTC per 1000 vbytes -> sat per 1000 weight units, rounded up; undefined when there is no estimate. */
export function feerateOf(value: unknown): FeeratePerKw | undefined {
  if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) return undefined;
  const perKw = Math.ceil(Math.round(value * 1e8) / 4);
  return perKw > MAX_ESTIMATE_PER_KW ? undefined : feeratePerKw(perKw);
}
