/**
 * A ManagerService server with real certificates over a scripted host, and clients for it. What the
 * host is asked is recorded; what it answers is what the test says.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { must } from "@farwatch/protocol/assert";
import { ERROR_TRAILER, parseErrorDetail } from "@farwatch/protocol/convert/error";
import { ManagerServiceClient } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { createLog, type Log } from "@farwatch/manager-service/observe/log";
import { createRpcServer, type RpcServer } from "@farwatch/manager-service/rpc/server";
import type { ManagerHost } from "@farwatch/manager-service/runtime/manager-host";
import { createAuthority, type Authority, type Leaf } from "../harness/cluster/tls.js";

export const NODE_KEY = `02${"11".repeat(32)}`;
export const SESSION = "ab".repeat(16);
export const CHANNEL = "cd".repeat(32);

const notScripted = (name: string) => (): never => {
  throw new TypeError(`the test did not script ${name}`);
};

/** Every method throws unless the test gives it. The session SESSION is open. */
export function scriptedHost(script: Partial<ManagerHost>): ManagerHost {
  return {
    openSession: notScripted("openSession"),
    checkSession: (_, session) =>
      session === SESSION ? undefined : refuse("fenced", "replaced by a newer session"),
    watchChannel: notScripted("watchChannel"),
    ldkMonitor: notScripted("ldkMonitor"),
    putLdkCheckpoint: notScripted("putLdkCheckpoint"),
    updateStream: notScripted("updateStream"),
    update: notScripted("update"),
    registerPayment: notScripted("registerPayment"),
    closePayment: notScripted("closePayment"),
    claimPayment: notScripted("claimPayment"),
    htlcFulfilled: notScripted("htlcFulfilled"),
    htlcNotSent: notScripted("htlcNotSent"),
    signBump: notScripted("signBump"),
    subscribe: notScripted("subscribe"),
    done: notScripted("done"),
    channel: notScripted("channel"),
    channels: notScripted("channels"),
    payments: notScripted("payments"),
    forwards: notScripted("forwards"),
    pendingEvents: notScripted("pendingEvents"),
    monitors: notScripted("monitors"),
    forceClose: notScripted("forceClose"),
    info: notScripted("info"),
    ...script,
  };
}

export interface Certificates {
  readonly authority: Authority;
  readonly server: Leaf;
  readonly node: Leaf;
  readonly stranger: Leaf;
}

export async function createCertificates(): Promise<Certificates> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-rpc-"));
  const authority = await createAuthority(folder);
  const [server, node, stranger] = await Promise.all(
    ["server", "node", "stranger"].map((name) => authority.issue(name)),
  );
  return {
    authority,
    server: must(server, "server"),
    node: must(node, "node"),
    stranger: must(stranger, "stranger"),
  };
}

export const sessionMetadata = (session = SESSION): Metadata => {
  const metadata = new Metadata();
  metadata.set("farwatch-session", session);
  return metadata;
};

/** Servers and clients of one test, closed together. */
export class Bench {
  readonly logged: string[] = [];
  readonly #open: (() => Promise<void> | void)[] = [];
  constructor(readonly certificates: Certificates) {}

  get log(): Log {
    return createLog("debug", { write: (line: string) => void this.logged.push(line) });
  }

  async serve(script: Partial<ManagerHost>): Promise<RpcServer> {
    const { authority, server: leaf, node } = this.certificates;
    const server = await createRpcServer({
      host: scriptedHost(script),
      principals: [{ spkiSha256: node.spkiSha256, name: "alice", nodeKey: NODE_KEY, admin: false }],
      tls: {
        ca: fs.readFileSync(authority.caFile),
        cert: fs.readFileSync(leaf.certFile),
        key: fs.readFileSync(leaf.keyFile),
      },
      listen: "127.0.0.1:0",
      log: this.log,
      version: "9.9.9",
      stopGraceMs: 200,
    });
    this.#open.push(() => server.stop());
    return server;
  }

  channelCredentials(leaf: Leaf = this.certificates.node) {
    return credentials.createSsl(
      fs.readFileSync(this.certificates.authority.caFile),
      fs.readFileSync(leaf.keyFile),
      fs.readFileSync(leaf.certFile),
    );
  }

  client(server: RpcServer, leaf?: Leaf): ManagerServiceClient {
    const client = new ManagerServiceClient(
      `localhost:${server.port}`,
      this.channelCredentials(leaf),
      { "grpc.max_send_message_length": -1 },
    );
    this.#open.unshift(() => client.close());
    return client;
  }

  /** A server and a client of the configured node. */
  async open(script: Partial<ManagerHost>): Promise<ManagerServiceClient> {
    return this.client(await this.serve(script));
  }

  async close(): Promise<void> {
    for (const close of this.#open.splice(0)) await close();
  }
}

/** One unary call as a promise. */
export const call = <A>(
  start: (done: (error: ServiceError | null, answer: A) => void) => unknown,
): Promise<A> =>
  new Promise((resolve, reject) => {
    start((error, answer) => (error === null ? resolve(answer) : reject(error)));
  });

export interface Failure {
  readonly code: number;
  readonly refusal: Refusal | undefined;
}

export const isServiceError = (error: unknown): error is ServiceError =>
  error instanceof Error && "code" in error && "metadata" in error;

/** How a call failed; throws when it did not fail as a gRPC call. */
export function failureOf(error: unknown): Failure {
  if (!isServiceError(error)) throw error;
  const [trailer] = error.metadata.get(ERROR_TRAILER);
  const refusal = typeof trailer === "object" ? parseErrorDetail(trailer) : undefined;
  return { code: error.code, refusal };
}

/** The failure of a call that must not succeed. */
export async function failureIn<A>(
  start: (done: (error: ServiceError | null, answer: A) => void) => unknown,
): Promise<Failure> {
  let answer: A;
  try {
    answer = await call(start);
  } catch (error) {
    return failureOf(error);
  }
  throw new Error(`answered instead: ${Object.keys(Object(answer)).join()}`);
}

export async function until(condition: () => boolean, what: string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`did not happen within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
