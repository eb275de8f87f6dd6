/** When the operator is told about bitcoind's package policy, and how loudly. */
import assert from "node:assert/strict";
import { RELAY_AGAIN_MS, RELAY_RETRY_MS, RelayTask } from "./app-relay.js";
import { ChainUnavailable } from "./chain/chain-source.js";
import { mineBlock } from "./chain/testing/fake-chain.js";
import { eventually } from "./chain/testing/quiet.js";
import { Transaction } from "bitcoinjs-lib";

type Answer = "relays" | "refuses" | "outage" | "bug";
const WORDS: Readonly<Record<string, string>> = {
  relays: "mempool-script-verify-flag-failed",
  refuses: "dust",
};

class Scene {
  readonly said: string[] = [];
  readonly waits: number[] = [];
  channels = 0;
  answer: Answer = "refuses";
  #wake: () => void = () => undefined;
  readonly task: RelayTask;

  constructor() {
    const payment = new Transaction();
    payment.addInput(new Uint8Array(32).fill(3), 0);
    payment.addOutput(Uint8Array.of(0, 20, ...new Uint8Array(20)), 200_000n);
    const genesis = mineBlock(undefined);
    const block = mineBlock(genesis.header, { transactions: [payment.toBuffer()] });
    const say = (level: string) => (_: unknown, message: string) =>
      void this.said.push(`${level}: ${message.split(" ").slice(0, 2).join(" ")}`);
    this.task = new RelayTask({
      source: {
        tip: () => this.#tip(block.header),
        header: () => Promise.resolve(undefined),
        block: () => Promise.resolve(block.raw),
      },
      rpc: { call: (method, params) => Promise.resolve(this.#call(method, params)) },
      clock: {
        now: () => 0,
        sleep: (ms, signal) => {
          this.waits.push(ms);
          return new Promise((resolve) => {
            this.#wake = resolve;
            signal.addEventListener("abort", () => resolve());
          });
        },
      },
      log: { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") },
      zeroFeeChannels: () => this.channels,
    });
  }

  /** The next look, complete. */
  async look(answer: Answer): Promise<void> {
    this.answer = answer;
    const before = this.waits.length;
    this.#wake();
    this.task.start();
    await eventually("looked", () => this.waits.length > before);
  }

  #tip<Header>(header: Header): Promise<Header> {
    if (this.answer === "outage") return Promise.reject(new ChainUnavailable("down"));
    if (this.answer === "bug") return Promise.reject(new Error("never shown"));
    return Promise.resolve(header);
  }

  #call(method: string, params: unknown): unknown {
    if (method === "gettxout") return {};
    assert.ok(Array.isArray(params) && Array.isArray(params[0]));
    const txid = Transaction.fromHex(String(params[0][0])).getId();
    return { package_msg: "", "tx-results": { parent: { txid, error: WORDS[this.answer] } } };
  }
}

describe("package relay of the operator's bitcoind", () => {
  it("is said once, as a warning, and as an error once a channel depends on it", async () => {
    const scene = new Scene();
    assert.equal(scene.task.state(), "unknown");
    await scene.look("refuses");
    await scene.look("refuses");
    assert.equal(scene.task.state(), "refused");
    assert.deepEqual(scene.said, ["warn: bitcoind refuses"]);
    scene.channels = 1;
    await scene.look("refuses");
    await scene.look("relays");
    assert.equal(scene.task.state(), "relayed");
    assert.deepEqual(scene.said.slice(1), ["error: bitcoind refuses", "info: bitcoind relays"]);
    assert.deepEqual(new Set(scene.waits), new Set([RELAY_AGAIN_MS]));
    scene.task.stop();
  });

  it("keeps what it knows in an outage and asks again soon", async () => {
    const scene = new Scene();
    await scene.look("outage");
    assert.equal(scene.task.state(), "unknown");
    await scene.look("relays");
    await scene.look("outage");
    assert.equal(scene.task.state(), "relayed");
    assert.deepEqual(scene.waits, [RELAY_RETRY_MS, RELAY_AGAIN_MS, RELAY_RETRY_MS]);
    scene.task.stop();
  });

  it("survives a fault of its own, whose text it does not log", async () => {
    const scene = new Scene();
    await scene.look("bug");
    assert.deepEqual(scene.said, ["warn: asking bitcoind"]);
    await scene.look("relays");
    assert.equal(scene.task.state(), "relayed");
    scene.task.stop();
  });
});
