/**
 * The secrets on disk. The monitor's signing key is created only when asked, and durable before it is
 * used: managers refuse receipts of another key. Channel secrets come from the node's seed, which is
 * never created here, or from the key store. Errors name the option and the file, never a content.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { ConfigError } from "./config-error.js";
import type { MonitorConfig } from "./config.js";
import type { Log } from "./observe/log.js";
import { FloorFile, FloorFileError } from "./signer/floor-file.js";
import { firstOf, SeedKeys, type KeySource } from "./signer/key-source.js";
import { readPassphrase } from "./signer/passphrase.js";
import { SealError } from "./signer/sealed.js";
import { SecretFileError } from "./signer/secret-file.js";
import { readSeed, readSeedFile, type Seed } from "./signer/seed-file.js";
import { StoredKeys } from "./signer/stored-keys.js";

const OWNER_ONLY = 0o600;
const OWNER_ONLY_FOLDER = 0o700;
const SECRET_BYTES = 32;

type KeyFiles = Pick<MonitorConfig, "seedFile" | "keyStore" | "passphraseFile">;
type KeyOptions = KeyFiles & Pick<MonitorConfig, "noChannelKeys">;

/** 32 bytes. Throws ConfigError `key_file` when it is missing, readable by others, or no secret. */
export function loadMonitorSecret(file: string, create: boolean, curve: Curve): Uint8Array {
  if (!fs.existsSync(file)) {
    if (!create) {
      throw new ConfigError("key_file", `${file} does not exist, and create_keys is off`);
    }
    createSecret(file, curve);
  }
  const secret = orConfigError("key_file", file, () => readSeedFile(file));
  if (!curve.isSecret(secret)) throw new ConfigError("key_file", `${file} holds no valid secret`);
  return secret;
}

/** Seed and key store, whichever there is. Throws ConfigError naming the option of what is wrong. */
export function loadKeys(config: KeyOptions, curve: Curve, log: Log): KeySource {
  const { keyStore, seedFile } = config;
  if (config.noChannelKeys) return noKeys(config, log);
  const sources: KeySource[] = [];
  const hasStore = fs.existsSync(keyStore);
  if (config.passphraseFile !== undefined || hasStore) {
    const stored = openKeyStore(config, log);
    sources.push(stored);
    log.info({ file: keyStore, channels: stored.size }, "key store opened");
  }
  if (fs.existsSync(seedFile) || !hasStore) {
    const { seed, sealed } = loadSeed(config);
    if (!sealed)
      log.warn({ file: seedFile }, "the seed is not sealed: anyone with the disk has it");
    sources.push(new SeedKeys(curve, seed));
    seed.fill(0);
  }
  return firstOf(sources);
}

/** Penalty-only channels need none (ADR M-18); a file that is there all the same is a mistake. */
function noKeys({ seedFile, keyStore }: KeyFiles, log: Log): KeySource {
  const found = [seedFile, keyStore].find((file) => fs.existsSync(file));
  if (found !== undefined) {
    throw new ConfigError(
      "no_channel_keys",
      `${found} exists: a host without keys has no such file`,
    );
  }
  log.info({}, "no channel keys: only penalty-only channels are taken");
  return firstOf([]);
}

/** The caller wipes it. Throws ConfigError `seed_file` or `passphrase_file`. */
export const loadSeed = (config: KeyFiles): Seed =>
  orConfigError("seed_file", config.seedFile, () =>
    readSeed(config.seedFile, () => loadPassphrase(config)),
  );

/** The caller wipes it. Throws ConfigError `passphrase_file`. */
export function loadPassphrase({ passphraseFile }: KeyFiles): Uint8Array {
  const key = "passphrase_file";
  if (passphraseFile === undefined) throw new ConfigError(key, "needed to open a sealed file");
  const credentials = process.env["CREDENTIALS_DIRECTORY"];
  return orConfigError(key, passphraseFile, () => readPassphrase(passphraseFile, credentials));
}

const openKeyStore = (config: KeyFiles, log: Log): StoredKeys =>
  orConfigError(
    "key_store",
    config.keyStore,
    () =>
      new StoredKeys({
        file: config.keyStore,
        passphrase: () => loadPassphrase(config),
        onUnreadable: (error) => {
          const cause = error instanceof Error ? error.message : undefined;
          log.error({ file: config.keyStore, cause }, "the key store changed and cannot be read");
        },
      }),
  );

/** Throws ConfigError `floor_file` when it cannot be opened or is another kind of file. */
export async function openFloorFile(file: string): Promise<FloorFile> {
  try {
    return await FloorFile.open(file);
  } catch (cause) {
    const why = cause instanceof FloorFileError ? cause.message : "cannot be opened";
    throw new ConfigError("floor_file", `${file}: ${why}`, { cause });
  }
}

/** Only errors that are made to be read show their message. */
export function orConfigError<T>(key: string, file: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const readable = cause instanceof SecretFileError || cause instanceof SealError;
    throw new ConfigError(key, `${file}: ${readable ? cause.message : "cannot be read"}`, {
      cause,
    });
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
