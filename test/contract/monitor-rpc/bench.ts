/**
 * A real RPC server of the monitor on loopback, with certificates made for the run and a scripted host in
 * place of the shell: what is tested is the transport, its checks and the mapping.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {
  credentials,
  status,
  type ChannelCredentials,
  type ClientOptions,
  type ServiceError,
} from "@grpc/grpc-js";
import { Principals } from "@farwatch/monitor-service/auth/principal";
import type { RpcDeps } from "@farwatch/monitor-service/rpc/call";
import { startRpcServer, type RpcServer } from "@farwatch/monitor-service/rpc/server";
import type { MonitorHost, Principal } from "@farwatch/monitor-service/runtime/monitor-host";
import { parseErrorDetail } from "@farwatch/protocol/convert/error";
import { MonitorServiceClient } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { managerKey } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import { ok } from "@farwatch/protocol/result";
import { createAuthority, type Leaf } from "../../harness/cluster/tls.js";

export interface Certificates {
  readonly caFile: string;
  readonly server: Leaf;
  readonly manager: Leaf;
  /** Signed by our authority, known to no configuration. */
  readonly stranger: Leaf;
  /** Signed by another authority, for a configured name. */
  readonly foreign: Leaf;
  remove(): void;
}

export async function createCertificates(): Promise<Certificates> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-rpc-"));
  const authority = await createAuthority(path.join(folder, "ours"));
  const other = await createAuthority(path.join(folder, "other"));
  return {
    caFile: authority.caFile,
    server: await authority.issue("monitor"),
    manager: await authority.issue("manager"),
    stranger: await authority.issue("stranger"),
    foreign: await other.issue("manager"),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

export const MANAGER_KEY = managerKey("a1".repeat(32));

export interface LogLine {
  readonly level: "debug" | "info" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

function unscripted(name: string): never {
  throw new Error(`the test did not script ${name}`);
}

/** A host that answers what the test says and fails on everything else. */
export const scripted = (answers: Partial<MonitorHost>): MonitorHost => ({
  openSession: () => unscripted("openSession"),
  watchChannel: () => unscripted("watchChannel"),
  submitUpdates: () => unscripted("submitUpdates"),
  putPreimages: () => unscripted("putPreimages"),
  ackEvents: () => unscripted("ackEvents"),
  broadcastHolder: () => unscripted("broadcastHolder"),
  signBump: () => unscripted("signBump"),
  channel: () => unscripted("channel"),
  anyChannel: () => unscripted("anyChannel"),
  counterpartyCommitment: () => unscripted("counterpartyCommitment"),
  buildJustice: () => unscripted("buildJustice"),
  channels: () => unscripted("channels"),
  pendingEvents: () => unscripted("pendingEvents"),
  subscribe: () => unscripted("subscribe"),
  info: () => unscripted("info"),
  ...answers,
});

export class Bench {
  readonly log: LogLine[] = [];
  readonly #certificates: Certificates;
  readonly #closing: (() => void)[] = [];
  #server: RpcServer | undefined;

  constructor(certificates: Certificates) {
    this.#certificates = certificates;
  }

  async serve(
    answers: Partial<MonitorHost>,
    override: Partial<Pick<RpcDeps, "host" | "walletConfirmedSat">> & {
      readonly who?: Principal;
      /** Any free one unless said. */
      readonly port?: number;
    } = {},
  ): Promise<RpcServer> {
    const host = scripted(answers);
    const {
      who = { name: "manager-1", managerKey: MANAGER_KEY, admin: false },
      port = 0,
      ...overridden
    } = override;
    const write = (level: LogLine["level"]) => (fields: LogLine["fields"], message: string) => {
      this.log.push({ level, fields, message });
    };
    const { caFile, server, manager } = this.#certificates;
    const deps: RpcDeps = {
      host: () => ok(host),
      principals: new Principals([{ ...who, certificateSpkiSha256: manager.spkiSha256 }]),
      log: { debug: write("debug"), info: write("info"), error: write("error") },
      version: "0.0.0-test",
      packageRelay: () => "refused",
      walletConfirmedSat: () => undefined,
      chainReason: () => "blockPruned",
      nowMs: () => performance.now(),
      wallClockMs: () => 1_000_000,
      newIncident: () => "0123456789abcdef",
      causeOf: (error) => (error instanceof Error ? error.name : "unknown"),
      streams: new Set(),
      ...overridden,
    };
    const tls = {
      cert: fs.readFileSync(server.certFile),
      key: fs.readFileSync(server.keyFile),
      clientCa: fs.readFileSync(caFile),
    };
    this.#server = await startRpcServer(deps, { host: "127.0.0.1", port }, tls);
    return this.#server;
  }

  channelCredentials(leaf: Leaf = this.#certificates.manager): ChannelCredentials {
    const [ca, key, cert] = [this.#certificates.caFile, leaf.keyFile, leaf.certFile].map((file) =>
      fs.readFileSync(file),
    );
    return credentials.createSsl(ca, key, cert);
  }

  channelCredentialsWithoutCertificate(): ChannelCredentials {
    return credentials.createSsl(fs.readFileSync(this.#certificates.caFile));
  }

  client(
    server: RpcServer,
    channel: ChannelCredentials = this.channelCredentials(),
    options: ClientOptions = {},
  ): MonitorServiceClient {
    const client = new MonitorServiceClient(`localhost:${server.port}`, channel, options);
    this.#closing.push(() => client.close());
    return client;
  }

  onClose(close: () => void): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0)) close();
    await this.#server?.stop();
    this.#server = undefined;
  }
}

/** One unary call; rejects with the ServiceError. */
export function call<T>(
  start: (done: (error: ServiceError | null, value: T) => void) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

export interface Failure {
  readonly code: string;
  readonly details: string;
  /** What the trailer says; undefined when there is none. */
  readonly refusal: Refusal | undefined;
}

export function failureOf(error: ServiceError): Failure {
  const [trailer] = error.metadata.get("farwatch-error-bin");
  return {
    code: status[error.code] ?? String(error.code),
    details: error.details,
    refusal: Buffer.isBuffer(trailer) ? parseErrorDetail(trailer) : undefined,
  };
}

/** The failure of a call that must fail. */
export async function failing(work: Promise<unknown>): Promise<Failure> {
  try {
    await work;
  } catch (error) {
    if (isServiceError(error)) return failureOf(error);
    throw error;
  }
  throw new Error("the call succeeded");
}

const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && "code" in error && "metadata" in error;

/** The failure a stream ends with. */
export const ending = (stream: NodeJS.EventEmitter): Promise<Failure> =>
  new Promise((resolve) => {
    stream.on("error", (error: ServiceError) => resolve(failureOf(error)));
  });

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
