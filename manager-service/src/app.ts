/**
 * The composition root: the only file that names concrete stores, links and servers. Order at the
 * start: keys, store, host, links, and listening last, so that nothing is answered before it can be
 * kept. At a stop the other way round.
 */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { toHex } from "@farwatch/protocol/bytes";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { managerKey, monitorKey, type ManagerKey } from "@farwatch/protocol/ids";
import type { ManagerConfig } from "./config.js";
import { loadManagerSecret } from "./key-file.js";
import { createGrpcLink } from "./monitors/grpc-link.js";
import { systemLinkClock } from "./monitors/link-options.js";
import type { MonitorLink } from "./monitors/monitor-link.js";
import { createLog, errorFacts, type Log } from "./observe/log.js";
import { serviceVersion } from "./observe/version.js";
import { createRpcServer, type RpcServer } from "./rpc/server.js";
import type { Failpoint } from "./runtime/deps.js";
import { createManagerHost, type RunningManager } from "./runtime/manager.js";
import { openManagerStore } from "./store/sqlite/sqlite-store.js";
import type { ManagerStore, StoredManager } from "./store/store.js";
import { readTls } from "./tls-files.js";

export const DATABASE_FILE = "manager.db";
/** After a failed commit nothing more may be answered; the next start reads what is on disk. */
const EXIT_FATAL = 1;
const NONCE_BYTES = 32;

/** For test entry points only; the shipped main passes none. */
export interface AppOverrides {
  readonly failpoint?: Failpoint;
  readonly clock?: { nowMs(): number };
  readonly log?: Log;
  readonly onFatal?: (error: unknown) => void;
}

export interface App {
  readonly port: number;
  readonly managerKey: ManagerKey;
  readonly epoch: bigint;
  /** Refuses new calls, ends streams, stops links, closes the store. */
  stop(): Promise<void>;
}

/** What every part is given. */
interface Base {
  readonly config: ManagerConfig;
  readonly overrides: AppOverrides;
  readonly log: Log;
  readonly curve: Curve;
  readonly secret: Uint8Array;
  readonly managerKey: ManagerKey;
  readonly clock: { nowMs(): number };
}

const random = (length: number): Uint8Array => Uint8Array.from(randomBytes(length));

/** Resolves when it listens. Rejects with ConfigError, StoreFailure, CurveUnavailable or a bind error. */
export async function createApp(config: ManagerConfig, overrides: AppOverrides = {}): Promise<App> {
  const log = overrides.log ?? createLog(config.logLevel);
  const tls = readTls(config.tls, "tls");
  const { curve, reason } = await selectCurve(config.curve);
  const secret = loadManagerSecret(config.keyFile, config.createKeys, curve);
  const key = managerKey(toHex(curve.xOnlyPublicKey(secret)));
  const clock = overrides.clock ?? { nowMs: () => Date.now() };
  const base: Base = { config, overrides, log, curve, secret, managerKey: key, clock };
  const running = await startManager(base);
  try {
    const rpc = await createRpcServer({
      host: running.host,
      principals: config.nodes,
      tls,
      listen: config.listen,
      log,
      version: serviceVersion(),
    });
    const { epoch } = running;
    log.info("listening", {
      port: rpc.port,
      network: config.network,
      managerKey: key,
      epoch: String(epoch),
      curve: curve.backend,
      curveReason: reason,
      monitors: config.monitors.map(({ name }) => name),
    });
    return { port: rpc.port, managerKey: key, epoch, stop: () => stop(rpc, running, log) };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

async function startManager(base: Base): Promise<RunningManager> {
  const { config, overrides, log, curve, managerKey: key, clock } = base;
  const { chainHash } = config;
  const file = path.join(config.dataDir, DATABASE_FILE);
  const store = await openManagerStore({ file, chainHash, managerKey: key });
  try {
    const stored = await store.load();
    const running = await createManagerHost({
      store: alreadyLoaded(store, stored),
      links: createLinks(base, stored.epoch),
      curve,
      managerKey: key,
      chainHash,
      clock,
      randomBytes: random,
      log,
      onFatal: overrides.onFatal ?? exitAtOnce(log),
      failpoint: overrides.failpoint,
    });
    running.start();
    return running;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Every load raises the epoch, and links need it before the host is made: it is loaded once. */
const alreadyLoaded = (store: ManagerStore, stored: StoredManager): ManagerStore => ({
  load: () => Promise.resolve(stored),
  transact: (changes) => store.transact(changes),
  range: (table, fromKey, toKey, limit) => store.range(table, fromKey, toKey, limit),
  close: () => store.close(),
});

function createLinks(base: Base, epoch: bigint): readonly MonitorLink[] {
  const { config, log, curve, secret, clock } = base;
  const bootNonce = random(NONCE_BYTES);
  return config.monitors.map(({ name, address, monitorKey: pinned, tls }) =>
    createGrpcLink({
      name,
      address,
      monitorKey: monitorKey(pinned),
      tls: readTls(tls, `monitors.${name}`),
      curve,
      managerKey: base.managerKey,
      managerSecret: secret,
      epoch,
      bootNonce,
      chainHash: config.chainHash,
      randomBytes: random,
      clock: { ...systemLinkClock, nowMs: () => clock.nowMs() },
      log: {
        info: (facts, message) => log.info(message, facts),
        warn: (facts, message) => log.warn(message, facts),
      },
    }),
  );
}

const exitAtOnce =
  (log: Log) =>
  (error: unknown): void => {
    log.error("a commit failed; stopping at once", errorFacts(error));
    process.exit(EXIT_FATAL);
  };

async function stop(rpc: RpcServer, running: RunningManager, log: Log): Promise<void> {
  log.info("stopping");
  await rpc.stop();
  await running.stop();
  log.info("stopped");
}
