/**
 * Compact storage of the per-commitment secrets a counterparty reveals: at most 49 of them stand
 * for all (BOLT 3, "Efficient Per-commitment Secret Storage"). Indices count down from 2^48-1.
 * Decides whether a new secret comes from the same seed as the earlier ones. Secrets never reach
 * an error.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { assert } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import { err, ok, type Result } from "@farwatch/protocol/result";

/** Bits of a commitment index; a slot per count of trailing zero bits, and one for index 0. */
const INDEX_BITS = 48;
const SLOT_COUNT = INDEX_BITS + 1;
/** First value that is not a commitment index; stands for "nothing seen" (onchain-engine 2.1). */
export const NO_INDEX_SEEN = 1n << BigInt(INDEX_BITS);
const SECRET_LENGTH = 32;

export interface Slot {
  readonly index: bigint;
  readonly secret: Uint8Array;
}

/** Always 49 slots; slot b holds the latest secret whose index has exactly b trailing zero bits. */
export interface SecretStore {
  readonly slots: readonly (Slot | undefined)[];
}

export interface InvalidSecret {
  readonly code: "invalidSecret";
}

export const emptySecretStore = (): SecretStore => ({
  slots: Array.from({ length: SLOT_COUNT }, () => undefined),
});

/**
 * Adds the secret of a commitment index. Secrets are expected in descending order; one at or above
 * the lowest index seen changes nothing. `invalidSecret`: it contradicts a secret already stored.
 */
export function insertSecret(
  store: SecretStore,
  index: bigint,
  secret: Uint8Array,
): Result<SecretStore, InvalidSecret> {
  assertIndex(index);
  if (secret.length !== SECRET_LENGTH) return err({ code: "invalidSecret" });
  const position = trailingZeroBits(index);
  for (const lower of store.slots.slice(0, position)) {
    if (lower === undefined || !hasPrefix(lower.index, index, position)) continue;
    if (!equalBytes(flipAndHash(secret, position, lower.index), lower.secret)) {
      return err({ code: "invalidSecret" });
    }
  }
  if (index >= minSeenIndex(store)) {
    const known = deriveSecret(store, index);
    return known === undefined || equalBytes(known, secret)
      ? ok(store)
      : err({ code: "invalidSecret" });
  }
  const slot: Slot = { index, secret: Uint8Array.from(secret) };
  return ok({ slots: store.slots.map((old, i) => (i === position ? slot : old)) });
}

/** The secret of an index at or above the lowest one seen; undefined when it was not revealed. */
export function deriveSecret(store: SecretStore, index: bigint): Uint8Array | undefined {
  assertIndex(index);
  for (const [bits, slot] of store.slots.entries()) {
    if (slot !== undefined && hasPrefix(index, slot.index, bits)) {
      return flipAndHash(slot.secret, bits, index);
    }
  }
  return undefined;
}

/** Lowest index stored; 2^48 when there is none. Every index from it upwards is revoked. */
export function minSeenIndex(store: SecretStore): bigint {
  let lowest = NO_INDEX_SEEN;
  for (const slot of store.slots) {
    if (slot !== undefined && slot.index < lowest) lowest = slot.index;
  }
  return lowest;
}

/** BOLT 3 `generate_from_seed`: the secret that the owner of `seed` reveals for an index. */
export function secretFromSeed(seed: Uint8Array, index: bigint): Uint8Array {
  assertIndex(index);
  assert(seed.length === SECRET_LENGTH, "commitment seed: 32 bytes");
  return flipAndHash(seed, INDEX_BITS, index);
}

/** BOLT 3 `derive_secret`: for each set bit below `bits`, from the highest, flips it and hashes. */
function flipAndHash(base: Uint8Array, bits: number, index: bigint): Uint8Array {
  let secret = Uint8Array.from(base);
  for (let bit = bits - 1; bit >= 0; bit--) {
    if (((index >> BigInt(bit)) & 1n) === 0n) continue;
    const byte = bit >> 3;
    secret[byte] = (secret[byte] ?? 0) ^ (1 << (bit & 7));
    secret = Uint8Array.from(sha256(secret));
  }
  return secret;
}

/** True when `index` without its `bits` low bits is `prefix`, so that `prefix` derives `index`. */
const hasPrefix = (index: bigint, prefix: bigint, bits: number): boolean =>
  (index >> BigInt(bits)) << BigInt(bits) === prefix;

function trailingZeroBits(index: bigint): number {
  for (let bit = 0; bit < INDEX_BITS; bit++) {
    if (((index >> BigInt(bit)) & 1n) === 1n) return bit;
  }
  return INDEX_BITS;
}

function assertIndex(index: bigint): void {
  assert(index >= 0n && index < NO_INDEX_SEEN, "commitment index: outside 48 bits");
}
