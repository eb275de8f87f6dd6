/**
 * Assembles Bitcoin scripts: opcodes by name, minimal pushes of data and numbers (BIP 62 rule 3).
 * Only the opcodes of BOLT 3 scripts are known.
 */
import { assert } from "../assert.js";
import { concatBytes } from "../bytes.js";

const OPCODES = {
  IF: 0x63,
  NOTIF: 0x64,
  ELSE: 0x67,
  ENDIF: 0x68,
  IFDUP: 0x73,
  DROP: 0x75,
  DUP: 0x76,
  SWAP: 0x7c,
  SIZE: 0x82,
  EQUAL: 0x87,
  EQUALVERIFY: 0x88,
  HASH160: 0xa9,
  CHECKSIG: 0xac,
  CHECKSIGVERIFY: 0xad,
  CHECKMULTISIG: 0xae,
  CHECKLOCKTIMEVERIFY: 0xb1,
  CHECKSEQUENCEVERIFY: 0xb2,
} as const;

/** OP_1 is one above it, OP_16 sixteen. */
const OP_RESERVED = 0x50;
/** Longest push that needs no length opcode; every key, hash and number here is shorter. */
const MAX_DIRECT_PUSH = 75;

export type OpcodeName = keyof typeof OPCODES;

/** Opcodes in order, by name without the OP_ prefix. */
export const op = (...names: readonly OpcodeName[]): Uint8Array =>
  Uint8Array.from(names, (name) => OPCODES[name]);

/** Pushes 2 to 75 bytes. */
export function push(data: Uint8Array): Uint8Array {
  assert(data.length > 1 && data.length <= MAX_DIRECT_PUSH, "script push: 2 to 75 bytes");
  return concatBytes(Uint8Array.of(data.length), data);
}

/** Pushes a number of 0 to 2^31-1 in its shortest form. */
export function pushNumber(value: number): Uint8Array {
  assert(Number.isInteger(value) && value >= 0 && value <= 0x7fffffff, "script number: range");
  if (value === 0) return Uint8Array.of(0);
  if (value <= 16) return Uint8Array.of(OP_RESERVED + value);
  const digits: number[] = [];
  for (let rest = value; rest > 0; rest >>>= 8) digits.push(rest & 0xff);
  // The top bit is the sign: a positive number that uses it needs one more byte.
  if ((digits.at(-1) ?? 0) >= 0x80) digits.push(0);
  return Uint8Array.of(digits.length, ...digits);
}
