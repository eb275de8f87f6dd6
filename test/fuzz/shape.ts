/** What a decoded value looks like, in few words, and how much of it there is. */
import type { Seen } from "./seen.js";

/**
 * Values for each byte of input, at most: a struct of two bytes is an object with all its fields absent, an
 * HTLC of a few bytes becomes a row of our own. More would mean that a count was believed.
 */
const VALUES_PER_BYTE = 8;
/** A monitor of the smallest kind still is a whole object. */
const VALUES_AT_LEAST = 512;
const BUCKETS = [0, 1, 2, 4, 16, 64];

interface Walk {
  readonly features: Set<string>;
  values: number;
  readonly most: number;
}

export function shapeOf(value: unknown, inputBytes: number): Seen {
  const most = VALUES_AT_LEAST + VALUES_PER_BYTE * inputBytes;
  const walk: Walk = { features: new Set(), values: 0, most };
  visit(value, "", walk);
  const features = [...walk.features];
  if (walk.values <= most) return { features };
  return { features, wrong: `more than ${most} values from ${inputBytes} bytes` };
}

const bucket = (count: number): number => BUCKETS.filter((edge) => edge <= count).length;

function visit(value: unknown, name: string, walk: Walk): void {
  if (value === undefined || ++walk.values > walk.most) return;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  if (Array.isArray(value)) {
    walk.features.add(`${name} x${bucket(value.length)}`);
    for (const item of value) visit(item, name, walk);
    return;
  }
  const kind = "kind" in value && typeof value.kind === "string" ? value.kind : "";
  if (kind !== "") walk.features.add(`${name} ${kind}`);
  for (const [field, item] of Object.entries(value)) {
    if (item === undefined) continue;
    walk.features.add(`${name} ${kind} has ${field}`);
    visit(item, field, walk);
  }
}
