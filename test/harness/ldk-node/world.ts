/**
 * LDK nodes as processes on one regtest chain, and for each of them, when its monitors are to be remote, a
 * manager-service and monitor-services of its own. Words for what tests ask again and again.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { ownFolder, removeFolder } from "../bitcoind/children.js";
import { startRegtest, type Regtest } from "../bitcoind/node.js";
import { freePort } from "../bitcoind/ports.js";
import { until } from "../cluster/chain-facts.js";
import { createCluster, type Cluster } from "../cluster/cluster.js";
import { KillSwitch } from "../cluster/failpoint.js";
import type { MonitorClient } from "../cluster/monitor-client.js";
import { ChainIndex } from "./chain-index.js";
import { EventLog } from "./event-log.js";
import { LdkProcess } from "./ldk-process.js";
import type { NodePlan, WatchPlan } from "./protocol.js";

/** Confirmed coins in each node's wallet: channels are paid from them, and anchors. */
const COINS = 12;
const COIN_BTC = 0.2;
/** What each node's wallet begins with. */
export const WALLET_SAT = BigInt(COINS) * 20_000_000n;
const FIRST_BLOCKS = 110;
/** The shipped monitor, with points at which a test may end it. */
const FAILING_MONITOR = path.resolve(import.meta.dirname, "../cluster/failing-monitor.js");
/** Blocks that bury a funding transaction for both sides. */
export const FUNDING_DEPTH = 6;

export const FEES = {
  MaximumFeeEstimate: 15_000,
  UrgentOnChainSweep: 2_500,
  MinAllowedAnchorChannelRemoteFee: 253,
  MinAllowedNonAnchorChannelRemoteFee: 253,
  AnchorChannelFee: 500,
  NonAnchorChannelFee: 2_000,
  ChannelCloseMinimum: 1_000,
  OutputSpendingFee: 1_500,
} as const;

export interface WorldOptions {
  /** Name of each node with the number of its monitor-services; 0: monitors in its own process. */
  readonly nodes: Readonly<Record<string, number>>;
  readonly bitcoind?: Regtest;
}

export interface Member {
  readonly node: LdkProcess;
  /** Absent for a node that keeps its monitors itself. */
  readonly services: Cluster | undefined;
}

export class LdkWorld {
  readonly #members = new Map<string, Member>();
  readonly #switches = new Map<string, KillSwitch>();
  readonly #logs = new Map<string, EventLog>();

  private constructor(
    readonly bitcoind: Regtest,
    readonly folder: string,
    readonly index: ChainIndex,
    private readonly ownsBitcoind: boolean,
  ) {}

  static async open(options: WorldOptions): Promise<LdkWorld> {
    const bitcoind = options.bitcoind ?? (await startRegtest({ zmq: true }));
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-ldk-"));
    ownFolder(folder);
    const names = Object.keys(options.nodes);
    const wallets = new Map(names.map((name) => [name, walletOf(name)]));
    const index = new ChainIndex(bitcoind, await bitcoind.height(), wallets);
    const world = new LdkWorld(bitcoind, folder, index, options.bitcoind === undefined);
    try {
      await world.#fundWallets(names);
      const adding = Object.entries(options.nodes);
      await Promise.all(adding.map(([name, monitors]) => world.#add(name, monitors)));
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  member(name: string): Member {
    return must(this.#members.get(name), `node ${name}`);
  }
  node(name: string): LdkProcess {
    return this.member(name).node;
  }
  log(name: string): EventLog {
    const known = this.#logs.get(name) ?? new EventLog(this.node(name));
    this.#logs.set(name, known);
    return known;
  }
  services(name: string): Cluster {
    return must(this.member(name).services, `services of ${name}`);
  }
  /** Ends a monitor of this node at a named point. */
  killSwitch(name: string): KillSwitch {
    return must(this.#switches.get(name), `kill switch of ${name}`);
  }
  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** Mines what the mempool holds and waits until every running node has seen it. */
  async mine(blocks = 1): Promise<void> {
    await this.bitcoind.mine(blocks);
    await this.synced();
  }

  /** Every running node and monitor is at bitcoind's tip. */
  async synced(): Promise<void> {
    const running = this.members.filter(({ node }) => node.isRunning);
    await Promise.all(running.map(({ node }) => node.call("sync", {})));
    const hash = await this.bitcoind.bestHash();
    await Promise.all(
      this.members.flatMap(({ services }) =>
        (services?.monitors ?? [])
          .filter(({ process }) => process.isRunning)
          .map(({ connect, name }) => untilAt(connect, name, hash)),
      ),
    );
  }

  /** TCP from one to the other, and LDK's handshake over it. */
  async connect(from: string, to: string): Promise<void> {
    const [a, b] = [this.node(from), this.node(to)];
    await a.call("connect", { nodeId: b.nodeId, port: b.plan.listenPort });
    const knows = async (node: LdkProcess, other: LdkProcess) =>
      (await node.state()).peers.includes(other.nodeId);
    await until(`${from} and ${to} are connected`, async () => {
      return (await knows(a, b)) && (await knows(b, a));
    });
  }

  /** Starts nodes that are dead, and connects those of the pairs that are not. */
  async meet(pairs: readonly (readonly [string, string])[]): Promise<void> {
    for (const { node } of this.members) {
      if (node.isRunning) continue;
      await node.exited();
      await node.start();
    }
    for (const [from, to] of pairs) {
      const { peers } = await this.node(from).state();
      if (!peers.includes(this.node(to).nodeId)) await this.connect(from, to);
    }
  }

  /** Both sides know. */
  async disconnect(from: string, to: string): Promise<void> {
    const [a, b] = [this.node(from), this.node(to)];
    await a.call("disconnect", { nodeId: b.nodeId });
    const knows = async (node: LdkProcess, other: LdkProcess) =>
      (await node.state()).peers.includes(other.nodeId);
    await until(`${from} and ${to} are disconnected`, async () => {
      return !(await knows(a, b)) && !(await knows(b, a));
    });
  }

  async close(): Promise<void> {
    await Promise.all(
      this.members.map(async ({ node, services }) => {
        await node.stop();
        await services?.stop();
      }),
    );
    removeFolder(this.folder);
    if (this.ownsBitcoind) await this.bitcoind.stop();
  }

  async #fundWallets(names: readonly string[]): Promise<void> {
    const { bitcoind } = this;
    if ((await bitcoind.height()) < FIRST_BLOCKS) await bitcoind.mine(FIRST_BLOCKS);
    for (const name of names) {
      await bitcoind.rpc("createwallet", [walletOf(name)]);
      const outputs: Record<string, number> = {};
      for (let coin = 0; coin < COINS; coin++) {
        const address = await bitcoind.rpc("getnewaddress", ["", "bech32"], walletOf(name));
        outputs[String(address)] = COIN_BTC;
      }
      await bitcoind.wallet.rpc("sendmany", ["", outputs]);
    }
    await bitcoind.mine(1);
  }

  async #add(name: string, monitors: number): Promise<void> {
    const { bitcoind } = this;
    const seed = seedOf(name);
    const folder = path.join(this.folder, name);
    fs.mkdirSync(folder);
    const killSwitch = new KillSwitch(folder);
    this.#switches.set(name, killSwitch);
    const services =
      monitors === 0
        ? undefined
        : await createCluster({
            bitcoind,
            seed: fromHex(seed),
            monitors,
            feeWallet: "events",
            monitorScript: FAILING_MONITOR,
            env: killSwitch.env,
          });
    await services?.startAll();
    const { user, password } = bitcoind;
    const plan: NodePlan = {
      name,
      seed,
      folder,
      listenPort: await freePort(),
      bitcoind: { url: bitcoind.rpcUrl, user, password },
      wallet: walletOf(name),
      fees: FEES,
      watch: watchOf(services),
    };
    const node = new LdkProcess(plan);
    this.#members.set(name, { node, services });
    await node.start();
  }
}

const walletOf = (name: string): string => `wallet-${name}`;

/** Constant, so that a run can be repeated; each name has its own. */
const seedOf = (name: string): string =>
  toHex(createHash("sha256").update(`farwatch ldk node ${name}`).digest());

function watchOf(services: Cluster | undefined): WatchPlan {
  if (services === undefined) return { kind: "local" };
  return { kind: "remote", ...services.nodeAccess };
}

async function untilAt(connect: () => MonitorClient, name: string, hash: string): Promise<void> {
  const client = connect();
  try {
    await until(`${name} is at the tip`, async () => {
      const { tip } = await client.info();
      return tip !== undefined && toHex(Uint8Array.from(tip.blockHash).reverse()) === hash;
    });
  } finally {
    client.close();
  }
}
