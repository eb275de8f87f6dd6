/**
 * Puts the service together; the only file that names concrete classes. Start: curve, keys, store,
 * channels, chain, and the RPC door last, so that nothing is answered from a half-loaded state. Stop is
 * the reverse: RPC, chain, host, store. A failed disk or sink ends the process: a supervisor restarts
 * it from what is durable.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { sat } from "@farwatch/protocol/amount";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { keyOfSecret } from "@farwatch/protocol/envelope/sign";
import { managerKey, monitorKey } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import { ChainTask } from "./app-chain.js";
import { waitingHost } from "./app-host-door.js";
import { openSweep } from "./app-sweep.js";
import { RelayTask } from "./app-relay.js";
import { ReserveTask } from "./app-reserve.js";
import { Principals } from "./auth/principal.js";
import { BitcoindRpc } from "./chain/bitcoind-rpc.js";
import { BitcoindSource } from "./chain/bitcoind-source.js";
import { BitcoindWallet } from "./chain/bitcoind-wallet.js";
import { ChainUnavailable, type ChainSource } from "./chain/chain-source.js";
import { systemClock, type Clock } from "./chain/waker.js";
import { ConfigError } from "./config-error.js";
import { loadKeys, loadMonitorSecret, openFloorFile } from "./config-keys.js";
import { bitcoindLogin } from "./config-login.js";
import type { MonitorConfig, TlsPaths } from "./config.js";
import { createLog, errorFacts, type Log } from "./observe/log.js";
import { serviceVersion } from "./observe/version.js";
import type { RpcDeps } from "./rpc/call.js";
import type { TlsMaterial } from "./rpc/credentials.js";
import { startRpcServer, type Listen } from "./rpc/server.js";
import type { Failpoint, HostDeps, SweepConfig } from "./runtime/deps.js";
import { causeOf } from "./runtime/error-cause.js";
import { startMonitorHost, type RunningHost } from "./runtime/start.js";
import type { FloorFile } from "./signer/floor-file.js";
import type { KeySource } from "./signer/key-source.js";
import { LocalSigner } from "./signer/local-signer.js";
import { openSqliteStore } from "./store/sqlite/sqlite-store.js";
import { StoreFailure, type MonitorStore } from "./store/store.js";

/** EX_SOFTWARE: the process cannot go on and is to be started again. */
export const EXIT_FATAL = 70;
/** File of the store in the data folder. */
export const STORE_FILE = "monitor.db";
/** Milliseconds between looks at the chain's state for its health; well below any probe's interval. */
const CHAIN_HEALTH_MS = 250;
/** Milliseconds between snapshots of channels whose log has grown; each round writes only a few. */
const MAINTAIN_MS = 2_000;
const INCIDENT_BYTES = 8;

export interface AppOverrides {
  /** Only test entry points install one. */
  readonly failpoint?: Failpoint;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Ends the process; process.exit unless a test looks. */
  readonly exit?: (code: number) => void;
}

export interface App {
  /** Resolves when the port is open. On failure everything that was opened is closed again. */
  start(): Promise<{ readonly port: number }>;
  /** Orderly; may be called at any time and more than once. */
  stop(): Promise<void>;
}

export function createApp(config: MonitorConfig, overrides: AppOverrides = {}): App {
  return new MonitorApp(config, overrides);
}

class MonitorApp implements App {
  readonly #config: MonitorConfig;
  readonly #overrides: AppOverrides;
  readonly #log: Log;
  readonly #clock: Clock;
  /** What to undo, in the order in which it was done. */
  readonly #undo: (() => Promise<void>)[] = [];
  #starting: Promise<{ readonly port: number }> | undefined;
  #stopping: Promise<void> | undefined;
  #running: RunningHost | undefined;
  #fatal = false;

  constructor(config: MonitorConfig, overrides: AppOverrides) {
    this.#config = config;
    this.#overrides = overrides;
    this.#log = overrides.log ?? createLog(config.logLevel);
    this.#clock = overrides.clock ?? systemClock;
  }

  start(): Promise<{ readonly port: number }> {
    this.#starting ??= this.#start().catch(async (error: unknown) => {
      await this.#undoAll();
      throw error;
    });
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await this.#starting?.catch(() => undefined); // whoever called start() has the error
    await this.#undoAll();
  }

  async #undoAll(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) await undo();
  }

  async #start(): Promise<{ readonly port: number }> {
    const config = this.#config;
    const { curve, reason } = await selectCurve(config.curve);
    this.#log.info({ curve: curve.backend, reason }, "curve selected");
    const secret = loadMonitorSecret(config.keyFile, config.createKeys, curve);
    const keys = loadKeys(config, curve, this.#log);
    const tls = readTls(config.tls);
    const store = await this.#openStore();
    const floors = await this.#openFloors();
    this.#undo.push(async () => this.#running?.stop());
    const rpc = this.#openRpc();
    const sweep = await openSweep(config.sweep, rpc, this.#log);
    const source = await this.#openSource(rpc);
    const chain = this.#chainTask(source, () => this.#runningHost(hostDeps()));
    const chainState = () => chain.state();
    const hostDeps = (): HostDeps =>
      this.#hostDeps({ curve, secret, keys, floors, sweep, store, source, rpc, chainState });
    const waiting = waitingHost({
      ...(await identityOf(store)),
      monitorKey: monitorKey(keyOfSecret(curve, secret)),
      curveBackend: curve.backend,
      chainHash: config.chainHash,
    });
    await this.#firstHost(hostDeps());
    const relay = this.#relayTask(source, rpc);
    const reserve = this.#reserveTask(rpc);
    const port = await this.#serve({
      tls,
      chain,
      relay,
      reserve,
      host: () => ok(this.#running?.host ?? waiting),
    });
    chain.start();
    relay.start();
    reserve?.start();
    this.#every(MAINTAIN_MS, async () => void (await this.#running?.maintain()));
    this.#log.info({ port, network: config.network, version: serviceVersion() }, "listening");
    return { port };
  }

  async #openStore(): Promise<MonitorStore> {
    const { dataDir, chainHash } = this.#config;
    const store = await openSqliteStore({
      path: path.join(dataDir, STORE_FILE),
      chainHash,
      randomBytes,
    });
    this.#undo.push(() => store.close());
    return store;
  }

  /** After the store, whose lock keeps a second process out. */
  async #openFloors(): Promise<FloorFile> {
    const file = this.#config.floorFile;
    const floors = await openFloorFile(file);
    this.#undo.push(() => floors.close());
    const { damaged, isNew } = floors;
    if (isNew) this.#log.warn({ file }, "new floor file: an older store would not be noticed yet");
    if (damaged > 0) this.#log.error({ file, damaged }, "floor file: slots that cannot be read");
    return floors;
  }

  #openRpc(): BitcoindRpc {
    const { bitcoind } = this.#config;
    const { auth, warning } = bitcoindLogin(bitcoind);
    if (warning !== undefined) this.#log.warn({}, warning);
    return new BitcoindRpc({ url: bitcoind.url, auth });
  }

  async #openSource(rpc: BitcoindRpc): Promise<BitcoindSource> {
    const { bitcoind, chain } = this.#config;
    const { zmqHashblock } = bitcoind;
    const zmq = zmqHashblock === undefined ? {} : { zmqHashblock };
    return BitcoindSource.open({ rpc, chain, ...zmq });
  }

  #chainTask(source: ChainSource, running: () => Promise<RunningHost>): ChainTask {
    const { chain, bitcoind } = this.#config;
    const task = new ChainTask({
      source,
      chain,
      clock: this.#clock,
      pollIntervalMs: bitcoind.pollIntervalMs,
      log: this.#log,
      sink: async () => (await running()).sink,
      onFatal: (error) => this.#onFatal(error),
    });
    this.#undo.push(() => task.stop());
    return task;
  }

  #relayTask(source: ChainSource, rpc: BitcoindRpc): RelayTask {
    const task = new RelayTask({
      source,
      rpc,
      clock: this.#clock,
      log: this.#log,
      zeroFeeChannels: () => this.#running?.host.info().zeroFeeChannels ?? 0,
    });
    this.#undo.push(async () => task.stop());
    return task;
  }

  /** Only bitcoind's wallet can be asked; what a manager's holds is the manager's to know. */
  #reserveTask(rpc: BitcoindRpc): ReserveTask | undefined {
    const { wallet } = this.#config.bitcoind;
    if (wallet === undefined) return undefined;
    const task = new ReserveTask({
      wallet: new BitcoindWallet(rpc, wallet),
      clock: this.#clock,
      log: this.#log,
      feeReserveSat: () => this.#running?.host.info().feeReserveSat ?? sat(0),
    });
    this.#undo.push(async () => task.stop());
    return task;
  }

  async #runningHost(deps: HostDeps): Promise<RunningHost> {
    this.#running ??= await startMonitorHost(deps);
    return this.#running;
  }

  /** A store with a block in it never fails here for want of bitcoind; a new one waits. */
  async #firstHost(deps: HostDeps): Promise<void> {
    try {
      const { host } = await this.#runningHost(deps);
      const { channels, pendingEvents, tip } = host.info();
      this.#log.info({ channels, pendingEvents, tip }, "store loaded");
    } catch (error) {
      if (!(error instanceof ChainUnavailable)) throw error;
      this.#log.warn({ error: error.message }, "new store: waits for bitcoind's tip");
    }
  }

  #hostDeps(parts: HostParts): HostDeps {
    const { curve, secret, keys, floors, sweep, store, source, rpc, chainState } = parts;
    const { chain, chainHash, bitcoind, maxFeerate, feeWallet } = this.#config;
    const { failpoint } = this.#overrides;
    return {
      curve,
      store,
      signer: new LocalSigner(curve, keys, floors),
      floors,
      source,
      maxFeerate,
      chain,
      chainHash,
      monitorSecret: secret,
      log: this.#log,
      nowMs: () => this.#clock.now(),
      randomBytes: (length) => Uint8Array.from(randomBytes(length)),
      chainState,
      onFatal: (error) => this.#onFatal(error),
      ...(failpoint === undefined ? {} : { failpoint }),
      ...(sweep === undefined ? {} : { sweep }),
      ...(bitcoind.wallet === undefined
        ? {}
        : { feeWallet: new BitcoindWallet(rpc, bitcoind.wallet) }),
      asksManagers: feeWallet === "events",
    };
  }

  async #serve({ tls, chain, relay, reserve, host }: ServeParts): Promise<number> {
    const deps: RpcDeps = {
      host,
      principals: new Principals(
        this.#config.managers.map(({ name, managerKey: key, spkiSha256, admin }) => ({
          name,
          managerKey: managerKey(key),
          certificateSpkiSha256: spkiSha256,
          admin,
        })),
      ),
      log: this.#log,
      version: serviceVersion(),
      packageRelay: () => relay.state(),
      walletConfirmedSat: () => reserve?.confirmedSat(),
      chainReason: () => chain.reason(),
      wallClockMs: () => this.#clock.now(),
      nowMs: () => performance.now(),
      newIncident: () => randomBytes(INCIDENT_BYTES).toString("hex"),
      causeOf,
      streams: new Set(),
    };
    const server = await startRpcServer(deps, listenOf(this.#config.listen), tls);
    this.#undo.push(() => server.stop());
    const tellHealth = (): void => server.setHealth(true, chain.state() !== "unavailable");
    tellHealth();
    this.#every(CHAIN_HEALTH_MS, () => Promise.resolve(tellHealth()));
    return server.port;
  }

  /** One at a time; a failure is fatal. Stops before what it uses is closed. */
  #every(ms: number, work: () => Promise<void>): void {
    let round = Promise.resolve();
    let busy = false;
    const timer = setInterval(() => {
      if (busy) return;
      busy = true;
      round = work()
        .catch((error: unknown) => this.#onFatal(error))
        .finally(() => (busy = false));
    }, ms);
    this.#undo.push(async () => {
      clearInterval(timer);
      await round;
    });
  }

  #onFatal(error: unknown): void {
    if (this.#fatal) return;
    this.#fatal = true;
    const message = error instanceof StoreFailure ? error.message : undefined;
    this.#log.error({ ...errorFacts(error), message }, "fatal: the process ends");
    (this.#overrides.exit ?? ((code) => process.exit(code)))(EXIT_FATAL);
  }
}

interface HostParts extends Pick<HostDeps, "store" | "source" | "chainState"> {
  readonly curve: Curve;
  readonly secret: Uint8Array;
  readonly keys: KeySource;
  readonly floors: FloorFile;
  readonly sweep: SweepConfig | undefined;
  readonly rpc: BitcoindRpc;
}

interface ServeParts extends Pick<RpcDeps, "host"> {
  readonly tls: TlsMaterial;
  readonly chain: ChainTask;
  readonly relay: RelayTask;
  readonly reserve: ReserveTask | undefined;
}

async function identityOf(store: MonitorStore) {
  const { storeId, storeGen } = await store.load();
  return { storeId, storeGen };
}

/** PEM contents. Throws ConfigError naming the option whose file cannot be read. */
export function readTls({ ca, cert, key }: TlsPaths): TlsMaterial {
  const read = (option: string, file: string): Buffer => {
    try {
      return fs.readFileSync(file);
    } catch (cause) {
      throw new ConfigError(option, `cannot read ${file}`, { cause });
    }
  };
  return {
    clientCa: read("tls.ca", ca),
    cert: read("tls.cert", cert),
    key: read("tls.key", key),
  };
}

/** The configuration has checked the form. */
function listenOf(listen: string): Listen {
  const at = listen.lastIndexOf(":");
  return { host: listen.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(listen.slice(at + 1)) };
}
