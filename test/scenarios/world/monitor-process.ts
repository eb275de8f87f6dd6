/**
 * One monitor: what outlives it (disk, floors, key), and its lives. Each life is the real shell and the
 * real RPC handlers; the chain is followed here because the world has no timers to poll with.
 */
import { must } from "@farwatch/protocol/assert";
import { keyOfSecret } from "@farwatch/protocol/envelope/sign";
import { monitorKey, storeId, type ManagerKey, type MonitorKey } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import { toHex } from "@farwatch/protocol/bytes";
import { Principals } from "@farwatch/monitor-service/auth/principal";
import { verifyBlock } from "@farwatch/monitor-service/chain/verify-block";
import { handlers, type Handlers } from "@farwatch/monitor-service/rpc/handlers";
import { GUARDED_SERVICE } from "@farwatch/monitor-service/rpc/incoming";
import type { RpcDeps } from "@farwatch/monitor-service/rpc/call";
import type { HostDeps, HostLog } from "@farwatch/monitor-service/runtime/deps";
import type { MonitorHost } from "@farwatch/monitor-service/runtime/monitor-host";
import { startMonitorHost, type RunningHost } from "@farwatch/monitor-service/runtime/start";
import { MemoryFloors, type HolderFloors } from "@farwatch/monitor-service/signer/holder-floors";
import type { MonitorStore } from "@farwatch/monitor-service/store/store";
import { DEFAULT_SEEDS, REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { seedSigner } from "../../harness/channel/seed-signer.js";
import { DiskSession } from "./disk.js";
import { Gate } from "./gate.js";
import { Life } from "./life.js";
import type { MemoryChannel } from "./memory-channel.js";
import { MemoryServer } from "./memory-server.js";
import { MonitorDisk } from "./monitor-disk.js";
import { brokenPromises } from "./monitor-promises.js";
import { named, seededBytes } from "./seeded.js";
import { SqliteFiles } from "./sqlite-stores.js";
import type { LogLine, Surroundings } from "./surroundings.js";

interface Running {
  readonly life: Life;
  readonly host: RunningHost;
  readonly server: MemoryServer;
}

export class MonitorProcess {
  readonly monitorKey: MonitorKey;
  readonly disk: MonitorDisk;
  readonly #secret: Uint8Array;
  readonly #floors = new MemoryFloors();
  readonly #files: SqliteFiles;
  readonly #random: (length: number) => Uint8Array;
  #life: Life | undefined;
  #running: Running | undefined;
  #following: Promise<void> = Promise.resolve();
  /** False: no manager gets through, but the monitor goes on. */
  #reachable = true;
  readonly connections = new Set<MemoryChannel>();
  /** Where preimage records wait. */
  readonly preimages = new Gate();

  constructor(
    readonly name: string,
    private readonly managerKey: ManagerKey,
    private readonly around: Surroundings,
  ) {
    this.#secret = named(`secret of ${name}`);
    this.monitorKey = monitorKey(keyOfSecret(around.curve, this.#secret));
    const id = storeId(toHex(named(`store of ${name}`).slice(0, 16)));
    this.disk = new MonitorDisk(id, REGTEST_CHAIN_HASH);
    this.#files = new SqliteFiles(around);
    this.#random = seededBytes(name);
  }

  get isUp(): boolean {
    return this.#life?.alive === true;
  }
  /** Of the life that runs. */
  get host(): MonitorHost {
    return must(this.#running, `${this.name} is up`).host.host;
  }
  get who() {
    return { name: "manager", managerKey: this.managerKey, admin: true };
  }
  /** What an answer of this monitor says and its disk does not; SQLite is asked nothing. */
  brokenPromises(path: string, bytes: Uint8Array): readonly string[] {
    const { disk } = this.around;
    if (disk === "sqlite") return [];
    return brokenPromises(this.disk, path, bytes).map((text) => `${this.name}: ${text}`);
  }
  /** Where managers get through to. */
  server(): MemoryServer | undefined {
    return this.#reachable ? this.#running?.server : undefined;
  }
  get isReachable(): boolean {
    return this.#reachable;
  }
  set isReachable(value: boolean) {
    this.#reachable = value;
    if (value) return;
    for (const connection of this.connections) connection.cut();
    this.connections.clear();
  }

  async start(): Promise<void> {
    const life = new Life(this.name);
    this.#life = life;
    life.atEnd(() => (this.#running = undefined));
    const host = await life.guard(startMonitorHost(await this.#deps(life)));
    const answers = handlers(this.#rpcDeps(host));
    const putPreimages: Handlers["putPreimages"] = (call, reply) => {
      if (!this.preimages.isShut) return answers.putPreimages(call, reply);
      void this.preimages.passed().then(() => life.alive && answers.putPreimages(call, reply));
    };
    const server = new MemoryServer(life, {
      definition: GUARDED_SERVICE,
      implementation: { ...answers, putPreimages },
    });
    this.#running = { life, host, server };
    this.around.pump.moved();
    this.#following = this.#follow(this.#running).then(() => host.sink.synced());
  }

  crash(): void {
    this.#life?.end();
  }

  /** The chain has changed. */
  follow(): void {
    const running = this.#running;
    if (running === undefined) return;
    this.#following = this.#following.then(() => this.#follow(running));
  }

  /** What the chain follower does, without its timers. */
  async #follow({ host, life }: Running): Promise<void> {
    const { chain, onFatal } = this.around;
    const { sink } = host;
    try {
      const fork = must(
        sink.tipRing().find(({ hash }) => chain.isBest(hash)),
        "a common block",
      );
      const { height, hash } = fork;
      if (hash !== sink.tipRing()[0]?.hash) await sink.disconnected({ height, hash });
      for (const { header, raw } of chain.blocksAbove(height)) {
        const block = verifyBlock(header, raw);
        if (!block.ok) throw new Error(`the world's own block: ${block.error}`);
        await sink.connected(block.value);
      }
      await host.published();
      await host.maintain();
    } catch (error) {
      if (life.alive) onFatal(this.name, error);
    }
  }

  #store(life: Life): Promise<MonitorStore> {
    const { disk, pump, points } = this.around;
    if (disk === "sqlite") return this.#files.monitor(life);
    return Promise.resolve(
      this.disk.open(new DiskSession(life, pump, points, disk === "lying monitors")),
    );
  }

  async #deps(life: Life): Promise<HostDeps> {
    const { curve, chain, pump, onFatal, monitorOptions } = this.around;
    const floors = this.#floorsOf(life);
    return {
      curve,
      store: await this.#store(life),
      signer: seedSigner(curve, DEFAULT_SEEDS.holder, floors),
      floors,
      source: chain.source(life, () => pump.moved()),
      chain: "regtest",
      chainHash: REGTEST_CHAIN_HASH,
      monitorSecret: this.#secret,
      log: this.#log(life),
      nowMs: () => pump.nowMs(),
      randomBytes: this.#random,
      chainState: () => "synced",
      onFatal: (error) => {
        if (life.alive) onFatal(this.name, error);
      },
      ...monitorOptions,
    };
  }

  /** Their file is apart from the store: a crash may fall between the two. */
  #floorsOf(life: Life): HolderFloors {
    const session = new DiskSession(life, this.around.pump, this.around.points);
    return {
      floorOf: (channelId) => this.#floors.floorOf(channelId),
      raise: (floors) =>
        floors.length === 0
          ? session.read(() => undefined)
          : session.write("floors", () => void this.#floors.raise(floors)),
    };
  }

  #log(life: Life): HostLog {
    const line =
      (level: LogLine["level"]) =>
      (facts: LogLine["facts"], message: string): void => {
        if (life.alive) this.around.log({ by: this.name, level, message, facts });
      };
    return { info: line("info"), warn: line("warn"), error: line("error") };
  }

  #rpcDeps(running: RunningHost): RpcDeps {
    const { pump, certificates } = this.around;
    const { spkiSha256: certificateSpkiSha256 } = certificates.manager;
    const principal = { ...this.who, certificateSpkiSha256 };
    const silent = (): void => undefined;
    return {
      host: () => ok(running.host),
      principals: new Principals([principal]),
      log: {
        debug: silent,
        info: silent,
        error: (facts, message) => this.#rpcError(facts, message),
      },
      version: "world",
      packageRelay: () => "unknown",
      walletConfirmedSat: () => undefined,
      chainReason: () => undefined,
      wallClockMs: () => pump.nowMs(),
      nowMs: () => pump.nowMs(),
      newIncident: () => "incident",
      causeOf: (error) => (error instanceof Error ? (error.stack ?? error.message) : "unknown"),
      streams: new Set(),
    };
  }

  #rpcError(facts: LogLine["facts"], message: string): void {
    this.around.log({ by: this.name, level: "error", message, facts });
  }
}
