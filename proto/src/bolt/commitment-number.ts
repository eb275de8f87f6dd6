/**
 * Commitment numbers as a commitment transaction carries them: XORed with a factor of the channel
 * and split over nLockTime and nSequence (BOLT 3, "Commitment Transaction"). Also the only
 * conversion between commitment numbers (count up) and commitment indices (count down).
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { assert } from "../assert.js";
import { concatBytes } from "../bytes.js";
import { commitmentNumber, type CommitmentNumber } from "../ids.js";

/** BOLT 3: index of commitment 0; 48 bits are what nLockTime and nSequence can carry. */
export const MAX_COMMITMENT_INDEX = (1n << 48n) - 1n;
/** BOLT 3: upper byte of nLockTime. Makes it a time in the past, so it never delays. */
const LOCKTIME_UPPER = 0x20;
/** BOLT 3: upper byte of nSequence. Its high bit turns relative locktimes off (BIP 68). */
const SEQUENCE_UPPER = 0x80;
const LOW_24_BITS = 0xffffff;
const HASH_LENGTH = 32;
const FACTOR_LENGTH = 6;

/** Where a commitment appears in its transaction. */
export interface EncodedCommitmentNumber {
  readonly locktime: number;
  readonly sequence: number;
}

/** Index (counting down from 2^48-1) of the per-commitment secret of a commitment. */
export const commitmentIndex = (number: CommitmentNumber): bigint =>
  MAX_COMMITMENT_INDEX - BigInt(number);

/** Inverse of `commitmentIndex`; asserts that the index fits in 48 bits. */
export const commitmentNumberOfIndex = (index: bigint): CommitmentNumber =>
  commitmentNumber(MAX_COMMITMENT_INDEX - index);

/** 48-bit factor of a channel; both payment points are 33 bytes, the opener's first. */
export function obscureFactor(
  openerPaymentPoint: Uint8Array,
  accepterPaymentPoint: Uint8Array,
): bigint {
  const hash = sha256(concatBytes(openerPaymentPoint, accepterPaymentPoint));
  let factor = 0n;
  for (const byte of hash.subarray(HASH_LENGTH - FACTOR_LENGTH)) {
    factor = (factor << 8n) | BigInt(byte);
  }
  return factor;
}

/** nLockTime and nSequence of commitment `number`. */
export function encodeCommitmentNumber(
  number: CommitmentNumber,
  factor: bigint,
): EncodedCommitmentNumber {
  assert(factor >= 0n && factor <= MAX_COMMITMENT_INDEX, "obscure factor: outside 48 bits");
  const obscured = BigInt(number) ^ factor;
  return {
    locktime: upperByte(LOCKTIME_UPPER) + Number(obscured & BigInt(LOW_24_BITS)),
    sequence: upperByte(SEQUENCE_UPPER) + Number(obscured >> 24n),
  };
}

/**
 * Number of the commitment; undefined when the fields are not those of a commitment transaction.
 */
export function decodeCommitmentNumber(
  locktime: number,
  sequence: number,
  factor: bigint,
): CommitmentNumber | undefined {
  if (locktime >>> 24 !== LOCKTIME_UPPER || sequence >>> 24 !== SEQUENCE_UPPER) return undefined;
  const obscured = (BigInt(sequence & LOW_24_BITS) << 24n) | BigInt(locktime & LOW_24_BITS);
  return commitmentNumber(obscured ^ factor);
}

const upperByte = (byte: number): number => byte * 0x1000000;
