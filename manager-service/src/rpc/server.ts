/**
 * The gRPC server: mutual TLS only, health and reflection beside ManagerService. It listens last and
 * stops first; at a stop every stream is ended with `stopping`, so that callers know to come back.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { Log } from "../observe/log.js";
import type { ManagerHost } from "../runtime/manager-host.js";
import {
  KEEPALIVE_TIME_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_CONCURRENT_STREAMS,
  MAX_TRANSPORT_BYTES,
  STOP_GRACE_MS,
} from "./limits.js";
import { indexPrincipals, type ConfiguredPrincipal } from "./principals.js";
import { reflectionService } from "./reflection.js";
import { managerService } from "./service.js";

export const SERVICE_NAME = "farwatch.manager.v1.ManagerService";

/** PEM contents. */
export interface ServerTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface RpcServerOptions {
  readonly host: ManagerHost;
  readonly principals: readonly ConfiguredPrincipal[];
  readonly tls: ServerTls;
  /** "host:port"; port 0 takes a free one. */
  readonly listen: string;
  readonly log: Log;
  readonly version: string;
  /** Milliseconds calls may go on after a stop; STOP_GRACE_MS unless a test is in a hurry. */
  readonly stopGraceMs?: number;
}

export interface RpcServer {
  readonly port: number;
  /** Ends streams, waits for unary calls, then cuts what is left. Never rejects. */
  stop(): Promise<void>;
}

type EndStream = (refusal: Refusal) => void;

/** Resolves when the port is open. Rejects when it cannot be, or when the TLS files are no PEM. */
export async function createRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const { host, log, version } = options;
  const streams = new Set<EndStream>();
  const server = new Server({
    "grpc.max_receive_message_length": MAX_TRANSPORT_BYTES,
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.max_concurrent_streams": MAX_CONCURRENT_STREAMS,
  });
  const service = managerService({
    host,
    log,
    version,
    principals: indexPrincipals(options.principals),
    track(end) {
      streams.add(end);
      return () => void streams.delete(end);
    },
  });
  server.addService(service.definition, service.implementation);
  const health = new HealthImplementation({ "": "NOT_SERVING", [SERVICE_NAME]: "NOT_SERVING" });
  health.addToServer(server);
  reflectionService().addToServer(server);
  const port = await bind(server, options);
  setHealth(health, "SERVING");
  return {
    port,
    stop: () => stop(server, health, streams, options.stopGraceMs ?? STOP_GRACE_MS),
  };
}

function bind(server: Server, { listen, tls }: RpcServerOptions): Promise<number> {
  const pair = { private_key: tls.key, cert_chain: tls.cert };
  const credentials = ServerCredentials.createSsl(tls.ca, [pair], true);
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

function setHealth(health: HealthImplementation, status: "SERVING" | "NOT_SERVING"): void {
  for (const name of ["", SERVICE_NAME]) health.setStatus(name, status);
}

async function stop(
  server: Server,
  health: HealthImplementation,
  streams: Set<EndStream>,
  graceMs: number,
): Promise<void> {
  setHealth(health, "NOT_SERVING");
  const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  for (const end of [...streams]) end(refuse("stopping", "the manager is stopping"));
  const timer = setTimeout(() => server.forceShutdown(), graceMs);
  await drained;
  clearTimeout(timer);
}
