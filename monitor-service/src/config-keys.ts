/**
 * The secrets on disk. The monitor's signing key is created only when asked, and durable before it is
 * used: managers refuse receipts of another key. The channel seed is the node's and is never created
 * here. Errors name the option and the file, never a content.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { ConfigError } from "./config-error.js";
import { FloorFile, FloorFileError } from "./signer/floor-file.js";
import { readSeedFile, SeedFileError } from "./signer/seed-file.js";

const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
const SECRET_BYTES = 32;

/** 32 bytes. Throws ConfigError `key_file` when it is missing, readable by others, or no secret. */
export function loadMonitorSecret(file: string, create: boolean, curve: Curve): Uint8Array {
  if (!fs.existsSync(file)) {
    if (!create) {
      throw new ConfigError("key_file", `${file} does not exist, and create_keys is off`);
    }
    createSecret(file, curve);
  }
  const secret = readSecret("key_file", file);
  if (!curve.isSecret(secret)) throw new ConfigError("key_file", `${file} holds no valid secret`);
  return secret;
}

/** 32 bytes. Throws ConfigError `seed_file` when it is missing, readable by others, or no seed. */
export const loadSeed = (file: string): Uint8Array => readSecret("seed_file", file);

/** Throws ConfigError `floor_file` when it cannot be opened or is another kind of file. */
export async function openFloorFile(file: string): Promise<FloorFile> {
  try {
    return await FloorFile.open(file);
  } catch (cause) {
    const why = cause instanceof FloorFileError ? cause.message : "cannot be opened";
    throw new ConfigError("floor_file", `${file}: ${why}`, { cause });
  }
}

function readSecret(key: string, file: string): Uint8Array {
  try {
    return readSeedFile(file);
  } catch (cause) {
    const why = cause instanceof SeedFileError ? cause.message : "cannot be read";
    throw new ConfigError(key, `${file}: ${why}`, { cause });
  }
}

/** Fails rather than replace a file that another process created in between. */
function createSecret(file: string, curve: Curve): void {
  const folder = path.dirname(file);
  fs.mkdirSync(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
  let secret = randomBytes(SECRET_BYTES);
  while (!curve.isSecret(secret)) secret = randomBytes(SECRET_BYTES);
  const handle = fs.openSync(file, "wx", OWNER_ONLY);
  try {
    fs.writeSync(handle, `${toHex(secret)}\n`);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  const parent = fs.openSync(folder, "r");
  try {
    fs.fsyncSync(parent);
  } finally {
    fs.closeSync(parent);
  }
}
