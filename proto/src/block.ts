/** Block heights (absolute) and deltas (relative) are different types: cltv_expiry is not a delay. */
import { assert } from "./assert.js";
import { brand, type Brand } from "./brand.js";

export type BlockHeight = Brand<number, "BlockHeight">;
export type BlockDelta = Brand<number, "BlockDelta">;
/** Display-order lowercase hex, as bitcoind prints it. */
export type BlockHash = Brand<string, "BlockHash">;

/** nLockTime at or above this is a time, not a height (BIP 65). */
export const LOCKTIME_THRESHOLD = 500_000_000;

export function blockHeight(value: number): BlockHeight {
  assert(Number.isInteger(value) && value >= 0 && value < LOCKTIME_THRESHOLD, `height: ${value}`);
  return brand<BlockHeight>(value);
}

export function blockDelta(value: number): BlockDelta {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff, `block delta: ${value}`);
  return brand<BlockDelta>(value);
}

export function blockHash(value: string): BlockHash {
  assert(/^[0-9a-f]{64}$/.test(value), "block hash: 64 lowercase hex characters");
  return brand<BlockHash>(value);
}

/** A position on one chain. */
export interface BlockPoint {
  readonly height: BlockHeight;
  readonly hash: BlockHash;
}
