/** The tail of every batch: count:u32 | hash[count] (contract 2.3). An empty batch is malformed. */
import { assert } from "../assert.js";
import type { Hash32 } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";
import { BODY_VERSION, ByteReader, type ByteWriter } from "./writer.js";

const COUNT_BYTES = 4;
const HASH_BYTES = 32;

export interface HashListRule {
  /** For messages and the `field` detail. */
  readonly layout: string;
  /** Bytes before the count, the version included. */
  readonly headBytes: number;
  readonly maxHashes: number;
}

export const batchBytes = (rule: HashListRule, count: number): number =>
  rule.headBytes + COUNT_BYTES + count * HASH_BYTES;

export function writeHashes(
  writer: ByteWriter,
  hashes: readonly Hash32[],
  rule: HashListRule,
): ByteWriter {
  const count = hashes.length;
  assert(count >= 1 && count <= rule.maxHashes, `${rule.layout}: ${count} hashes`);
  writer.u32(count);
  for (const hash of hashes) writer.hex(hash, HASH_BYTES);
  return writer;
}

export function readHashes(reader: ByteReader): Hash32[] {
  const count = reader.u32();
  const hashes: Hash32[] = [];
  for (let i = 0; i < count; i++) hashes.push(reader.hash32());
  return hashes;
}

/** A refusal unless version, count and length agree; the count is bounded before anything is read. */
export function checkBatchBody(bytes: Uint8Array, rule: HashListRule): Refusal | undefined {
  const { layout, headBytes, maxHashes } = rule;
  const wrongLength = (expected: number): Refusal =>
    refuse("wrongLength", `${layout}: expected ${expected} bytes, got ${bytes.length}`, {
      field: layout,
      limit: String(expected),
    });
  if (bytes.length < headBytes + COUNT_BYTES) return wrongLength(headBytes + COUNT_BYTES);
  const version = new ByteReader(bytes).u16();
  if (version !== BODY_VERSION) {
    const details = { field: `${layout}.ver` };
    return refuse("malformed", `${layout}: unknown version ${version}`, details);
  }
  const count = new ByteReader(bytes.subarray(headBytes, headBytes + COUNT_BYTES)).u32();
  const details = { field: `${layout}.count`, limit: String(maxHashes) };
  if (count === 0) return refuse("malformed", `${layout}: empty batch`, details);
  if (count > maxHashes) return refuse("tooLarge", `${layout}: ${count} hashes`, details);
  const expected = batchBytes(rule, count);
  return bytes.length === expected ? undefined : wrongLength(expected);
}
