/** When the operator is told that the wallet holds too little for anchor channels. */
import assert from "node:assert/strict";
import { sat } from "@farwatch/protocol/amount";
import { RESERVE_AGAIN_MS, RESERVE_RETRY_MS, ReserveTask } from "./app-reserve.js";
import { ChainUnavailable } from "./chain/chain-source.js";
import { eventually } from "./chain/testing/quiet.js";

const RESERVE = 50_000n;

class Scene {
  readonly said: string[] = [];
  readonly waits: number[] = [];
  #answer: bigint | Error = 0n;
  #wake: () => void = () => undefined;
  readonly task: ReserveTask;

  constructor() {
    const say = (level: string) => (fields: unknown, message: string) =>
      void this.said.push(`${level}: ${message} ${JSON.stringify(fields)}`);
    this.task = new ReserveTask({
      wallet: {
        confirmedSat: () =>
          this.#answer instanceof Error
            ? Promise.reject(this.#answer)
            : Promise.resolve(sat(this.#answer)),
      },
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
      feeReserveSat: () => sat(RESERVE),
    });
  }

  /** The next look, complete. */
  async look(answer: bigint | Error): Promise<void> {
    this.#answer = answer;
    const before = this.waits.length;
    this.#wake();
    this.task.start();
    await eventually("looked", () => this.waits.length > before);
  }
}

describe("fee reserve against the wallet's coins", () => {
  it("is warned of once below the reserve, to the satoshi, and told once when it suffices", async () => {
    const scene = new Scene();
    assert.equal(scene.task.confirmedSat(), undefined);
    await scene.look(RESERVE);
    assert.deepEqual(scene.said, [], "exactly enough");
    await scene.look(RESERVE - 1n);
    await scene.look(1n);
    assert.equal(scene.task.confirmedSat(), 1n);
    const facts = { walletConfirmedSat: "49999", feeReserveSat: "50000" };
    assert.deepEqual(scene.said, [
      `warn: wallet holds less than the fee reserve of anchor channels ${JSON.stringify(facts)}`,
    ]);
    await scene.look(RESERVE);
    await scene.look(RESERVE + 1n);
    assert.equal(scene.said.length, 2);
    assert.match(scene.said[1] ?? "", /^info: wallet holds the fee reserve/);
    await scene.look(0n);
    assert.match(scene.said[2] ?? "", /^warn: /);
    assert.deepEqual(new Set(scene.waits), new Set([RESERVE_AGAIN_MS]));
    scene.task.stop();
  });

  it("knows no figure in an outage, asks again soon and does not repeat itself", async () => {
    const scene = new Scene();
    await scene.look(1n);
    await scene.look(new ChainUnavailable("down"));
    assert.equal(scene.task.confirmedSat(), undefined);
    await scene.look(2n);
    assert.equal(scene.task.confirmedSat(), 2n);
    assert.equal(scene.said.length, 1);
    assert.deepEqual(scene.waits, [RESERVE_AGAIN_MS, RESERVE_RETRY_MS, RESERVE_AGAIN_MS]);
    scene.task.stop();
  });

  it("survives a wallet that refuses, told once and without its text", async () => {
    const scene = new Scene();
    await scene.look(new Error("never shown"));
    await scene.look(new Error("never shown"));
    assert.equal(scene.said.length, 1);
    assert.match(scene.said[0] ?? "", /^warn: asking the wallet/);
    assert.ok(!scene.said.join().includes("never shown"));
    await scene.look(RESERVE);
    assert.equal(scene.task.confirmedSat(), RESERVE);
    await scene.look(new Error("never shown"));
    assert.equal(scene.said.length, 2, "answered in between");
    scene.task.stop();
  });
});
