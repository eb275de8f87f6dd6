/** Frozen vectors of proto/vectors, read once, and the backends every envelope test runs on. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { must } from "../assert.js";
import { fromHex } from "../bytes.js";
import type { Curve } from "../curve/curve.js";
import { nobleCurve } from "../curve/noble-curve.js";
import { loadTinyCurve } from "../curve/tiny-curve.js";
import { managerKey, monitorKey, type ManagerKey, type MonitorKey } from "../ids.js";

export type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
export function text(object: Json, name: string): string {
  const value = object[name];
  assert.ok(typeof value === "string", `${name} is a string`);
  return value;
}
export function list(object: Json, name: string): readonly unknown[] {
  const value: unknown = object[name];
  assert.ok(Array.isArray(value), `${name} is a list`);
  return value;
}
export function child(object: Json, name: string): Json {
  const value = object[name];
  assert.ok(isJson(value), `${name} is an object`);
  return value;
}
export const texts = (object: Json, name: string): string[] => list(object, name).map(String);
export const bytesOf = (object: Json, name: string): Uint8Array => fromHex(text(object, name));

export function readVectors(name: string): Json {
  const url = new URL(`../../../vectors/${name}`, import.meta.url);
  const parsed: unknown = JSON.parse(readFileSync(url, "utf8"));
  assert.ok(isJson(parsed), name);
  return parsed;
}

const envelope = readVectors("envelope.json");
export const VECTORS: readonly Json[] = list(envelope, "vectors").filter(isJson);
export const SIGNED_VECTORS = VECTORS.filter((vector) => vector["signer"] !== undefined);
export const MANAGER_SECRET = bytesOf(envelope, "managerSecret");
export const MONITOR_SECRET = bytesOf(envelope, "monitorSecret");
export const MANAGER: ManagerKey = managerKey(text(envelope, "managerKey"));
export const MONITOR: MonitorKey = monitorKey(text(envelope, "monitorKey"));
export const ZERO_AUX = new Uint8Array(32);

/** The n-th vector of a layout. */
export const vectorOf = (layout: string, index = 0): Json =>
  must(VECTORS.filter((vector) => vector["layout"] === layout)[index], `vector ${layout}`);

export const signerOf = (
  vector: Json,
): { readonly secret: Uint8Array; readonly key: ManagerKey | MonitorKey } =>
  text(vector, "signer") === "manager"
    ? { secret: MANAGER_SECRET, key: MANAGER }
    : { secret: MONITOR_SECRET, key: MONITOR };

const tiny = await loadTinyCurve();
/** noble, and the optional backend where it is installed. */
export const BACKENDS: readonly Curve[] = tiny.ok ? [nobleCurve, tiny.value] : [nobleCurve];
/** The quicker one, for the many checks of one kind. */
export const FAST: Curve = tiny.ok ? tiny.value : nobleCurve;

/** A copy with one bit of byte `index` inverted; another bit for each index. */
export const flipByte = (bytes: Uint8Array, index: number): Uint8Array =>
  bytes.map((byte, i) => (i === index ? byte ^ (1 << (index % 8)) : byte));
