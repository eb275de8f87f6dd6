/**
 * The RPC door: one port, mutual TLS only, MonitorService with health and reflection beside it. Opening
 * and closing are the only decisions here; what calls mean is in the handlers.
 */
import { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { handlers } from "./handlers.js";
import type { RpcDeps } from "./call.js";
import { MutualTlsCredentials, type TlsMaterial } from "./credentials.js";
import { GUARDED_SERVICE } from "./incoming.js";
import { SERVER_OPTIONS } from "./limits.js";
import { MONITOR_SERVICE, reflectionService } from "./reflection.js";
import { refuseCompression } from "./refuse-compression.js";

/** Health sub-service of the chain follower: SERVING when synced or catching up. */
export const CHAIN_HEALTH = "farwatch.chain";
/** Milliseconds that calls under way get to end when the service stops. */
export const STOP_GRACE_MS = 5_000;

export interface Listen {
  /** Loopback unless the operator says otherwise. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface RpcServer {
  readonly port: number;
  /** Whether calls are answered, and whether the chain is followed. */
  setHealth(serving: boolean, chain: boolean): void;
  /** Takes no new call, answers what is under way, then closes every connection. */
  stop(): Promise<void>;
}

/** Throws when the port cannot be bound, the certificate is unusable or a .proto file is missing. */
export async function startRpcServer(
  deps: RpcDeps,
  listen: Listen,
  tls: TlsMaterial,
): Promise<RpcServer> {
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [refuseCompression] });
  server.addService(GUARDED_SERVICE, { ...handlers(deps) });
  const health = new HealthImplementation();
  health.addToServer(server);
  reflectionService().addToServer(server);
  const setHealth = (serving: boolean, chain: boolean): void => {
    health.setStatus("", serving ? "SERVING" : "NOT_SERVING");
    health.setStatus(MONITOR_SERVICE, serving ? "SERVING" : "NOT_SERVING");
    health.setStatus(CHAIN_HEALTH, chain ? "SERVING" : "NOT_SERVING");
  };
  setHealth(false, false);
  const port = await bind(server, listen, tls);
  return {
    port,
    setHealth,
    stop: async () => {
      setHealth(false, false);
      const streams = Promise.all([...deps.streams].map((stream) => stream.stop()));
      await atMost(STOP_GRACE_MS, streams);
      await shutDown(server);
    },
  };
}

const bind = (server: Server, { host, port }: Listen, tls: TlsMaterial): Promise<number> =>
  new Promise((resolve, reject) => {
    const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    server.bindAsync(address, new MutualTlsCredentials(tls), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });

async function shutDown(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await atMost(STOP_GRACE_MS, closed);
  server.forceShutdown();
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
