/**
 * Reads a 32-byte secret (node seed, monitor key) from a file on this host: 32 raw bytes, or 64 hex
 * characters with an optional line end; a seed may be sealed (sealed.ts). Refuses a file that group or
 * others may read. Errors name the cause, never the content.
 */
import { fromHex } from "@farwatch/protocol/bytes";
import { SEED_BYTES } from "./derive-keys.js";
import { isSealed, seal, unseal } from "./sealed.js";
import { readSecretFile, SecretFileError } from "./secret-file.js";

/** 64 hex characters and a line end of up to two characters. */
const MAX_PLAIN_BYTES = SEED_BYTES * 2 + 2;
/** A sealed seed, with room for its seal. */
const MAX_FILE_BYTES = MAX_PLAIN_BYTES + 256;

/** 32 bytes. Throws SecretFileError, or Node's own error when the file cannot be opened. */
export function readSeedFile(path: string): Uint8Array {
  return parseSeed(readSecretFile(path, { maxBytes: MAX_FILE_BYTES }));
}

export interface Seed {
  readonly seed: Uint8Array;
  readonly sealed: boolean;
}

/** Asks for the passphrase only when the file is sealed, and wipes it. Throws SealError too. */
export function readSeed(path: string, passphrase: () => Uint8Array): Seed {
  const content = readSecretFile(path, { maxBytes: MAX_FILE_BYTES });
  if (!isSealed(content)) return { seed: parseSeed(content), sealed: false };
  const secret = passphrase();
  try {
    return { seed: openSeed(content, secret), sealed: true };
  } finally {
    secret.fill(0);
  }
}

export const sealSeed = (seed: Uint8Array, passphrase: Uint8Array, cost?: number): Uint8Array =>
  seal(seed, passphrase, "seed", cost);

/** Throws SealError. */
export const openSeed = (sealed: Uint8Array, passphrase: Uint8Array): Uint8Array =>
  parseSeed(unseal(sealed, passphrase, "seed"));

function parseSeed(content: Uint8Array): Uint8Array {
  if (content.length === SEED_BYTES) return content;
  const match = /^([0-9a-fA-F]{64})\r?\n?$/.exec(new TextDecoder("latin1").decode(content));
  content.fill(0);
  const hex = match?.[1];
  if (hex === undefined) throw new SecretFileError("want 32 raw bytes or 64 hex characters");
  return fromHex(hex.toLowerCase());
}
