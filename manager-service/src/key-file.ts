/**
 * The update-signing secret on disk: 64 lowercase hex characters, mode 0600. Created only when asked,
 * and durable before it is used: a key that vanishes with a crash would strand every channel signed
 * with it. Errors name the file, never its content.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { ConfigError } from "./config-error.js";

const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
const OTHERS = 0o077;
const SECRET_BYTES = 32;

/** 32 bytes. Throws ConfigError `key_file` when it is missing, readable by others, or no secret. */
export function loadManagerSecret(file: string, create: boolean, curve: Curve): Uint8Array {
  if (!fs.existsSync(file)) {
    if (!create) {
      throw new ConfigError("key_file", `${file} does not exist, and create_keys is off`);
    }
    createSecret(file, curve);
  }
  if ((fs.statSync(file).mode & OTHERS) !== 0) {
    throw new ConfigError("key_file", `${file} is open to group or others; expected mode 0600`);
  }
  const hex = /^([0-9a-f]{64})\r?\n?$/.exec(fs.readFileSync(file, "latin1"))?.[1];
  if (hex === undefined)
    throw new ConfigError("key_file", `${file} is not 64 lowercase hex characters`);
  const secret = fromHex(hex);
  if (!curve.isSecret(secret)) throw new ConfigError("key_file", `${file} holds no valid secret`);
  return secret;
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
