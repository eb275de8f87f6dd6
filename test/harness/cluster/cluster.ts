/**
 * A manager and its monitors as separate processes over mutual TLS on loopback, with everything they
 * need in one temporary folder: certificates, key files, configuration files, data folders.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { managerKey, monitorKey, type ManagerKey, type MonitorKey } from "@farwatch/protocol/ids";
import { ownFolder, removeFolder } from "../bitcoind/children.js";
import type { Regtest } from "../bitcoind/node.js";
import { freePort } from "../bitcoind/ports.js";
import { MonitorClient } from "./monitor-client.js";
import { NodeClient } from "./node-client.js";
import { ServiceProcess } from "./service-process.js";
import { createAuthority, type Authority, type Leaf } from "./tls.js";

const OWNER_ONLY = 0o600;
const root = path.resolve(import.meta.dirname, "../../../..");

/** What a monitor's configuration says of its bitcoind. */
export interface ChainAccess extends Pick<Regtest, "rpcUrl" | "cookiePath" | "zmqHashblock"> {
  readonly wallet: { readonly name: string };
}

export interface ClusterOptions {
  readonly bitcoind: ChainAccess;
  /** Seconds between two looks at the chain. */
  readonly pollSeconds?: number;
  /** 32 bytes; the node's channel keys come from the same seed. undefined: monitors hold no channel keys. */
  readonly seed: Uint8Array | undefined;
  readonly monitors?: number;
  /** Who pays for our commitments on anchor channels. Default: bitcoind's wallet. */
  readonly feeWallet?: "bitcoind" | "events";
  /** Scripts to run instead of the shipped bins (test entry points with failpoints). */
  readonly monitorScript?: string;
  readonly managerScript?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface MonitorHandle {
  readonly name: string;
  readonly key: MonitorKey;
  readonly address: string;
  readonly process: ServiceProcess;
  /** Its store: what is lost with its host. */
  readonly dataFolder: string;
  /** Files of a caller it knows: the manager's certificate. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  /** A client with the manager's certificate. */
  connect(): MonitorClient;
}

export interface NodeAccess {
  readonly address: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Hex, as configured in the manager. */
  readonly nodeKey: string;
}

export interface Cluster {
  readonly folder: string;
  readonly monitors: readonly MonitorHandle[];
  readonly manager: ServiceProcess;
  readonly managerKey: ManagerKey;
  readonly managerSecret: Uint8Array;
  /** How a program that is the node reaches the manager: address, files of its certificate, its key. */
  readonly nodeAccess: NodeAccess;
  /** The node's side of the manager's API; a higher epoch is a restarted node. */
  connectNode(nodeEpoch: bigint, channels?: NodeClientChannels): NodeClient;
  startAll(): Promise<void>;
  /** Ends every process and removes the folder. */
  stop(): Promise<void>;
}
type NodeClientChannels = ConstructorParameters<typeof NodeClient>[0]["channels"];

interface Keys {
  readonly secret: Uint8Array;
  readonly xOnly: string;
}
const newKeys = (): Keys => {
  const secret = Uint8Array.from(randomBytes(32));
  return { secret, xOnly: toHex(nobleCurve.xOnlyPublicKey(secret)) };
};

export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-cluster-"));
  ownFolder(folder);
  const authority = await createAuthority(path.join(folder, "tls"));
  const managerLeaf = await authority.issue("manager");
  const nodeLeaf = await authority.issue("node");
  const manager = newKeys();
  const nodeKey = toHex(nobleCurve.publicKey(Uint8Array.from(randomBytes(32))));
  const monitors: MonitorHandle[] = [];
  for (let index = 0; index < (options.monitors ?? 1); index++) {
    const name = `monitor-${String.fromCharCode(97 + index)}`;
    monitors.push(await prepareMonitor(options, { folder, name, authority, managerLeaf, manager }));
  }
  const managerPort = await freePort();
  const managerProcess = prepareManager(options, {
    folder,
    authority,
    managerLeaf,
    nodeLeaf,
    manager,
    monitors,
    nodeKey,
    port: managerPort,
  });
  return {
    folder,
    monitors,
    manager: managerProcess,
    managerKey: managerKey(manager.xOnly),
    managerSecret: manager.secret,
    nodeAccess: {
      address: `localhost:${managerPort}`,
      caFile: authority.caFile,
      certFile: nodeLeaf.certFile,
      keyFile: nodeLeaf.keyFile,
      nodeKey,
    },
    connectNode: (nodeEpoch, channels) =>
      new NodeClient({
        address: `localhost:${managerPort}`,
        caFile: authority.caFile,
        leaf: nodeLeaf,
        nodeKey: fromHex(nodeKey),
        nodeEpoch,
        channels: channels ?? [],
      }),
    async startAll() {
      await Promise.all(monitors.map(({ process }) => process.start()));
      await managerProcess.start();
    },
    async stop() {
      await managerProcess.stop();
      await Promise.all(monitors.map(({ process }) => process.stop()));
      removeFolder(folder);
    },
  };
}

const secretFile = (folder: string, name: string, secret: Uint8Array): string => {
  const file = path.join(folder, name);
  fs.writeFileSync(file, toHex(secret), { mode: OWNER_ONLY });
  return file;
};

/** JSON strings are TOML strings. */
const quote = (text: string): string => JSON.stringify(text);

const tlsTable = (authority: Authority, leaf: Leaf): string => `[tls]
ca = ${quote(authority.caFile)}
cert = ${quote(leaf.certFile)}
key = ${quote(leaf.keyFile)}
`;

interface MonitorPlan {
  readonly folder: string;
  readonly name: string;
  readonly authority: Authority;
  readonly managerLeaf: Leaf;
  readonly manager: Keys;
}

async function prepareMonitor(
  { bitcoind, seed, feeWallet = "bitcoind", pollSeconds = 1, monitorScript, env }: ClusterOptions,
  { folder, name, authority, managerLeaf, manager }: MonitorPlan,
): Promise<MonitorHandle> {
  const keys = newKeys();
  const port = await freePort();
  const leaf = await authority.issue(name);
  const zmq = bitcoind.zmqHashblock;
  const config = `network = "regtest"
listen = "127.0.0.1:${port}"
data_dir = ${quote(path.join(folder, name))}
key_file = ${quote(secretFile(folder, `${name}.key`, keys.secret))}
${seed === undefined ? "no_channel_keys = true" : `seed_file = ${quote(secretFile(folder, `${name}.seed`, seed))}`}

${tlsTable(authority, leaf)}
[bitcoind]
url = ${quote(bitcoind.rpcUrl)}
cookie_file = ${quote(bitcoind.cookiePath)}
${feeWallet === "bitcoind" ? `wallet = ${quote(bitcoind.wallet.name)}\n` : ""}poll_interval_seconds = ${pollSeconds}
${zmq === undefined ? "" : `zmq_hashblock = ${quote(zmq)}\n`}
[fees]
wallet = "${feeWallet}"

[[managers]]
name = "manager"
manager_key = "${manager.xOnly}"
spki_sha256 = "${managerLeaf.spkiSha256}"
admin = true
`;
  const file = path.join(folder, `${name}.toml`);
  fs.writeFileSync(file, config);
  const address = `localhost:${port}`;
  const service = {
    name,
    script: monitorScript ?? path.join(root, "monitor-service/bin/farwatch-monitor.js"),
    args: ["--config", file],
  };
  return {
    name,
    key: monitorKey(keys.xOnly),
    address,
    dataFolder: path.join(folder, name),
    tls: { ca: authority.caFile, cert: managerLeaf.certFile, key: managerLeaf.keyFile },
    process: new ServiceProcess(env === undefined ? service : { ...service, env }),
    connect: () => new MonitorClient(address, authority.caFile, managerLeaf),
  };
}

interface ManagerPlan {
  readonly folder: string;
  readonly authority: Authority;
  readonly managerLeaf: Leaf;
  readonly nodeLeaf: Leaf;
  readonly manager: Keys;
  readonly monitors: readonly MonitorHandle[];
  readonly nodeKey: string;
  readonly port: number;
}

function prepareManager(options: ClusterOptions, plan: ManagerPlan): ServiceProcess {
  const { folder, authority, managerLeaf, nodeLeaf, manager, monitors, nodeKey, port } = plan;
  const tables = monitors.map(
    ({ name, address, key }) => `[[monitors]]
name = "${name}"
address = "${address}"
monitor_key = "${key}"
`,
  );
  const config = `network = "regtest"
listen = "127.0.0.1:${port}"
data_dir = ${quote(path.join(folder, "manager"))}
key_file = ${quote(secretFile(folder, "manager.key", manager.secret))}

${tlsTable(authority, managerLeaf)}
[[nodes]]
name = "node"
node_key = "${nodeKey}"
spki_sha256 = "${nodeLeaf.spkiSha256}"
admin = true

${tables.join("\n")}`;
  const file = path.join(folder, "manager.toml");
  fs.writeFileSync(file, config);
  const { managerScript, env } = options;
  const service = {
    name: "manager",
    script: managerScript ?? path.join(root, "manager-service/bin/farwatch-manager.js"),
    args: ["--config", file],
  };
  return new ServiceProcess(env === undefined ? service : { ...service, env });
}
