/**
 * ECDSA signatures in their two forms: 64-byte compact (BOLT wire, Curve port) and strict DER
 * followed by a sighash byte (witnesses, BIP 66). Decides which DER is well formed; checks no
 * curve rule.
 */
import { assert } from "../assert.js";
import { concatBytes, expectLength } from "../bytes.js";

export const SIGHASH_ALL = 0x01;
/** BIP 143: lets the second-stage transaction be combined with others and given a fee. */
export const SIGHASH_SINGLE_ANYONECANPAY = 0x83;

export const COMPACT_SIGNATURE_LENGTH = 64;
const SCALAR_LENGTH = 32;
const SEQUENCE_TAG = 0x30;
const INTEGER_TAG = 0x02;
/** An integer of 32 bytes whose top bit is set needs a leading zero byte. */
const MAX_INTEGER_LENGTH = SCALAR_LENGTH + 1;

export interface WitnessSignature {
  /** 64 bytes compact. */
  readonly signature: Uint8Array;
  readonly sighashType: number;
}

/** Witness form of a 64-byte compact signature: DER and the sighash byte, at most 73 bytes. */
export function toWitnessSignature(compact: Uint8Array, sighashType: number): Uint8Array {
  assert(sighashType >= 0 && sighashType <= 0xff, "sighash type: one byte");
  return concatBytes(compactToDer(compact), Uint8Array.of(sighashType));
}

/** Reads a witness item as signature and sighash byte; undefined when it is not strict DER. */
export function parseWitnessSignature(item: Uint8Array): WitnessSignature | undefined {
  const sighashType = item.at(-1);
  const signature = derToCompact(item.subarray(0, -1));
  return sighashType === undefined || signature === undefined
    ? undefined
    : { signature, sighashType };
}

/** Strict DER of a 64-byte compact signature. */
export function compactToDer(compact: Uint8Array): Uint8Array {
  expectLength(compact, COMPACT_SIGNATURE_LENGTH, "compact signature");
  const r = encodeInteger(compact.subarray(0, SCALAR_LENGTH));
  const s = encodeInteger(compact.subarray(SCALAR_LENGTH));
  return concatBytes(Uint8Array.of(SEQUENCE_TAG, r.length + s.length), r, s);
}

/** 64-byte compact form of strict DER (BIP 66, no sighash byte); undefined when malformed. */
export function derToCompact(der: Uint8Array): Uint8Array | undefined {
  if (der[0] !== SEQUENCE_TAG || der[1] !== der.length - 2) return undefined;
  const r = decodeInteger(der, 2);
  if (r === undefined) return undefined;
  const s = decodeInteger(der, r.end);
  if (s?.end !== der.length) return undefined;
  return concatBytes(r.scalar, s.scalar);
}

function encodeInteger(scalar: Uint8Array): Uint8Array {
  let start = 0;
  while (start < scalar.length - 1 && scalar[start] === 0) start++;
  const digits = scalar.subarray(start);
  const padded = isNegative(digits) ? concatBytes(Uint8Array.of(0), digits) : digits;
  return concatBytes(Uint8Array.of(INTEGER_TAG, padded.length), padded);
}

function decodeInteger(
  der: Uint8Array,
  at: number,
): { readonly scalar: Uint8Array; readonly end: number } | undefined {
  const length = der[at + 1] ?? 0;
  const end = at + 2 + length;
  if (der[at] !== INTEGER_TAG || length === 0 || length > MAX_INTEGER_LENGTH) return undefined;
  const digits = der.subarray(at + 2, end);
  const padded = digits[0] === 0 && length > 1;
  if (isNegative(digits) || (padded && !isNegative(digits.subarray(1)))) return undefined;
  const significant = padded ? digits.subarray(1) : digits;
  if (significant.length > SCALAR_LENGTH) return undefined;
  const scalar = new Uint8Array(SCALAR_LENGTH);
  scalar.set(significant, SCALAR_LENGTH - significant.length);
  return { scalar, end };
}

const isNegative = (digits: Uint8Array): boolean => (digits[0] ?? 0) >= 0x80;
