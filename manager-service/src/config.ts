/**
 * Configuration: flags over environment (FARWATCH_MANAGER_*) over the TOML file over defaults. Every
 * option stands in OPTIONS with its default and why. A key nobody knows, or a value that cannot be
 * meant, refuses to start and names the key: a misspelled option that is ignored protects nothing.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parse } from "smol-toml";
import { ConfigError } from "./config-error.js";
import { ConfigShape, type ConfigInput } from "./config-shape.js";
import { CHAIN_HASHES, type Network } from "./networks.js";

export { ConfigError } from "./config-error.js";

export const ENV_PREFIX = "FARWATCH_MANAGER_";
export const DEFAULT_CONFIG_FILE = "/etc/farwatch/farwatch-manager.toml";

export interface Option {
  /** Place in the file. */
  readonly key: string;
  /** Command line flag; the environment variable is ENV_PREFIX and the key in capitals. */
  readonly flag: string;
  readonly kind: "text" | "switch" | "path";
  /** undefined: must be given. */
  readonly defaultValue: string | boolean | undefined;
  readonly help: string;
  readonly why: string;
}

/** Every option that is one value; [[nodes]] and [[monitors]] are tables and stand in the file only. */
export const OPTIONS: readonly Option[] = [
  {
    key: "network",
    flag: "--network",
    kind: "text",
    defaultValue: undefined,
    help: "regtest, signet, testnet or bitcoin",
    why: "no default: signed bytes name the chain, and a wrong guess would sign for another one",
  },
  {
    key: "listen",
    flag: "--listen",
    kind: "text",
    defaultValue: "127.0.0.1:9913",
    help: "host:port of the gRPC server; port 0 takes a free one",
    why: "loopback, so that exposing the manager is a decision",
  },
  {
    key: "data_dir",
    flag: "--data-dir",
    kind: "path",
    defaultValue: "~/.farwatch-manager/<network>",
    help: "folder of the database and, unless key_file is set, of the key",
    why: "one folder to back up, and one for each network",
  },
  {
    key: "key_file",
    flag: "--key-file",
    kind: "path",
    defaultValue: "<data_dir>/manager.key",
    help: "file with the update-signing secret: 64 hex characters, mode 0600",
    why: "a file, because a secret on a command line or in the environment can be read by others",
  },
  {
    key: "create_keys",
    flag: "--create-keys",
    kind: "switch",
    defaultValue: false,
    help: "draw the secret when key_file does not exist",
    why: "off: a missing key usually means a wrong folder, and monitors refuse a new key",
  },
  {
    key: "curve",
    flag: "--curve",
    kind: "text",
    defaultValue: "auto",
    help: "auto, noble or tiny-secp256k1",
    why: "auto takes the faster one only after it passed the self-test",
  },
  {
    key: "log_level",
    flag: "--log-level",
    kind: "text",
    defaultValue: "info",
    help: "debug, info, warn, error or silent",
    why: "info has one line for each session, link and alarm, none for each update",
  },
  {
    key: "tls.ca",
    flag: "--tls-ca",
    kind: "path",
    defaultValue: undefined,
    help: "PEM file of the authority that signs nodes' and monitors' certificates",
    why: "no default: whom to trust is the operator's decision",
  },
  {
    key: "tls.cert",
    flag: "--tls-cert",
    kind: "path",
    defaultValue: undefined,
    help: "PEM file of this manager's certificate, for serving nodes and for calling monitors",
    why: "no default: there is no mode without TLS",
  },
  {
    key: "tls.key",
    flag: "--tls-key",
    kind: "path",
    defaultValue: undefined,
    help: "PEM file of the certificate's private key",
    why: "no default, as for the certificate",
  },
];

export const envName = (option: Option): string =>
  ENV_PREFIX + option.key.replaceAll(".", "_").toUpperCase();

export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}
export interface NodeConfig {
  readonly name: string;
  readonly nodeKey: string;
  readonly spkiSha256: string;
  readonly admin: boolean;
}
export interface MonitorConfig {
  readonly name: string;
  readonly address: string;
  readonly monitorKey: string;
  readonly tls: TlsFiles;
}
/** Checked; every path is absolute. */
export interface ManagerConfig {
  readonly network: Network;
  /** Genesis block hash, internal byte order, as hex. */
  readonly chainHash: string;
  readonly listen: string;
  readonly dataDir: string;
  readonly keyFile: string;
  readonly createKeys: boolean;
  readonly curve: ConfigInput["curve"];
  readonly logLevel: ConfigInput["log_level"];
  readonly tls: TlsFiles;
  readonly nodes: readonly NodeConfig[];
  readonly monitors: readonly MonitorConfig[];
}

export interface ConfigSources {
  /** --config; else FARWATCH_MANAGER_CONFIG; else DEFAULT_CONFIG_FILE when it exists. */
  readonly file?: string | undefined;
  /** By option key. */
  readonly flags?: Readonly<Record<string, string | boolean>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Reads files but writes nothing. Throws ConfigError, which names the key. */
export function loadConfig({ file, flags = {}, env = {} }: ConfigSources): ManagerConfig {
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

function readToml(file: string): Table {
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch (cause) {
    throw new ConfigError("config", `cannot read ${file}`, { cause });
  }
  try {
    return parse(text);
  } catch (cause) {
    throw new ConfigError("config", `${file} is not valid TOML`, { cause });
  }
}

/** Paths in a file are relative to the file, so that a folder can be moved. */
function absolutePaths(table: Table, folder: string): void {
  for (const { key } of OPTIONS.filter(({ kind }) => kind === "path")) {
    const value = valueAt(table, key);
    if (typeof value === "string") setAt(table, key, path.resolve(folder, homeOf(value)));
  }
  for (const monitor of Array.isArray(table["monitors"]) ? table["monitors"] : []) {
    if (!isTable(monitor)) continue;
    for (const key of ["ca", "cert", "key"]) {
      const value = monitor[key];
      if (typeof value === "string") monitor[key] = path.resolve(folder, homeOf(value));
    }
  }
}

const homeOf = (file: string): string => file.replace(/^~(?=\/)/, os.homedir());

function readEnv(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || value === undefined) continue;
    // Orchestrators announce a service of this name in variables of this form; they are no options.
    if (name === `${ENV_PREFIX}CONFIG` || /^FARWATCH_MANAGER_(PORT|SERVICE)(_|$)/.test(name))
      continue;
    const option = OPTIONS.find((candidate) => envName(candidate) === name);
    if (option === undefined) throw new ConfigError(name, "no such option");
    values[option.key] = value;
  }
  return values;
}

function overlay(
  table: Table,
  values: Readonly<Record<string, string | boolean>>,
  source: "environment" | "flag",
): void {
  for (const [key, value] of Object.entries(values)) {
    const option = OPTIONS.find((candidate) => candidate.key === key);
    if (option === undefined) throw new ConfigError(key, `no such option (${source})`);
    setAt(table, key, fromText(option, value));
  }
}

/** Switches are words in the environment; paths there are relative to the working directory. */
function fromText({ key, kind }: Option, value: string | boolean): unknown {
  if (typeof value === "boolean") return value;
  if (kind === "path") return path.resolve(homeOf(value));
  if (kind === "text") return value;
  if (value !== "true" && value !== "false") throw new ConfigError(key, "expected true or false");
  return value === "true";
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

function resolve(input: ConfigInput): ManagerConfig {
  const { network, tls } = input;
  const dataDir = input.data_dir ?? path.join(os.homedir(), ".farwatch-manager", network);
  return {
    network,
    chainHash: CHAIN_HASHES[network],
    listen: input.listen,
    dataDir,
    keyFile: input.key_file ?? path.join(dataDir, "manager.key"),
    createKeys: input.create_keys,
    curve: input.curve,
    logLevel: input.log_level,
    tls,
    nodes: input.nodes.map(({ name, node_key, spki_sha256, admin }) => ({
      name,
      nodeKey: node_key,
      spkiSha256: spki_sha256,
      admin,
    })),
    monitors: input.monitors.map(({ name, address, monitor_key, ca, cert, key }) => ({
      name,
      address,
      monitorKey: monitor_key,
      tls: { ca: ca ?? tls.ca, cert: cert ?? tls.cert, key: key ?? tls.key },
    })),
  };
}
