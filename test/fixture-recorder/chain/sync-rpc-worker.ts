/** The thread that speaks HTTP while the main thread waits (sync-rpc.ts). */
import { workerData, type MessagePort } from "node:worker_threads";

export interface RpcPlan {
  readonly port: MessagePort;
  /** One Int32: 0 while the main thread waits for an answer, 1 when it is there. */
  readonly flag: SharedArrayBuffer;
  readonly url: string;
  readonly authorization: string;
}

export interface RpcCall {
  readonly path: string;
  readonly body: string;
}

/** An HTTP answer, or what kept us from one. */
export type RpcAnswer = { readonly text: string } | { readonly failure: string };

const plan: RpcPlan = workerData;
const flag = new Int32Array(plan.flag);

plan.port.on("message", (call: RpcCall) => {
  void post(call).then((answer) => {
    plan.port.postMessage(answer);
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  });
});

async function post({ path, body }: RpcCall): Promise<RpcAnswer> {
  const headers = { authorization: plan.authorization, "content-type": "application/json" };
  try {
    const response = await fetch(plan.url + path, { method: "POST", headers, body });
    return { text: await response.text() };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
