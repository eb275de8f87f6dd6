/**
 * Secrets held channel by channel, for nodes whose seed is not on this host: five 32-byte secrets under
 * a channel_keys_id, all channels in one sealed file. A running monitor reads the file again when it is
 * asked for a channel it does not know and the file has changed since.
 */
import { statSync } from "node:fs";
import { concatBytes, equalBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { CHANNEL_KEYS_ID_BYTES, type ChannelSecrets } from "./derive-keys.js";
import type { KeySource } from "./key-source.js";
import { readSecretFile, replaceSecretFile } from "./secret-file.js";
import { seal, SealError, unseal } from "./sealed.js";

/** 2 MB in memory; more channels belong under a seed. */
export const MAX_STORED_CHANNELS = 10_000;
const FORMAT = 1;
const SECRET_BYTES = 32;
/** In this order behind the channel_keys_id. */
export const SECRET_NAMES = [
  "funding",
  "revocationBase",
  "payment",
  "delayedPaymentBase",
  "htlcBase",
] as const satisfies readonly (keyof ChannelSecrets)[];
const ENTRY_BYTES = CHANNEL_KEYS_ID_BYTES + SECRET_NAMES.length * SECRET_BYTES;
/** With room for the seal. */
const MAX_FILE_BYTES = MAX_STORED_CHANNELS * ENTRY_BYTES + 256;

/** By channel_keys_id in hex. */
export type StoredChannels = ReadonlyMap<string, ChannelSecrets>;

/** Throws SealError or SecretFileError; Node's own error when the file cannot be opened. */
export function readKeyStore(file: string, passphrase: Uint8Array): StoredChannels {
  const sealed = readSecretFile(file, { maxBytes: MAX_FILE_BYTES });
  const plain = unseal(sealed, passphrase, "channelKeys");
  try {
    return decode(plain);
  } finally {
    plain.fill(0);
  }
}

/** Durable when it returns. Throws SealError or SecretFileError. */
export function writeKeyStore(
  file: string,
  channels: StoredChannels,
  passphrase: Uint8Array,
  cost?: number,
): void {
  const plain = encode(channels);
  try {
    replaceSecretFile(file, seal(plain, passphrase, "channelKeys", cost));
  } finally {
    plain.fill(0);
  }
}

function encode(channels: StoredChannels): Uint8Array {
  const entries = [...channels].map(([id, secrets]) =>
    concatBytes(fromHex(id), ...SECRET_NAMES.map((name) => secrets[name])),
  );
  const plain = concatBytes(Uint8Array.of(FORMAT), ...entries);
  for (const entry of entries) entry.fill(0);
  return plain;
}

function decode(plain: Uint8Array): StoredChannels {
  const body = plain.subarray(1);
  if (plain[0] !== FORMAT || body.length % ENTRY_BYTES !== 0) throw new SealError("damaged");
  const channels = new Map<string, ChannelSecrets>();
  for (let at = 0; at < body.length; at += ENTRY_BYTES) {
    const id = toHex(body.subarray(at, at + CHANNEL_KEYS_ID_BYTES));
    const field = (index: number): Uint8Array => {
      const start = at + CHANNEL_KEYS_ID_BYTES + index * SECRET_BYTES;
      return Uint8Array.from(body.subarray(start, start + SECRET_BYTES));
    };
    channels.set(id, {
      funding: field(0),
      revocationBase: field(1),
      payment: field(2),
      paymentV2: undefined,
      delayedPaymentBase: field(3),
      htlcBase: field(4),
    });
  }
  return channels;
}

export const sameSecrets = (a: ChannelSecrets, b: ChannelSecrets): boolean =>
  SECRET_NAMES.every((name) => equalBytes(a[name], b[name]));

export interface StoredKeysOptions {
  readonly file: string;
  /** Fresh bytes, wiped after use. */
  readonly passphrase: () => Uint8Array;
  /** The file changed and cannot be read: what was read before stays in use. */
  readonly onUnreadable: (error: unknown) => void;
}

export class StoredKeys implements KeySource {
  readonly #options: StoredKeysOptions;
  #channels: StoredChannels;
  /** What the file looked like when it was read last. */
  #seen: string;

  /** Throws as readKeyStore does. A file that does not exist yet holds nothing. */
  constructor(options: StoredKeysOptions) {
    this.#options = options;
    this.#seen = lookOf(options.file);
    this.#channels = this.#read();
  }

  get size(): number {
    return this.#channels.size;
  }

  /** A copy, which the caller may wipe. */
  secretsOf(channelKeysId: Uint8Array): ChannelSecrets | undefined {
    const id = toHex(channelKeysId);
    if (!this.#channels.has(id)) this.#refresh();
    const secrets = this.#channels.get(id);
    if (secrets === undefined) return undefined;
    return {
      funding: Uint8Array.from(secrets.funding),
      revocationBase: Uint8Array.from(secrets.revocationBase),
      payment: Uint8Array.from(secrets.payment),
      paymentV2: undefined,
      delayedPaymentBase: Uint8Array.from(secrets.delayedPaymentBase),
      htlcBase: Uint8Array.from(secrets.htlcBase),
    };
  }

  #refresh(): void {
    const look = lookOf(this.#options.file);
    if (look === this.#seen) return;
    this.#seen = look;
    try {
      this.#channels = this.#read();
    } catch (error) {
      this.#options.onUnreadable(error);
    }
  }

  #read(): StoredChannels {
    const { file, passphrase } = this.#options;
    if (this.#seen === NO_FILE) return new Map();
    const secret = passphrase();
    try {
      return readKeyStore(file, secret);
    } finally {
      secret.fill(0);
    }
  }
}

const NO_FILE = "";

function lookOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? NO_FILE : `${stat.ino}:${stat.size}:${stat.mtimeMs}`;
}
