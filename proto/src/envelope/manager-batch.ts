/**
 * The body that a manager signs once for many items (contract 2.3):
 * ver | chain_hash | manager_key | epoch:u64 | count:u32 | hash[count].
 * Updates, preimage records and event acks share it under different tags.
 */
import { managerKey, type Hash32, type ManagerKey } from "../ids.js";
import type { Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { batchBytes, checkBatchBody, readHashes, writeHashes } from "./hash-list.js";
import { taggedHash, type TaggedHash } from "./tagged-hash.js";
import { openBody, startBody } from "./writer.js";

const HEAD_BYTES = 74;

export interface ManagerBatch {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly managerKey: ManagerKey;
  /** Fencing looks at this epoch only (contract 2.2). */
  readonly epoch: bigint;
  readonly hashes: readonly Hash32[];
}

export interface ManagerBatchLayout {
  encode(batch: ManagerBatch): Uint8Array;
  parse(bytes: Uint8Array): Result<ManagerBatch, Refusal>;
  readonly hash: TaggedHash;
}

export function managerBatchLayout(
  layout: string,
  tag: string,
  maxHashes: number,
): ManagerBatchLayout {
  const rule = { layout, headBytes: HEAD_BYTES, maxHashes };
  return {
    encode: (batch) =>
      writeHashes(
        startBody(batchBytes(rule, batch.hashes.length))
          .hex(batch.chainHash, 32)
          .hex(batch.managerKey, 32)
          .u64(batch.epoch),
        batch.hashes,
        rule,
      ).finish(),
    parse(bytes) {
      const refusal = checkBatchBody(bytes, rule);
      if (refusal !== undefined) return err(refusal);
      const reader = openBody(bytes);
      const batch = {
        chainHash: reader.hex(32),
        managerKey: managerKey(reader.hex(32)),
        epoch: reader.u64(),
        hashes: readHashes(reader),
      };
      reader.finish();
      return ok(batch);
    },
    hash: taggedHash(tag),
  };
}
