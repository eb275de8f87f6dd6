/**
 * bitcoind's JSON-RPC without a promise. LDK calls back synchronously out of WASM (broadcast, coin
 * selection, signing), and there is nothing to await in there: a worker does the HTTP while this thread
 * sleeps in Atomics.wait. For the recorder only; no service may block like this.
 */
import {
  MessageChannel,
  receiveMessageOnPort,
  Worker,
  type MessagePort,
} from "node:worker_threads";
import { RpcRefusal } from "@farwatch/monitor-service/chain/bitcoind-rpc";
import { z } from "zod";
import type { RpcAnswer, RpcPlan } from "./sync-rpc-worker.js";

/** Mining hundreds of blocks on a busy machine takes tens of seconds. */
const TIMEOUT_MS = 120_000;

const Reply = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).nullish(),
});

export interface Login {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

export class SyncRpc {
  readonly #flag = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #port: MessagePort;
  readonly #worker: Worker;

  constructor({ url, user, password }: Login) {
    const { port1, port2 } = new MessageChannel();
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    const plan: RpcPlan = { port: port2, flag: this.#flag.buffer, url, authorization };
    this.#port = port1;
    this.#worker = new Worker(new URL("./sync-rpc-worker.js", import.meta.url), {
      workerData: plan,
      transferList: [port2],
    });
    this.#worker.unref();
  }

  /** Throws RpcRefusal when bitcoind refuses, and on an answer that is not of the given form. */
  ask<T>(form: z.ZodType<T>, method: string, params: readonly unknown[] = [], wallet?: string): T {
    const path = wallet === undefined ? "/" : `/wallet/${encodeURIComponent(wallet)}`;
    const reply = Reply.parse(this.#exchange(path, callOf(method, params, 0)));
    return form.parse(resultOf(method, reply));
  }

  /** The same call with different parameters, in one request; answers in the order of the calls. */
  askEach<T>(form: z.ZodType<T>, method: string, calls: readonly (readonly unknown[])[]): T[] {
    if (calls.length === 0) return [];
    const body = calls.map((params, id) => callOf(method, params, id));
    const replies = z.array(Reply).parse(this.#exchange("/", body));
    return replies.sort((a, b) => a.id - b.id).map((reply) => form.parse(resultOf(method, reply)));
  }

  async close(): Promise<void> {
    this.#port.close();
    await this.#worker.terminate();
  }

  #exchange(path: string, body: unknown): unknown {
    Atomics.store(this.#flag, 0, 0);
    this.#port.postMessage({ path, body: JSON.stringify(body) });
    if (Atomics.wait(this.#flag, 0, 0, TIMEOUT_MS) === "timed-out") {
      throw new Error(`bitcoind gave no answer in ${TIMEOUT_MS} ms`);
    }
    const message: { message: RpcAnswer } | undefined = receiveMessageOnPort(this.#port);
    if (message === undefined) throw new Error("the RPC worker answered nothing");
    if ("failure" in message.message) throw new Error(`bitcoind: ${message.message.failure}`);
    return JSON.parse(message.message.text);
  }
}

const callOf = (method: string, params: readonly unknown[], id: number) => ({
  jsonrpc: "2.0",
  id,
  method,
  params,
});

function resultOf(method: string, reply: z.infer<typeof Reply>): unknown {
  if (reply.error) throw new RpcRefusal(method, reply.error.code, reply.error.message);
  return reply.result;
}
