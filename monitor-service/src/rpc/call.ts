/**
 * What every RPC has in common: who calls, whether the service is ready, one log line of facts, and the
 * backstop that turns a thrown error into INTERNAL with an incident id and nothing else.
 */
import type { handleUnaryCall } from "@grpc/grpc-js";
import type { Sat } from "@farwatch/protocol/amount";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, type Result } from "@farwatch/protocol/result";
import type { PeerCertificate, Principals } from "../auth/principal.js";
import type { UnavailableReason } from "../chain/follower.js";
import type { PackageRelay } from "../chain/relay-probe.js";
import type { MonitorHost, Principal } from "../runtime/monitor-host.js";
import { StoreFailure } from "../store/store.js";
import type { Incoming } from "./incoming.js";
import { UNARY_TIMEOUT_MS } from "./limits.js";
import { toStatus } from "./to-status.js";

export interface RpcLog {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Streams that end in order when the service stops. */
export interface OpenStream {
  /** Resolves when everything that was accepted is answered and the stream has ended. */
  stop(): Promise<void>;
}

export interface RpcDeps {
  /** The shell, or why it cannot answer yet (`starting`). */
  host(): Result<MonitorHost, Refusal>;
  readonly principals: Principals;
  readonly log: RpcLog;
  readonly version: string;
  /** Whether bitcoind takes packages with a zero-fee parent. */
  packageRelay(): PackageRelay;
  /** Confirmed coins of bitcoind's wallet; undefined without one, and while it does not answer. */
  walletConfirmedSat(): Sat | undefined;
  /** Why the chain is unavailable. */
  chainReason(): UnavailableReason | undefined;
  /** Milliseconds since the epoch; ages of events. */
  wallClockMs(): number;
  /** Milliseconds, monotonic; only differences are used. */
  nowMs(): number;
  newIncident(): string;
  /** What may be logged of an error: never a value it met. */
  causeOf(error: unknown): string;
  readonly streams: Set<OpenStream>;
}

/** The part of a grpc-js call that every RPC reads. */
export interface Call {
  getPeer(): string;
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

export interface Scope {
  readonly host: MonitorHost;
  readonly who: Principal;
}

/** Errors: signatureMissing, notYourChannel, starting. */
export function enter(deps: RpcDeps, call: Call): Result<Scope, Refusal> {
  const who = deps.principals.identify(call.getAuthContext().sslPeerCertificate);
  if (!who.ok) return who;
  const host = deps.host();
  return host.ok ? { ok: true, value: { host: host.value, who: who.value } } : host;
}

/** A thrown error, as the caller may see it. */
export function backstop(deps: RpcDeps, rpc: string, error: unknown): Refusal {
  if (error instanceof StoreFailure) {
    deps.log.error({ rpc, cause: deps.causeOf(error) }, "the store failed under a call");
    return refuse("storeUnavailable", "the store cannot be used");
  }
  const incident = deps.newIncident();
  deps.log.error({ rpc, incident, cause: deps.causeOf(error) }, "a call threw");
  return refuse("assertion", "internal error; the service's log has the incident", { incident });
}

export function logEnd(
  deps: RpcDeps,
  rpc: string,
  peer: string,
  startedMs: number,
  refusal: Refusal | undefined,
): void {
  const fields = { rpc, peer, ms: Math.round(deps.nowMs() - startedMs) };
  if (refusal === undefined) deps.log.debug(fields, "call answered");
  else {
    const { reason, details } = refusal;
    deps.log.info({ ...fields, reason, details }, "call refused");
  }
}

export type Answer<Response> = Result<Response, Refusal> | Promise<Result<Response, Refusal>>;
export type Run<Request, Response> = (scope: Scope, request: Request) => Answer<Response>;

/** A handler that never throws and always answers. */
export function unary<Request, Response>(
  deps: RpcDeps,
  rpc: string,
  run: Run<Request, Response>,
): handleUnaryCall<Incoming<Request>, Response> {
  return (call, callback) => {
    const started = deps.nowMs();
    const peer = call.getPeer();
    const answered = (result: Result<Response, Refusal>): void => {
      logEnd(deps, rpc, peer, started, result.ok ? undefined : result.error);
      if (result.ok) callback(null, result.value);
      else callback(toStatus(result.error));
    };
    answer(deps, call, call.request, run).then(answered, (error: unknown) => {
      answered(err(backstop(deps, rpc, error)));
    });
  };
}

async function answer<Request, Response>(
  deps: RpcDeps,
  call: Call,
  incoming: Incoming<Request>,
  run: Run<Request, Response>,
): Promise<Result<Response, Refusal>> {
  const scope = enter(deps, call);
  if (!scope.ok) return scope;
  if (!incoming.ok) return incoming;
  return inTime(Promise.resolve(run(scope.value, incoming.value.message)));
}

/** The work goes on after the time is up: only the caller stops waiting. */
async function inTime<T>(work: Promise<Result<T, Refusal>>): Promise<Result<T, Refusal>> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Result<T, Refusal>>((resolve) => {
    const details = { limit: String(UNARY_TIMEOUT_MS) };
    const refusal = refuse("deadlineExceeded", "no answer in time; send the same again", details);
    timer = setTimeout(() => resolve(err(refusal)), UNARY_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
