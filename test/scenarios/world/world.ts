/**
 * The world of the scenario suite: one node under test with its manager and its monitors, all real but
 * for sockets, disks, clocks and chain, in one process. Every run is the same, and a sweep can crash any
 * process at any point of it. See README.md.
 */
import { credentials } from "@grpc/grpc-js";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import {
  ManagerServiceClient,
  type NodeChannel,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Sat } from "@farwatch/protocol/amount";
import { toHex } from "@farwatch/protocol/bytes";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import { txid, type ChannelId, type Txid } from "@farwatch/protocol/ids";
import type { Side } from "../../harness/channel/setup.js";
import { testChannelOptions } from "../../harness/channel/test-channel.js";
import { handFunding } from "../../harness/monitor-core/hand-funding.js";
import type { Link, LinkOptions, PreparedFunding } from "../../harness/routing/link.js";
import type { NodeMemory } from "../../harness/routing/memory.js";
import { RoutingNode } from "../../harness/routing/routing-node.js";
import { cachedCurve } from "./cached-curve.js";
import { certificates } from "./certificates.js";
import { CrashPoints, Life, type CrashPoint, type ProcessName } from "./life.js";
import { MANAGER, ManagerProcess } from "./manager-process.js";
import { MemoryChannel } from "./memory-channel.js";
import { MonitorProcess } from "./monitor-process.js";
import { Pump } from "./pump.js";
import { Recorder } from "./recorder.js";
import { named, seededBytes } from "./seeded.js";
import type { DiskKind, LogLine, Surroundings } from "./surroundings.js";
import { WorldChain } from "./world-chain.js";
import { WorldClient } from "./world-client.js";

export interface WorldOptions {
  readonly monitors?: 1 | 2;
  readonly disk?: DiskKind;
  /** "mined": the funding of its one channel is in a block, which may go away. Default: as old as the world. */
  readonly funding?: "old" | "mined";
  /** Index of the crash point at which its victim dies and is started again. */
  readonly crashAt?: number;
}

/** Ms of the world's clock until a supervisor has noticed and started a crashed process again. */
const RESTART_MS = 1_000;
const NODE_KEY = "02".repeat(33);
const DRAWN_BYTES = 32;

let curve: Promise<Curve> | undefined;
/** One for all worlds, so that it remembers. */
const worldCurve = (): Promise<Curve> =>
  (curve ??= selectCurve("auto").then((selected) => cachedCurve(selected.curve)));

export class World {
  readonly pump = new Pump();
  readonly chain = new WorldChain();
  readonly record = new Recorder();
  readonly lines: LogLine[] = [];
  readonly fatal: unknown[] = [];
  /** Transactions of fundings that were mined. */
  readonly fundings: Uint8Array[] = [];
  readonly points: CrashPoints;
  readonly manager: ManagerProcess;
  readonly monitors: readonly MonitorProcess[];
  /** The node under test; its channels are the scenario's to dance on. */
  readonly node: RoutingNode<WorldClient>;
  readonly curve: Curve;
  readonly #folder: string | undefined;
  readonly #crashAt: number | undefined;
  readonly #around: Surroundings;
  #wasDisturbed = false;
  #nodeEpoch = 0n;
  readonly #isFundingMined: boolean;
  #funded = 0;
  /** Channels that existed when the node was restarted last. */
  #before: ReadonlySet<ChannelId> = new Set();
  /** Those that a supervisor starts again. */
  readonly #wanted = new Set<ProcessName>();

  private constructor(around: Pick<Surroundings, "curve" | "certificates">, options: WorldOptions) {
    const { disk = "simulated", monitors = 2 } = options;
    const draw = seededBytes("node");
    this.curve = around.curve;
    this.#crashAt = options.crashAt;
    this.#isFundingMined = options.funding === "mined";
    this.points = new CrashPoints(options.crashAt, (point) => this.#crashedAt(point));
    this.#folder = disk === "sqlite" ? mkdtempSync(join(tmpdir(), "farwatch-world-")) : undefined;
    const all: Surroundings = {
      ...around,
      pump: this.pump,
      points: this.points,
      chain: this.chain,
      record: this.record,
      disk,
      folder: this.#folder ?? "",
      log: (line) => this.lines.push(line),
      onFatal: (by, error) => this.#failed(by, error),
    };
    this.pump.explain = () => this.#state();
    this.manager = new ManagerProcess(all, NODE_KEY);
    this.monitors = ["m1", "m2"]
      .slice(0, monitors)
      .map((name) => new MonitorProcess(name, this.manager.managerKey, all));
    this.manager.monitors = this.monitors;
    this.#around = all;
    this.node = new RoutingNode({
      connection: this.#newClient(() => this.#cursors()),
      funder: { prepare: (script, value) => Promise.resolve(this.#fund(script, value)) },
      height: () => this.chain.height,
      draw: () => draw(DRAWN_BYTES),
    });
  }

  /** `made` is told before anything starts, and must see that the world ends. */
  static async create(
    options: WorldOptions = {},
    made: (world: World) => void = () => undefined,
  ): Promise<World> {
    const around = { curve: await worldCurve(), certificates: await certificates() };
    const world = new World(around, options);
    made(world);
    for (const { name } of world.monitors) world.#up(name);
    world.#up(MANAGER);
    world.node.connection.connect();
    await world.quiesce();
    return world;
  }

  /** Runs until nothing moves and every retry that is due has had its chance. */
  quiesce(): Promise<void> {
    return Promise.race([this.pump.quiet(), this.pump.stalled]);
  }

  /** The node handles what it was told, obeys, and dances on all its channels until nothing moves. */
  async run(): Promise<void> {
    for (;;) {
      await this.quiesce();
      const handled = await this.node.handleItems();
      const danced = await this.node.settle();
      if (handled === 0 && !danced) return;
    }
  }

  /** A channel of B: `counterparty` is the peer. Watched, and durable everywhere. */
  open(name: string, options: Partial<LinkOptions> = {}): Promise<Link> {
    const { curve: own } = this;
    const keys = (side: Side) => ({ channelKeysId: named(`${side} keys of ${name}`) });
    return this.node.openChannel(name, {
      ...testChannelOptions,
      curve: own,
      holder: keys("holder"),
      counterparty: keys("counterparty"),
      initialState: { bestBlock: this.chain.tip },
      ...options,
    });
  }

  /** The node's client of this life. */
  get client(): WorldClient {
    return this.node.connection;
  }

  /** The node's process starts anew with this memory. */
  async restartNode(memory: NodeMemory = this.node.memory()): Promise<void> {
    this.#before = new Set([...this.node.links.values()].map(({ channelId }) => channelId));
    await this.node.restart(async (cursors) => {
      this.client.close();
      let restarting = true;
      const client = this.#newClient(() => (restarting ? cursors : this.#cursors(memory)));
      client.connect();
      await this.quiesce();
      restarting = false;
      return client;
    }, memory);
  }

  monitor(name: ProcessName): MonitorProcess {
    return must(
      this.monitors.find((monitor) => monitor.name === name),
      `a monitor ${name}`,
    );
  }

  // ---- crashes ----

  /** Dies now, with everything that was not durable; stays down until `restart`. */
  crash(name: ProcessName): void {
    this.pump.asked();
    this.#wanted.delete(name);
    this.#down(name, "by the scenario");
  }

  async restart(name: ProcessName): Promise<void> {
    if (this.#process(name).isUp) this.crash(name);
    this.start(name);
    await this.quiesce();
  }

  /** As `restart`, of a process that is down, without waiting for anything. */
  start(name: ProcessName): void {
    this.#up(name);
  }

  /** Nobody reaches the monitor, which itself goes on. */
  async partition(name: ProcessName): Promise<void> {
    this.monitor(name).isReachable = false;
    await this.quiesce();
  }
  async heal(name: ProcessName): Promise<void> {
    this.monitor(name).isReachable = true;
    await this.quiesce();
  }

  /** Preimage records reach no monitor's store until `releasePreimages`; everything else does. */
  holdPreimages(): void {
    for (const { preimages } of this.monitors) preimages.shut();
  }
  async releasePreimages(): Promise<void> {
    for (const { preimages } of this.monitors) preimages.open();
    await this.quiesce();
  }

  // ---- chain ----

  /** Mines `blocks`; the first holds `txs`, which must be allowed to stand there. */
  async mine(blocks = 1, txs: readonly Uint8Array[] = []): Promise<void> {
    for (let mined = 0; mined < blocks; mined++) this.chain.mine(mined === 0 ? txs : []);
    await this.follow();
  }

  /** One block with everything that was broadcast and may stand in it. Returns what it held. */
  async mineBroadcasts(): Promise<readonly Uint8Array[]> {
    const txs = this.chain.minable();
    await this.mine(1, txs);
    return txs;
  }

  /** Replaces the last `depth` blocks by one more than that, the first of which holds `txs`. */
  async reorg(depth: number, txs: readonly Uint8Array[] = []): Promise<void> {
    this.chain.disconnect(depth);
    await this.mine(depth + 1, txs);
  }

  async follow(): Promise<void> {
    this.pump.asked();
    for (const monitor of this.monitors) monitor.follow();
    await this.quiesce();
  }

  broadcastTxids(): ReadonlySet<Txid> {
    return new Set(this.chain.broadcasts.map(({ txid }) => txid));
  }

  // ---- looking ----

  /** True when nobody disturbs this run: then every count and moment is exact. */
  get undisturbed(): boolean {
    return this.#crashAt === undefined;
  }
  /** The sweep's crash has happened. */
  get wasDisturbed(): boolean {
    return this.#wasDisturbed;
  }
  /** Why events may be left un-acked at the end; a scenario that ends so says why. */
  mayDangle = "";

  /** Processes that are not up. */
  down(): readonly ProcessName[] {
    const all = [MANAGER, ...this.monitors.map(({ name }) => name)];
    return all.filter((name) => !this.#process(name).isUp);
  }

  /** Ids of items that the node was told and has not handled. */
  unhandled(): readonly bigint[] {
    const handled = new Set(this.record.of("handled").map(({ itemId }) => itemId));
    const told = this.record.of("told").map(({ itemId }) => itemId);
    return [...new Set(told)].filter((id) => id !== 0n && !handled.has(id));
  }

  /** Un-acked events of the monitors that are up. */
  dangling(): readonly { readonly by: ProcessName; readonly event: SealedMonitorEvent }[] {
    return this.monitors
      .filter(({ isUp }) => isUp)
      .flatMap(({ name, host, who }) =>
        host.pendingEvents(who, undefined).map((event) => ({ by: name, event })),
      );
  }

  /** Ends everything; call it whatever happened. */
  async end(): Promise<void> {
    this.client.close();
    for (const name of [MANAGER, ...this.monitors.map((monitor) => monitor.name)]) {
      this.#process(name).crash();
    }
    this.pump.end();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  // ---- inside ----

  #newClient(cursors: () => readonly NodeChannel[]): WorldClient {
    const { certificates: made, pump, points, record } = this.#around;
    const life = new Life("node", false);
    this.#nodeEpoch += 1n;
    return new WorldClient({
      nodeKey: NODE_KEY,
      nodeEpoch: this.#nodeEpoch,
      cursors,
      pump,
      record,
      open: () => {
        const server = () => this.manager.server();
        const parts = { client: life, server, certificate: made.node.raw, pump, points };
        const options = { channelOverride: new MemoryChannel(parts) };
        return new ManagerServiceClient("memory", credentials.createInsecure(), options);
      },
    });
  }

  /** What the node says of its channels: of those on which it is behind, what it remembers. */
  #cursors(memory?: NodeMemory): readonly NodeChannel[] {
    const remembered = new Map(
      memory?.cursors.map((cursor) => [toHex(cursor.channelId), cursor] as const),
    );
    const known = (link: Link): boolean =>
      memory === undefined || remembered.has(link.channelId) || !this.#before.has(link.channelId);
    return [...this.node.links.values()].filter(known).map((link) => {
      const cursor = remembered.get(link.channelId);
      return link.isBehind && cursor !== undefined ? cursor : link.cursor();
    });
  }

  /** A coin as old as the world. */
  #fund(script: Uint8Array, value: Sat): PreparedFunding {
    if (this.#isFundingMined) {
      const setup = { capacitySat: value };
      const { raw, outpoint, coin } = handFunding({ fundingScriptPubkey: script, setup });
      this.chain.grant(coin.outpoint, coin.prevout);
      this.fundings.push(raw);
      return { funding: outpoint, publish: () => this.mine(1, [raw]) };
    }
    this.#funded += 1;
    const funding = { txid: txid(toHex(named(`funding ${this.#funded}`))), vout: 0 };
    this.chain.grant(funding, { script, value });
    return { funding, publish: () => Promise.resolve() };
  }

  #process(name: ProcessName): ManagerProcess | MonitorProcess {
    return name === MANAGER ? this.manager : this.monitor(name);
  }

  #up(name: ProcessName): void {
    this.#wanted.add(name);
    this.record.add({ kind: "start", by: name });
    this.pump.asked();
    const process = this.#process(name);
    process.start().catch((error: unknown) => {
      if (process.isUp) this.#failed(name, error);
    });
  }

  #down(name: ProcessName, at: string): void {
    this.record.add({ kind: "crash", by: name, at });
    this.#process(name).crash();
  }

  #crashedAt({ victim, name }: CrashPoint): void {
    this.#wasDisturbed = true;
    this.#down(victim, name);
    this.pump.after(RESTART_MS, () => {
      if (this.#wanted.has(victim) && !this.#process(victim).isUp) this.#up(victim);
    });
  }

  #failed(by: ProcessName, error: unknown): void {
    this.fatal.push(error);
    this.pump.fail(new Error(`${by} failed`, { cause: error }));
  }

  #state(): string {
    const up = [this.manager, ...this.monitors].map(({ isUp }) => isUp);
    const last = this.lines.slice(-10).map(({ by, message, facts }) => {
      const text = Object.entries(facts).map(([key, value]) => `${key}=${String(value)}`);
      return `${by}: ${message} ${text.join(" ")}`;
    });
    return [`up: ${up.join(" ")}`, ...last].join("\n");
  }
}
