/** The slow clock looks one at a time, and not after it was stopped. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { ok } from "@farwatch/protocol/result";
import { SLOW_CLOCK_MS, SlowClock } from "./slow-clock.js";
import { settle } from "./testing/bench.js";

/** A timer that a test moves, and looks that it ends. */
class Hand {
  readonly kinds: string[] = [];
  readonly fatal: unknown[] = [];
  ms: number | undefined;
  #task: (() => void) | undefined;
  #end: (() => void)[] = [];
  #failure: Error | undefined;
  readonly clock = new SlowClock(
    ({ kind }) => {
      this.kinds.push(kind);
      return new Promise((resolve, reject) => {
        this.#end.push(() =>
          this.#failure === undefined ? resolve(ok(undefined)) : reject(this.#failure),
        );
      });
    },
    {
      onFatal: (error) => this.fatal.push(error),
      repeat: (ms, task) => {
        this.ms = ms;
        this.#task = task;
        return () => (this.#task = undefined);
      },
    },
  );

  tick(): void {
    this.#task?.();
  }
  async end(failure?: Error): Promise<void> {
    this.#failure = failure;
    must(this.#end.shift(), "a look under way")();
    await settle();
  }
}

describe("the slow clock", () => {
  it("looks again only when the look before is over", async () => {
    const hand = new Hand();
    hand.clock.start();
    assert.equal(hand.ms, SLOW_CLOCK_MS);
    assert.deepEqual(hand.kinds, [], "not before the first interval");
    hand.tick();
    hand.tick();
    assert.deepEqual(hand.kinds, ["timePassed"]);
    await hand.end();
    hand.tick();
    assert.equal(hand.kinds.length, 2);
  });

  it("ends its work when a look fails, and goes on asking", async () => {
    const hand = new Hand();
    hand.clock.start();
    hand.tick();
    await hand.end(new Error("disk"));
    assert.equal(hand.fatal.length, 1);
    hand.tick();
    assert.equal(hand.kinds.length, 2);
  });

  it("is stopped when the look under way is over, and looks no more", async () => {
    const hand = new Hand();
    hand.clock.start();
    hand.tick();
    let stopped = false;
    const stopping = hand.clock.stop().then(() => (stopped = true));
    await settle();
    assert.equal(stopped, false, "a commit is under way");
    await hand.end();
    await stopping;
    hand.tick();
    assert.equal(hand.kinds.length, 1);
  });
});
