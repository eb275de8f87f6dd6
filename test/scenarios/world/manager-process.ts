/**
 * The manager: what outlives it (disk, key), and its lives. Each life is the real shell with real links
 * and the real RPC handlers; only the bytes travel through memory.
 */
import { credentials } from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import { MonitorServiceClient } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { keyOfSecret } from "@farwatch/protocol/envelope/sign";
import { managerKey, type ManagerKey } from "@farwatch/protocol/ids";
import { createLink } from "@farwatch/manager-service/monitors/grpc-link";
import type { MonitorLink } from "@farwatch/manager-service/monitors/monitor-link";
import { Rpc } from "@farwatch/manager-service/monitors/rpc";
import type { Log } from "@farwatch/manager-service/observe/log";
import { indexPrincipals } from "@farwatch/manager-service/rpc/principals";
import { managerService } from "@farwatch/manager-service/rpc/service";
import type { ManagerHost } from "@farwatch/manager-service/runtime/manager-host";
import { createManagerHost, type RunningManager } from "@farwatch/manager-service/runtime/manager";
import type { ManagerStore, StoredManager } from "@farwatch/manager-service/store/store";
import { REGTEST_CHAIN_HASH } from "../../harness/channel/setup.js";
import { DiskSession } from "./disk.js";
import { Life } from "./life.js";
import { ManagerDisk } from "./manager-disk.js";
import { MemoryChannel } from "./memory-channel.js";
import { MemoryServer } from "./memory-server.js";
import type { MonitorProcess } from "./monitor-process.js";
import { named, seededBytes } from "./seeded.js";
import { SqliteFiles } from "./sqlite-stores.js";
import type { LogLine, Surroundings } from "./surroundings.js";

export const MANAGER = "manager";
export const MANAGER_SECRET = named("secret of the manager");
const NONCE_BYTES = 32;

interface Running {
  readonly host: RunningManager;
  readonly server: MemoryServer;
}

export class ManagerProcess {
  readonly managerKey: ManagerKey;
  readonly disk = new ManagerDisk();
  readonly #files: SqliteFiles;
  readonly #random = seededBytes(MANAGER);
  #life: Life | undefined;
  #running: Running | undefined;
  /** Set once they exist; they know the manager's key. */
  monitors: readonly MonitorProcess[] = [];

  constructor(
    private readonly around: Surroundings,
    private readonly nodeKey: string,
  ) {
    this.managerKey = managerKey(keyOfSecret(around.curve, MANAGER_SECRET));
    this.#files = new SqliteFiles(around);
  }

  get isUp(): boolean {
    return this.#life?.alive === true;
  }
  /** Of the life that runs: for looking; a node talks through its client. */
  get host(): ManagerHost {
    return must(this.#running, "the manager is up").host.host;
  }
  server(): MemoryServer | undefined {
    return this.#running?.server;
  }

  async start(): Promise<void> {
    const life = new Life(MANAGER);
    this.#life = life;
    life.atEnd(() => (this.#running = undefined));
    const store = await this.#store(life);
    const stored = await life.guard(store.load());
    const links = this.#links(life, stored.epoch);
    const host = await life.guard(this.#host(life, alreadyLoaded(store, stored), links));
    const service = managerService({
      host: host.host,
      principals: indexPrincipals([
        {
          name: "node",
          nodeKey: this.nodeKey,
          admin: true,
          spkiSha256: this.around.certificates.node.spkiSha256,
        },
      ]),
      log: this.#log(life),
      version: "world",
      track: () => () => undefined,
    });
    this.#running = { host, server: new MemoryServer(life, service) };
    host.start();
    this.around.pump.moved();
  }

  crash(): void {
    this.#life?.end();
  }

  #host(life: Life, store: ManagerStore, links: readonly MonitorLink[]): Promise<RunningManager> {
    const { curve, pump, onFatal } = this.around;
    return createManagerHost({
      store,
      links,
      curve,
      managerKey: this.managerKey,
      chainHash: REGTEST_CHAIN_HASH,
      clock: pump,
      randomBytes: this.#random,
      log: this.#log(life),
      onFatal: (error) => {
        if (life.alive) onFatal(MANAGER, error);
      },
    });
  }

  #store(life: Life): Promise<ManagerStore> {
    const { disk, pump, points } = this.around;
    if (disk === "sqlite") return this.#files.manager(life, this.managerKey);
    return Promise.resolve(
      this.disk.open(new DiskSession(life, pump, points, disk === "lying manager")),
    );
  }

  #links(life: Life, epoch: bigint): readonly MonitorLink[] {
    const { curve, pump } = this.around;
    const log = this.#log(life);
    const bootNonce = this.#random(NONCE_BYTES);
    return this.monitors.map((monitor) =>
      createLink(
        {
          name: monitor.name,
          monitorKey: monitor.monitorKey,
          curve,
          managerKey: this.managerKey,
          managerSecret: MANAGER_SECRET,
          epoch,
          bootNonce,
          chainHash: REGTEST_CHAIN_HASH,
          randomBytes: this.#random,
          clock: {
            nowMs: () => pump.nowMs(),
            after: (ms, run) => pump.after(ms, () => life.alive && run()),
          },
          log: {
            info: (facts, message) => log.info(message, facts),
            warn: (facts, message) => log.warn(message, facts),
          },
        },
        () => this.#rpc(life, monitor),
      ),
    );
  }

  #rpc(life: Life, monitor: MonitorProcess): Rpc {
    const { pump, points, holds, certificates, record } = this.around;
    const channelOverride = new MemoryChannel({
      client: life,
      server: () => monitor.server(),
      certificate: certificates.manager.raw,
      pump,
      points,
      holds,
      tap: (path, bytes) => record.toMonitor(monitor.name, path, bytes),
      tapAnswer: (path, bytes) => record.broken.push(...monitor.brokenPromises(path, bytes)),
    });
    monitor.connections.add(channelOverride);
    const options = { channelOverride };
    return new Rpc(new MonitorServiceClient("memory", credentials.createInsecure(), options));
  }

  #log(life: Life): Log {
    const line =
      (level: LogLine["level"]) =>
      (message: string, facts: LogLine["facts"] = {}): void => {
        if (life.alive) this.around.log({ by: MANAGER, level, message, facts });
      };
    return { debug: () => undefined, info: line("info"), warn: line("warn"), error: line("error") };
  }
}

/** Every load raises the epoch, and links need it before the host is made: it is loaded once. */
const alreadyLoaded = (store: ManagerStore, stored: StoredManager): ManagerStore => ({
  ...store,
  load: () => Promise.resolve(stored),
});
