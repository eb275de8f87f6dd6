/**
 * `farwatch-monitor keys`: puts channel secrets on this host, sealed. They come from a file or a pipe on
 * the monitor's own host and never over the wire; what is printed is public. Safe while the monitor runs:
 * it reads the key store again when it is asked for a channel it does not know.
 */
import fs from "node:fs";
import type { Command } from "commander";
import { assert } from "@farwatch/protocol/assert";
import { equalBytes, toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { loadPassphrase, loadSeed, orConfigError } from "./config-keys.js";
import type { MonitorConfig } from "./config.js";
import type { ChannelSecrets } from "./signer/derive-keys.js";
import { ImportError, MAX_IMPORT_BYTES, mergeChannels, parseImport } from "./signer/import-keys.js";
import { readSecretFile, readSecretPipe, replaceSecretFile } from "./signer/secret-file.js";
import { openSeed, sealSeed } from "./signer/seed-file.js";
import { readKeyStore, writeKeyStore, type StoredChannels } from "./signer/stored-keys.js";

export interface KeysCli {
  /** Adds the options of the configuration. */
  withOptions(command: Command): Command;
  configOf(command: Command): MonitorConfig;
}

const STANDARD_INPUT = "-";
const STANDARD_INPUT_HANDLE = 0;

export function addKeysCommands(root: Command, { withOptions, configOf }: KeysCli): void {
  const keys = root.command("keys").description("channel secrets of this host");
  withOptions(keys.command("import"))
    .argument("<file>", `JSON with channels' secrets, mode 0600; "${STANDARD_INPUT}" reads a pipe`)
    .description("add secrets to the sealed key store")
    .action(async (file: string, _, command: Command) => importKeys(configOf(command), file));
  withOptions(keys.command("list"))
    .description("print channel_keys_id and public keys of every channel in the key store")
    .action(async (_, command: Command) => listKeys(configOf(command)));
  withOptions(keys.command("seal-seed"))
    .description("replace the plain seed file by a sealed one")
    .action((_, command: Command) => sealSeedFile(configOf(command)));
}

async function importKeys(config: MonitorConfig, file: string): Promise<void> {
  const { curve } = await selectCurve(config.curve);
  const given = parseImport(curve, readImport(file));
  const held = readHeld(config);
  const { channels, added } = mergeChannels(held, given);
  if (added.length > 0) write(config, channels);
  print(curve, new Map([...given].filter(([id]) => added.includes(id))));
  const known = given.size - added.length;
  process.stdout.write(`${added.length} added, ${known} known already\n`);
  if (file !== STANDARD_INPUT)
    process.stdout.write(`${file} still holds them in clear: remove it\n`);
}

/** A string cannot be wiped: this process ends soon, and a core dump of it must not be kept. */
function readImport(file: string): string {
  const content =
    file === STANDARD_INPUT
      ? readSecretPipe(STANDARD_INPUT_HANDLE, MAX_IMPORT_BYTES)
      : orImportError(file, () => readSecretFile(file, { maxBytes: MAX_IMPORT_BYTES }));
  try {
    return new TextDecoder().decode(content);
  } finally {
    content.fill(0);
  }
}

function orImportError(file: string, read: () => Uint8Array): Uint8Array {
  try {
    return read();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "cannot be read";
    throw new ImportError(`${file}: ${why}`, { cause });
  }
}

function readHeld(config: MonitorConfig): StoredChannels {
  if (!fs.existsSync(config.keyStore)) return new Map();
  const passphrase = loadPassphrase(config);
  try {
    return orConfigError("key_store", config.keyStore, () =>
      readKeyStore(config.keyStore, passphrase),
    );
  } finally {
    passphrase.fill(0);
  }
}

function write(config: MonitorConfig, channels: StoredChannels): void {
  const passphrase = loadPassphrase(config);
  try {
    orConfigError("key_store", config.keyStore, () =>
      writeKeyStore(config.keyStore, channels, passphrase),
    );
  } finally {
    passphrase.fill(0);
  }
}

async function listKeys(config: MonitorConfig): Promise<void> {
  const { curve } = await selectCurve(config.curve);
  print(curve, readHeld(config));
}

/** One line of JSON for each channel: nothing secret. */
function print(curve: Curve, channels: StoredChannels): void {
  for (const [id, secrets] of channels) {
    process.stdout.write(
      `${JSON.stringify({ channel_keys_id: id, ...pubkeys(curve, secrets) })}\n`,
    );
  }
}

const pubkeys = (curve: Curve, secrets: ChannelSecrets): Record<string, string> => ({
  funding_pubkey: toHex(curve.publicKey(secrets.funding)),
  revocation_basepoint: toHex(curve.publicKey(secrets.revocationBase)),
  payment_point: toHex(curve.publicKey(secrets.payment)),
  delayed_payment_basepoint: toHex(curve.publicKey(secrets.delayedPaymentBase)),
  htlc_basepoint: toHex(curve.publicKey(secrets.htlcBase)),
});

/** Opens what it has sealed before it replaces what it came from. */
function sealSeedFile(config: MonitorConfig): void {
  const { seedFile } = config;
  const { seed, sealed } = loadSeed(config);
  try {
    if (!sealed) replaceBySealed(config, seed);
    const what = sealed ? "was sealed already" : "is sealed; a copy on the disk may be recoverable";
    process.stdout.write(`${seedFile} ${what}\n`);
  } finally {
    seed.fill(0);
  }
}

function replaceBySealed(config: MonitorConfig, seed: Uint8Array): void {
  const { seedFile } = config;
  const passphrase = loadPassphrase(config);
  try {
    orConfigError("seed_file", seedFile, () => {
      const content = sealSeed(seed, passphrase);
      const opened = openSeed(content, passphrase);
      assert(equalBytes(opened, seed), "what was sealed opens to the same seed");
      opened.fill(0);
      replaceSecretFile(seedFile, content);
    });
  } finally {
    passphrase.fill(0);
  }
}
