/**
 * Configuration: flags over environment (FARWATCH_MONITOR_*) over the TOML file over defaults. A key
 * nobody knows, or a value that cannot be meant, refuses to start and names the key: a misspelled
 * option that is ignored protects nothing.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parse } from "smol-toml";
import { feeratePerKw, type FeeratePerKw } from "@farwatch/protocol/amount";
import type { DestinationText } from "./chain/bitcoind-destination.js";
import type { ChainName } from "./chain/proof-of-work.js";
import { ConfigError } from "./config-error.js";
import { CHAIN_HASHES, CHAIN_NAMES, type Network } from "./config-networks.js";
import {
  DEFAULT_CONFIG_FILE,
  ENV_PREFIX,
  envName,
  OPTIONS,
  type Option,
} from "./config-options.js";
import { ConfigShape, type ConfigInput, type FEE_WALLETS } from "./config-shape.js";

export { ConfigError } from "./config-error.js";

export interface TlsPaths {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}
export interface ManagerRow {
  readonly name: string;
  readonly managerKey: string;
  readonly spkiSha256: string;
  readonly admin: boolean;
}
/** Which login is used is decided in config-login.ts. */
export interface BitcoindConfig {
  readonly url: string;
  readonly cookieFile: string | undefined;
  readonly user: string | undefined;
  /** A secret. */
  readonly password: string | undefined;
  readonly passwordFile: string | undefined;
  /** Name of the wallet that pays fees; undefined: no wallet is ever asked. */
  readonly wallet: string | undefined;
  readonly zmqHashblock: string | undefined;
  readonly pollIntervalMs: number;
}
export interface SweepOptions {
  readonly destination: DestinationText;
  readonly everyBlocks: number;
}
/** Checked; every path is absolute. Holds a secret: never logged as a whole. */
export interface MonitorConfig {
  readonly network: Network;
  readonly chain: ChainName;
  /** Genesis block hash, internal byte order, as hex. */
  readonly chainHash: string;
  readonly listen: string;
  readonly dataDir: string;
  readonly keyFile: string;
  readonly createKeys: boolean;
  readonly seedFile: string;
  /** This host serves penalty-only channels alone. */
  readonly noChannelKeys: boolean;
  readonly floorFile: string;
  /** Sealed secrets of single channels; need not exist. */
  readonly keyStore: string;
  /** Opens sealed files; undefined: nothing sealed can be read. */
  readonly passphraseFile: string | undefined;
  readonly curve: ConfigInput["curve"];
  readonly logLevel: ConfigInput["log_level"];
  readonly tls: TlsPaths;
  readonly bitcoind: BitcoindConfig;
  readonly maxFeerate: FeeratePerKw;
  /** Who pays for our own commitments on anchor channels. */
  readonly feeWallet: (typeof FEE_WALLETS)[number];
  /** undefined: nothing is swept. */
  readonly sweep: SweepOptions | undefined;
  readonly managers: readonly ManagerRow[];
}

export type FlagValue = string | boolean;
export interface ConfigSources {
  /** --config; else FARWATCH_MONITOR_CONFIG; else DEFAULT_CONFIG_FILE when it exists. */
  readonly file?: string | undefined;
  /** By option key. */
  readonly flags?: Readonly<Record<string, FlagValue>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Reads the file but writes nothing. Throws ConfigError, which names the key. */
export function loadConfig({ file, flags = {}, env = {} }: ConfigSources): MonitorConfig {
  const chosen = file ?? env[`${ENV_PREFIX}CONFIG`] ?? existing(DEFAULT_CONFIG_FILE);
  const merged = chosen === undefined ? {} : readToml(chosen);
  if (chosen !== undefined) absolutePaths(merged, path.dirname(path.resolve(chosen)));
  overlay(merged, readEnv(env), "environment");
  overlay(merged, flags, "flag");
  const parsed = ConfigShape.safeParse(merged);
  if (!parsed.success) throw ConfigError.fromIssues(parsed.error.issues);
  return resolve(parsed.data);
}

const existing = (file: string): string | undefined => (fs.existsSync(file) ? file : undefined);

type Table = Record<string, unknown>;
const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The parser's own message quotes the line, and a line may hold a password: it is not passed on. */
function readToml(file: string): Table {
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError("config", `cannot read ${file}`, { cause });
  }
  try {
    return parse(text);
  } catch {
    throw new ConfigError("config", `${file} is not valid TOML`);
  }
}

/** Paths in a file are relative to the file, so that a folder can be moved. */
function absolutePaths(table: Table, folder: string): void {
  for (const { key } of OPTIONS.filter(({ kind }) => kind === "path")) {
    const value = valueAt(table, key);
    if (typeof value === "string") setAt(table, key, path.resolve(folder, homeOf(value)));
  }
}

const homeOf = (file: string): string => file.replace(/^~(?=\/)/, os.homedir());

/** Orchestrators announce a service of this name in variables of these forms; they are no options. */
const SERVICE_LINK = /^FARWATCH_MONITOR_(?:PORT|SERVICE)(?:_|$)/;

function readEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || value === undefined) continue;
    if (name === `${ENV_PREFIX}CONFIG` || SERVICE_LINK.test(name)) continue;
    const option = OPTIONS.find((candidate) => envName(candidate) === name);
    if (option === undefined) throw new ConfigError(name, "no such option");
    values[option.key] = value;
  }
  return values;
}

function overlay(
  table: Table,
  values: Readonly<Record<string, FlagValue>>,
  source: "environment" | "flag",
): void {
  for (const [key, value] of Object.entries(values)) {
    const option = OPTIONS.find((candidate) => candidate.key === key);
    if (option === undefined) throw new ConfigError(key, `no such option (${source})`);
    setAt(table, key, fromText(option, value));
  }
}

/** Switches and numbers are words here; paths are relative to the working directory. */
function fromText({ key, kind }: Option, value: FlagValue): unknown {
  if (typeof value === "boolean") return value;
  switch (kind) {
    case "path":
      return value === "" ? value : path.resolve(homeOf(value));
    case "text":
      return value;
    case "number":
      if (!/^\d+(?:\.\d+)?$/.test(value)) throw new ConfigError(key, "expected a number");
      return Number(value);
    case "switch":
      if (value !== "true" && value !== "false")
        throw new ConfigError(key, "expected true or false");
      return value === "true";
  }
}

function valueAt(table: Table, key: string): unknown {
  return key
    .split(".")
    .reduce<unknown>((value, part) => (isTable(value) ? value[part] : undefined), table);
}

function setAt(table: Table, key: string, value: unknown): void {
  const [group, name] = key.split(".");
  if (group === undefined) return;
  if (name === undefined) table[group] = value;
  else table[group] = { ...(isTable(table[group]) ? table[group] : {}), [name]: value };
}

const MS_PER_SECOND = 1_000;
/** A virtual byte is 4 weight units. */
const PER_KW = 1_000 / 4;

function resolve(input: ConfigInput): MonitorConfig {
  const { network, tls, bitcoind } = input;
  const dataDir = input.data_dir ?? path.join(os.homedir(), ".farwatch-monitor", network);
  return {
    network,
    chain: CHAIN_NAMES[network],
    chainHash: CHAIN_HASHES[network],
    listen: input.listen,
    dataDir,
    keyFile: input.key_file ?? path.join(dataDir, "monitor.key"),
    createKeys: input.create_keys,
    seedFile: input.seed_file ?? path.join(dataDir, "channel.seed"),
    noChannelKeys: input.no_channel_keys,
    floorFile: input.floor_file ?? path.join(dataDir, "holder.floors"),
    keyStore: input.key_store ?? path.join(dataDir, "channel.keys"),
    passphraseFile: input.passphrase_file,
    curve: input.curve,
    logLevel: input.log_level,
    tls,
    bitcoind: {
      url: bitcoind.url,
      cookieFile: bitcoind.cookie_file,
      user: bitcoind.user,
      password: bitcoind.password,
      passwordFile: bitcoind.password_file,
      wallet: bitcoind.wallet,
      zmqHashblock: bitcoind.zmq_hashblock,
      pollIntervalMs: Math.round(bitcoind.poll_interval_seconds * MS_PER_SECOND),
    },
    feeWallet: input.fees.wallet ?? (bitcoind.wallet === undefined ? "none" : "bitcoind"),
    maxFeerate: feeratePerKw(Math.floor(input.fees.max_feerate_sat_per_vbyte * PER_KW)),
    sweep: sweepOf(input.sweep),
    managers: input.managers.map(({ name, manager_key, spki_sha256, admin }) => ({
      name,
      managerKey: manager_key,
      spkiSha256: spki_sha256,
      admin,
    })),
  };
}

function sweepOf({ address, descriptor, every_blocks }: ConfigInput["sweep"]) {
  const everyBlocks = every_blocks;
  if (address !== undefined) {
    return { destination: { kind: "address" as const, address }, everyBlocks };
  }
  if (descriptor === undefined) return undefined;
  return { destination: { kind: "descriptor" as const, descriptor }, everyBlocks };
}
