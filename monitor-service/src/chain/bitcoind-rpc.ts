/**
 * JSON-RPC 2.0 and REST client for bitcoind over fetch. Bounded in time, size and concurrency, because
 * a node that hangs or floods must not take the monitor with it (reliability section 3, F-38).
 * Credentials go into one request header and nowhere else: no error and no log contains them.
 */
import { readFile } from "node:fs/promises";
import { must } from "@farwatch/protocol/assert";
import { ChainUnavailable } from "./chain-source.js";

/** Milliseconds for one request, body included. A slower node counts as down. */
export const RPC_TIMEOUT_MS = 30_000;
/** bitcoind's default work queue holds 64; more from one client starves the operator's own calls. */
export const RPC_MAX_IN_FLIGHT = 16;
/** Bytes. A 4 MB block is 8 MB of hex, so an honest answer never comes near it. */
export const RPC_MAX_RESPONSE_BYTES = 32 * 1024 * 1024;
/** RPC_IN_WARMUP: bitcoind is starting and answers nothing else. */
const IN_WARMUP = -28;

/** bitcoind understood the call and refused it. */
export class RpcRefusal extends Error {
  override readonly name = "RpcRefusal";
  constructor(
    readonly method: string,
    /** RPCErrorCode of bitcoind's src/rpc/protocol.h. */
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export type RpcAuth =
  | { readonly kind: "cookie"; readonly path: string }
  | { readonly kind: "password"; readonly user: string; readonly password: string };

export interface RpcOptions {
  /** http://host:port, without credentials and without a path. */
  readonly url: string;
  readonly auth: RpcAuth;
  readonly timeoutMs?: number;
  readonly maxInFlight?: number;
  readonly maxResponseBytes?: number;
}

export interface CallOptions {
  /** Name of a loaded wallet, for wallet calls. */
  readonly wallet?: string;
  /** Milliseconds, for calls that are slow by nature. */
  readonly timeoutMs?: number;
}

interface Answer {
  readonly status: number;
  readonly body: Uint8Array;
}

export class BitcoindRpc {
  readonly #origin: string;
  readonly #auth: RpcAuth;
  readonly #timeoutMs: number;
  readonly #maxResponseBytes: number;
  readonly #waiting: (() => void)[] = [];
  readonly #closed = new AbortController();
  #slots: number;
  #credentials: string | undefined;
  #nextId = 1;

  constructor(options: RpcOptions) {
    this.#origin = originOf(options.url);
    this.#auth = options.auth;
    this.#timeoutMs = options.timeoutMs ?? RPC_TIMEOUT_MS;
    this.#slots = options.maxInFlight ?? RPC_MAX_IN_FLIGHT;
    this.#maxResponseBytes = options.maxResponseBytes ?? RPC_MAX_RESPONSE_BYTES;
  }

  /** Throws RpcRefusal when bitcoind refuses the call, ChainUnavailable on any other failure. */
  async call(
    method: string,
    params: readonly unknown[] | Readonly<Record<string, unknown>> = [],
    options: CallOptions = {},
  ): Promise<unknown> {
    const id = this.#nextId++;
    const path =
      options.wallet === undefined ? "/" : `/wallet/${encodeURIComponent(options.wallet)}`;
    const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const answer = await this.#inSlot(() => this.#authorised(method, path, body, timeoutMs));
    return resultOf(method, id, answer);
  }

  /** Ends the calls under way and refuses new ones, all with ChainUnavailable. */
  close(): void {
    this.#closed.abort();
  }

  /** A REST answer (`-rest=1`): undefined when this server has or allows no such path. */
  async getBinary(path: string): Promise<Uint8Array | undefined> {
    const answer = await this.#inSlot(() =>
      this.#request(path, { method: "GET" }, `GET ${path}`, this.#timeoutMs),
    );
    if (answer.status === 200) return answer.body;
    if (answer.status >= 400 && answer.status < 500) return undefined;
    throw new ChainUnavailable(`GET ${path}: HTTP ${answer.status}`);
  }

  /** A restarted bitcoind has a new cookie: one 401 re-reads it, a second one is an outage. */
  async #authorised(
    method: string,
    path: string,
    body: string,
    timeoutMs: number,
  ): Promise<Answer> {
    for (let attempt = 0; attempt < 2; attempt++) {
      this.#credentials ??= await readCredentials(this.#auth);
      const headers = { authorization: this.#credentials, "content-type": "application/json" };
      const answer = await this.#request(
        path,
        { method: "POST", headers, body },
        method,
        timeoutMs,
      );
      if (answer.status !== 401) return answer;
      this.#credentials = undefined;
    }
    throw new ChainUnavailable(`${method}: bitcoind does not accept our credentials (HTTP 401)`);
  }

  async #request(
    path: string,
    init: RequestInit,
    what: string,
    timeoutMs: number,
  ): Promise<Answer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([timeout, this.#closed.signal]);
    try {
      const url = `${this.#origin}${path}`;
      const response = await fetch(url, { ...init, signal, redirect: "error" });
      const body = await readLimited(response, this.#maxResponseBytes, what);
      return { status: response.status, body };
    } catch (cause) {
      if (cause instanceof ChainUnavailable) throw cause;
      const reason = timeout.aborted ? `no answer within ${timeoutMs} ms` : "request failed";
      throw new ChainUnavailable(`${what}: ${reason}`, { cause });
    }
  }

  async #inSlot<T>(work: () => Promise<T>): Promise<T> {
    if (this.#slots > 0) this.#slots--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#slots++;
      else next();
    }
  }
}

/** Credentials inside the URL would end up in the text of fetch's own errors. */
function originOf(text: string): string {
  if (!URL.canParse(text)) throw new Error("bitcoind RPC: the address is not a URL");
  const url = new URL(text);
  const plain = url.username === "" && url.password === "";
  const http = url.protocol === "http:" || url.protocol === "https:";
  if (!plain || !http || url.pathname !== "/" || url.search !== "") {
    throw new Error("bitcoind RPC: the address must be http://host:port and nothing more");
  }
  return url.origin;
}

async function readCredentials(auth: RpcAuth): Promise<string> {
  let pair: string;
  if (auth.kind === "password") {
    pair = `${auth.user}:${auth.password}`;
  } else {
    try {
      pair = (await readFile(auth.path, "utf8")).trim();
    } catch (cause) {
      throw new ChainUnavailable("bitcoind's cookie file cannot be read", { cause });
    }
  }
  return `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
}

async function readLimited(response: Response, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (response.body === null) return new Uint8Array(0);
  for await (const chunk of response.body) {
    size += chunk.length;
    // Leaving the loop cancels the stream, so the rest is never read.
    if (size > limit) throw new ChainUnavailable(`${what}: answer longer than ${limit} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? must(chunks[0], "chunk") : Buffer.concat(chunks, size);
}

function resultOf(method: string, id: number, answer: Answer): unknown {
  const reply = parseReply(answer.body);
  if (reply === undefined) throw new ChainUnavailable(`${method}: HTTP ${answer.status}, no JSON`);
  const error = reply["error"];
  if (typeof error === "object" && error !== null) throw refusalOf(method, error);
  if (answer.status !== 200 || reply["id"] !== id || !("result" in reply)) {
    throw new ChainUnavailable(`${method}: HTTP ${answer.status}, not an answer to this call`);
  }
  return reply["result"];
}

function refusalOf(method: string, error: object): Error {
  const code = "code" in error ? error.code : undefined;
  const message = "message" in error && typeof error.message === "string" ? error.message : "";
  if (typeof code !== "number") return new ChainUnavailable(`${method}: malformed error`);
  if (code === IN_WARMUP)
    return new ChainUnavailable(`${method}: bitcoind is starting: ${message}`);
  return new RpcRefusal(method, code, message);
}

function parseReply(body: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** True for any JSON object. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
