/**
 * Reads a 32-byte secret (node seed, monitor key) from a file on this host: 32 raw bytes, or 64 hex
 * characters with an optional line end. Refuses a file that group or others may read. Errors name the
 * cause, never the content.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fromHex } from "@farwatch/protocol/bytes";
import { SEED_BYTES } from "./derive-keys.js";

const OTHERS = 0o077;
/** 64 hex characters and a line end of up to two characters. */
const MAX_FILE_BYTES = SEED_BYTES * 2 + 2;

export class SeedFileError extends Error {
  override readonly name = "SeedFileError";
}

/** 32 bytes. Throws SeedFileError, or Node's own error when the file cannot be opened. */
export function readSeedFile(path: string): Uint8Array {
  const file = openSync(path, "r");
  try {
    const { mode } = fstatSync(file);
    if ((mode & OTHERS) !== 0) {
      throw new SeedFileError("seed file: group or others have access; want mode 0600 or 0400");
    }
    const buffer = new Uint8Array(MAX_FILE_BYTES + 1);
    return parseSeed(buffer.slice(0, readSync(file, buffer)));
  } finally {
    closeSync(file);
  }
}

function parseSeed(content: Uint8Array): Uint8Array {
  if (content.length === SEED_BYTES) return content;
  const match = /^([0-9a-fA-F]{64})\r?\n?$/.exec(new TextDecoder("latin1").decode(content));
  const hex = match?.[1];
  if (hex === undefined) {
    throw new SeedFileError("seed file: want 32 raw bytes or 64 hex characters");
  }
  return fromHex(hex.toLowerCase());
}
