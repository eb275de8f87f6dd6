/**
 * The world of the scenario suite: one node under test with its manager and its monitors, all real but
 * for sockets, disks, clocks and chain, in one process. Every run is the same, and a sweep can crash any
 * process at any point of it. See README.md.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "@farwatch/protocol/assert";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type { Txid } from "@farwatch/protocol/ids";
import type { Link, LinkOptions } from "../../harness/routing/link.js";
import type { NodeMemory } from "../../harness/routing/memory.js";
import type { RoutingNode } from "../../harness/routing/routing-node.js";
import { cachedCurve } from "./cached-curve.js";
import { certificates } from "./certificates.js";
import { Holds } from "./holds.js";
import { CrashPoints, type CrashPoint, type ProcessName } from "./life.js";
import { MANAGER, ManagerProcess } from "./manager-process.js";
import { MonitorProcess } from "./monitor-process.js";
import { Pump } from "./pump.js";
import { NODE_KEY, NodeSide } from "./node-side.js";
import { Recorder } from "./recorder.js";
import type { DiskKind, LogLine, MonitorOptions, Surroundings } from "./surroundings.js";
import { WorldChain } from "./world-chain.js";
import type { WorldClient } from "./world-client.js";

export interface WorldOptions {
  readonly monitors?: 1 | 2;
  readonly disk?: DiskKind;
  /** "mined": the funding of its one channel is in a block, which may go away. Default: as old as the world. */
  readonly funding?: "old" | "mined";
  /** Of every monitor. */
  readonly monitorOptions?: MonitorOptions;
  /** Default: MANAGER_RESOLVES. */
  readonly role?: Role;
  /** Index of the crash point at which its victim dies and is started again. */
  readonly crashAt?: number;
  /** Sees every crash point, when the disks are what a crash there would leave. Must not throw. */
  readonly watch?: (world: World, point: CrashPoint) => void;
}

/** Ms of the world's clock until a supervisor has noticed and started a crashed process again. */
const RESTART_MS = 1_000;

let curve: Promise<Curve> | undefined;
/** One for all worlds, so that it remembers. */
const worldCurve = (): Promise<Curve> =>
  (curve ??= selectCurve("auto").then((selected) => cachedCurve(selected.curve)));

export class World {
  readonly pump = new Pump();
  readonly chain = new WorldChain();
  readonly record = new Recorder();
  readonly holds = new Holds();
  readonly lines: LogLine[] = [];
  readonly fatal: unknown[] = [];
  readonly points: CrashPoints;
  readonly manager: ManagerProcess;
  readonly monitors: readonly MonitorProcess[];
  /** The node under test; its channels are the scenario's to dance on. */
  readonly node: RoutingNode<WorldClient>;
  readonly curve: Curve;
  readonly #folder: string | undefined;
  readonly #crashAt: number | undefined;
  readonly #nodeSide: NodeSide;
  #wasDisturbed = false;
  /** Those that a supervisor starts again. */
  readonly #wanted = new Set<ProcessName>();

  private constructor(around: Pick<Surroundings, "curve" | "certificates">, options: WorldOptions) {
    const { disk = "simulated", monitors = 2 } = options;
    this.curve = around.curve;
    this.#crashAt = options.crashAt;
    this.points = new CrashPoints(
      options.crashAt,
      (point) => this.#crashedAt(point),
      (point) => options.watch?.(this, point),
    );
    this.#folder = disk === "sqlite" ? mkdtempSync(join(tmpdir(), "farwatch-world-")) : undefined;
    const all: Surroundings = {
      ...around,
      pump: this.pump,
      points: this.points,
      chain: this.chain,
      record: this.record,
      holds: this.holds,
      monitorOptions: options.monitorOptions ?? {},
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
    this.#nodeSide = new NodeSide(all, {
      role: options.role ?? Role.MANAGER_RESOLVES,
      manager: () => this.manager.server(),
      ...(options.funding === "mined" ? { mine: (raw) => this.mine(1, [raw]) } : {}),
    });
    this.node = this.#nodeSide.node;
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
    return this.#nodeSide.open(name, options);
  }

  /** Transactions of fundings that were mined. */
  get fundings(): readonly Uint8Array[] {
    return this.#nodeSide.fundings;
  }

  /** The node's client of this life. */
  get client(): WorldClient {
    return this.node.connection;
  }

  /** The node's process starts anew with this memory. */
  restartNode(memory: NodeMemory = this.node.memory()): Promise<void> {
    return this.#nodeSide.restart(memory, () => this.quiesce());
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

  /** Dies at its next point of such a name (README, crash sweep), and is started again as there. */
  killAt(name: ProcessName, point: RegExp): void {
    this.points.killNext(name, point);
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

  /** Keeps messages on their way whose name matches; what is returned lets them go on. */
  hold(pattern: RegExp): () => Promise<void> {
    const release = this.holds.hold(pattern);
    return async () => {
      release();
      await this.quiesce();
    };
  }

  /** B's node is dead until `restartNode`. */
  async stopNode(): Promise<void> {
    this.client.close();
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
