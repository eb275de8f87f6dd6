/**
 * Secrets at rest: AES-256-GCM under a key that scrypt derives from a passphrase. Header: magic, cost,
 * purpose, salt, a value that tells a wrong passphrase from damage, nonce, checksum; all of it is
 * authenticated. Salt and nonce are drawn anew for every write.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from "node:crypto";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes, utf8 } from "@farwatch/protocol/bytes";

const MAGIC = utf8("farwatch sealed1");
const SALT_BYTES = 16;
const CHECK_BYTES = 16;
const NONCE_BYTES = 12;
const SUM_BYTES = 8;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const COST_AT = MAGIC.length;
const PURPOSE_AT = COST_AT + 1;
const SALT_AT = PURPOSE_AT + 1;
const CHECK_AT = SALT_AT + SALT_BYTES;
const NONCE_AT = CHECK_AT + CHECK_BYTES;
const SUM_AT = NONCE_AT + NONCE_BYTES;
const HEADER_BYTES = SUM_AT + SUM_BYTES;

/** scrypt's N as a power of two: 128 MiB and about half a second, once at start and at every change. */
export const DEFAULT_COST = 17;
/** Below, guessing is cheap; above, a file made by someone else could take all memory (1 GiB at 20). */
export const MIN_COST = 10;
export const MAX_COST = 20;
const BLOCK_SIZE = 8;
const SCRYPT_MEMORY_SLACK = 1 << 20;
/** Enough against guessing at this cost when it is random. Asked of new seals only. */
export const MIN_PASSPHRASE_BYTES = 12;

/** What a sealed file is for: one can never be taken for the other. */
export const PURPOSES = { seed: 1, channelKeys: 2 } as const;
export type SealPurpose = keyof typeof PURPOSES;

export type SealProblem = "notSealed" | "damaged" | "otherPurpose" | "wrongPassphrase" | "weak";

const PROBLEMS: Readonly<Record<SealProblem, string>> = {
  notSealed: "not a sealed file",
  damaged: "damaged: restore it from a backup",
  otherPurpose: "sealed for another purpose",
  wrongPassphrase: "wrong passphrase",
  weak: `the passphrase is shorter than ${MIN_PASSPHRASE_BYTES} bytes`,
};

export class SealError extends Error {
  override readonly name = "SealError";

  constructor(readonly problem: SealProblem) {
    super(PROBLEMS[problem]);
  }
}

export const isSealed = (bytes: Uint8Array): boolean =>
  equalBytes(bytes.subarray(0, MAGIC.length), MAGIC);

/** Throws SealError `weak`. The caller wipes `plain` and `passphrase`. */
export function seal(
  plain: Uint8Array,
  passphrase: Uint8Array,
  purpose: SealPurpose,
  cost: number = DEFAULT_COST,
): Uint8Array {
  if (passphrase.length < MIN_PASSPHRASE_BYTES) throw new SealError("weak");
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const { key, check } = derive(passphrase, salt, cost);
  try {
    const start = Uint8Array.of(cost, PURPOSES[purpose]);
    const fields = concatBytes(MAGIC, start, salt, check, nonce);
    const header = concatBytes(fields, sum(fields));
    const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(header);
    const body = concatBytes(cipher.update(plain), cipher.final());
    return concatBytes(header, body, cipher.getAuthTag());
  } finally {
    key.fill(0);
  }
}

/** Throws SealError. The caller wipes the result and `passphrase`. */
export function unseal(
  bytes: Uint8Array,
  passphrase: Uint8Array,
  purpose: SealPurpose,
): Uint8Array {
  if (!isSealed(bytes)) throw new SealError("notSealed");
  const header = bytes.subarray(0, HEADER_BYTES);
  const cost = header[COST_AT] ?? 0;
  const intact =
    bytes.length >= HEADER_BYTES + TAG_BYTES &&
    equalBytes(sum(header.subarray(0, SUM_AT)), header.subarray(SUM_AT)) &&
    cost >= MIN_COST &&
    cost <= MAX_COST;
  if (!intact) throw new SealError("damaged");
  if (header[PURPOSE_AT] !== PURPOSES[purpose]) throw new SealError("otherPurpose");
  const { key, check } = derive(passphrase, header.subarray(SALT_AT, CHECK_AT), cost);
  try {
    if (!equalBytes(check, header.subarray(CHECK_AT, NONCE_AT))) {
      throw new SealError("wrongPassphrase");
    }
    return decrypt(bytes, header, key);
  } finally {
    key.fill(0);
  }
}

function decrypt(bytes: Uint8Array, header: Uint8Array, key: Uint8Array): Uint8Array {
  const nonce = header.subarray(NONCE_AT, SUM_AT);
  const cipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(header);
  cipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  const plain = cipher.update(bytes.subarray(HEADER_BYTES, bytes.length - TAG_BYTES));
  try {
    cipher.final();
    return Uint8Array.from(plain);
  } catch {
    throw new SealError("damaged");
  } finally {
    plain.fill(0);
  }
}

function derive(
  passphrase: Uint8Array,
  salt: Uint8Array,
  cost: number,
): { readonly key: Uint8Array; readonly check: Uint8Array } {
  const N = 2 ** cost;
  const maxmem = 128 * BLOCK_SIZE * N + SCRYPT_MEMORY_SLACK;
  const options = { N, r: BLOCK_SIZE, p: 1, maxmem };
  const derived = scryptSync(passphrase, salt, KEY_BYTES + CHECK_BYTES, options);
  const key = Uint8Array.from(derived.subarray(0, KEY_BYTES));
  const check = Uint8Array.from(derived.subarray(KEY_BYTES));
  derived.fill(0);
  return { key, check };
}

const sum = (fields: Uint8Array): Uint8Array => sha256(fields).slice(0, SUM_BYTES);
