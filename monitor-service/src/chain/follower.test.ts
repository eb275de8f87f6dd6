/** The follower against a chain in memory with real proof of work: order, reorgs, lies, outages, stop. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { BlockPruned } from "./chain-source.js";
import {
  CATCH_UP_WINDOW,
  ChainFollower,
  FIRST_BACKOFF_MS,
  LAST_BACKOFF_MS,
  POLL_INTERVAL_MS,
  SYNCED_SLACK,
} from "./follower.js";
import { FakeChain, HARDER_BITS } from "./testing/fake-chain.js";
import { eventually, recordingLog, type LogLine } from "./testing/quiet.js";
import { RecordingSink } from "./testing/recording-sink.js";
import type { Clock } from "./waker.js";

/** Sleeps last until woken or until the test lets them end; their lengths are kept. */
class ManualClock implements Clock {
  readonly sleeps: number[] = [];
  time = 0;
  #end: (() => void) | undefined;

  now(): number {
    return this.time;
  }
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.sleeps.push(ms);
    return new Promise((resolve) => {
      this.#end = resolve;
      signal.addEventListener("abort", () => resolve());
    });
  }
  /** Ends the sleep under way and waits for the next one, so for one whole round. */
  async tick(): Promise<void> {
    const count = this.sleeps.length;
    must(this.#end, "a sleep under way")();
    await eventually("the next sleep", () => this.sleeps.length > count);
  }
}

interface Setup {
  readonly chain: FakeChain;
  readonly sink: RecordingSink;
  readonly clock: ManualClock;
  readonly lines: LogLine[];
  readonly follower: ChainFollower;
  readonly run: () => Promise<void>;
}

describe("chain follower", () => {
  const started: ChainFollower[] = [];
  afterEach(async () => {
    for (const follower of started.splice(0)) await follower.stop();
  });

  /** A chain of `length` blocks and a sink that knows it up to `known`. */
  function setUp(length: number, known: number, ringSize?: number): Setup {
    const chain = new FakeChain(length);
    const sink = new RecordingSink(chain.ring(known, ringSize));
    const clock = new ManualClock();
    const log = recordingLog();
    const follower = new ChainFollower({ source: chain, sink, chain: "regtest", log, clock });
    started.push(follower);
    const run = async (): Promise<void> => {
      void follower.run().catch(() => undefined);
      await eventually("first rest", () => clock.sleeps.length > 0);
    };
    return { chain, sink, clock, lines: log.lines, follower, run };
  }
  const range = (from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, i) => `+${from + i}`);

  it("connects every block in order from a single known header and then rests", async () => {
    const { chain, sink, clock, follower, run } = setUp(20, 5, 1);
    assert.equal(follower.status().state, "catchingUp");
    await run();
    assert.deepEqual(sink.steps, range(6, 20));
    assert.deepEqual(follower.status().state, "synced");
    assert.equal(follower.status().tip.hash, chain.tipBlock.header.hash);
    assert.deepEqual(clock.sleeps, [POLL_INTERVAL_MS]);
    const block = must(sink.blocks.get(20), "block");
    assert.deepEqual(block.raw, chain.tipBlock.raw);
  });

  it("catches up over several windows", async () => {
    const { sink, run } = setUp(2 * CATCH_UP_WINDOW + 5, 0);
    await run();
    assert.deepEqual(sink.steps, range(1, 2 * CATCH_UP_WINDOW + 5));
  });

  it("sees a block by the timer alone, and at once by a hint", async () => {
    const { chain, sink, clock, run } = setUp(3, 3);
    await run();
    chain.quiet = true;
    chain.mine(1);
    assert.deepEqual(sink.steps, []);
    await clock.tick();
    assert.deepEqual(sink.steps, ["+4"]);
    chain.quiet = false;
    chain.mine(1);
    await eventually("hinted block", () => sink.steps.length === 2);
  });

  for (const depth of [1, 6, 100]) {
    it(`follows a reorg of ${depth} blocks: disconnects first, then connects`, async () => {
      const { chain, sink, follower, run } = setUp(120, 120);
      await run();
      chain.reorg(depth, depth + 1);
      await eventually("reorg", () => sink.tip.hash === chain.tipBlock.header.hash);
      assert.deepEqual(sink.steps, [`-${120 - depth}`, ...range(121 - depth, 121)]);
      await eventually("synced", () => follower.status().state === "synced");
    });
  }

  it("refuses a reorg of 101 blocks, says so, and follows again when the chain comes back", async () => {
    const { chain, sink, clock, lines, follower, run } = setUp(120, 120);
    await run();
    const before = chain.best;
    chain.reorg(101, 102);
    await eventually("refusal", () => follower.status().reason === "forkTooDeep");
    assert.deepEqual(sink.steps, []);
    assert.equal(lines.at(-1)?.level, "error");
    chain.best = before;
    await clock.tick();
    assert.equal(follower.status().state, "synced");
  });

  it("keeps its chain when the source goes backwards, and reports the source as behind", async () => {
    const { chain, sink, clock, follower, run } = setUp(10, 10);
    await run();
    const gone = chain.best.pop();
    await clock.tick();
    assert.equal(follower.status().reason, "sourceBehind");
    assert.deepEqual(sink.steps, []);
    chain.best.push(must(gone, "block"));
    await clock.tick();
    assert.equal(follower.status().state, "synced");
  });

  it("stays on its branch against one of equal work and switches for one harder block", async () => {
    const { chain, sink, follower, run } = setUp(10, 10);
    await run();
    chain.reorg(2, 2);
    chain.hint();
    await eventually("equal work is fine", () => follower.status().state === "synced");
    assert.deepEqual(sink.steps, []);
    chain.reorg(2, 1, { bits: HARDER_BITS });
    await eventually("switch", () => sink.tip.hash === chain.tipBlock.header.hash);
    assert.deepEqual(sink.steps, ["-8", "+9"]);
  });

  it("lives through a reorg in the middle of catch-up", async () => {
    const { chain, sink, run } = setUp(30, 0);
    let blocks = 0;
    chain.beforeBlock = () => {
      if (++blocks === 25) chain.reorg(10, 12);
    };
    await run();
    assert.equal(sink.tip.hash, chain.tipBlock.header.hash);
    assert.equal(sink.tip.height, 32);
    assert.ok(sink.steps.includes("-20"), "the blocks that went were disconnected");
  });

  it("flips between two branches as often as the chain does", async () => {
    const { chain, sink, run } = setUp(20, 20);
    await run();
    for (let flip = 1; flip <= 10; flip++) {
      chain.reorg(1, 2);
      await eventually("flip", () => sink.tip.hash === chain.tipBlock.header.hash);
    }
    assert.equal(sink.steps.filter((step) => step.startsWith("-")).length, 10);
    assert.equal(sink.tip.height, 30);
  });

  it("backs off through an outage, keeps its tip, and goes on by itself", async () => {
    const { chain, sink, clock, follower, run } = setUp(5, 5);
    await run();
    chain.down = true;
    clock.time = 1_000;
    for (let i = 0; i < 8; i++) await clock.tick();
    const status = follower.status();
    assert.equal(status.state, "unavailable");
    assert.equal(status.reason, "outage");
    assert.equal(status.since, 1_000);
    assert.equal(status.tip.height, 5);
    const backoffs = clock.sleeps.slice(1);
    assert.deepEqual(
      backoffs.slice(0, 3),
      [1, 2, 4].map((n) => n * FIRST_BACKOFF_MS),
    );
    assert.equal(backoffs.at(-1), LAST_BACKOFF_MS);
    chain.down = false;
    chain.mine(1);
    assert.equal(sink.syncs, 1);
    await eventually("recovery", () => follower.status().state === "synced");
    assert.equal(sink.syncs, 2, "what was offered may be lost: told once more, without a block");
    assert.deepEqual(sink.steps, ["+6"]);
  });

  it("stops at a block the source has deleted, loudly, and goes on once it is there again", async () => {
    const { chain, sink, clock, lines, follower, run } = setUp(20, 0);
    const { hash } = must(chain.best[10], "block 10").header;
    chain.beforeBlock = (asked) => {
      if (asked === hash) throw new BlockPruned("Block not available (pruned data)");
    };
    await run();
    assert.equal(follower.status().reason, "blockPruned");
    assert.deepEqual(sink.steps, range(1, 9), "what came before it counts");
    const [line, ...more] = lines.filter(({ level }) => level === "error");
    assert.deepEqual(more, []);
    assert.equal(line?.fields["error"], "Block not available (pruned data)");
    await clock.tick();
    assert.equal(follower.status().reason, "blockPruned");
    assert.equal(lines.filter(({ level }) => level === "error").length, 1, "said once");
    chain.beforeBlock = () => undefined;
    await clock.tick();
    assert.equal(follower.status().state, "synced");
    assert.deepEqual(sink.steps, range(1, 20));
  });

  it("counts as catching up only when more than a few blocks are missing", async () => {
    const { chain, sink, follower, run } = setUp(5, 5);
    await run();
    const seen = new Set<string>();
    sink.onStep = async () => void seen.add(follower.status().state);
    chain.mine(SYNCED_SLACK);
    await eventually("few blocks", () => sink.tip.height === 5 + SYNCED_SLACK);
    assert.deepEqual([...seen], ["synced"]);
    await eventually("rest", () => follower.status().state === "synced");
    chain.mine(SYNCED_SLACK + 1);
    await eventually("many blocks", () => sink.tip.height === 6 + 2 * SYNCED_SLACK);
    assert.ok(seen.has("catchingUp"));
  });

  it("resumes from what the sink has after a stop in the middle", async () => {
    const first = setUp(12, 2);
    first.sink.onStep = async () => {
      if (first.sink.steps.length === 3) void first.follower.stop();
    };
    await first.follower.run();
    assert.deepEqual(first.sink.steps, range(3, 6));
    const { chain, sink } = first;
    const clock = new ManualClock();
    const deps = { source: chain, sink, chain: "regtest" as const, log: recordingLog(), clock };
    const second = new ChainFollower(deps);
    started.push(second);
    void second.run();
    await eventually("rest", () => clock.sleeps.length > 0);
    assert.deepEqual(sink.steps, range(3, 12));
  });

  it("waits in stop() for the step under way", async () => {
    const { sink, follower } = setUp(3, 0);
    let release: () => void = () => undefined;
    let inStep = false;
    sink.onStep = () => {
      inStep = true;
      return new Promise((resolve) => (release = resolve));
    };
    const running = follower.run();
    await eventually("a step under way", () => inStep);
    let stopped = false;
    const stopping = follower.stop().then(() => (stopped = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(stopped, false);
    release();
    await stopping;
    await running;
    assert.deepEqual(sink.steps, ["+1"]);
  });

  it("ends with the sink's error and gives the sink nothing more", async () => {
    const { chain, sink, follower } = setUp(5, 0);
    sink.onStep = async () => {
      if (sink.steps.length === 2) throw new Error("disk full");
    };
    await assert.rejects(follower.run(), /disk full/);
    chain.hint();
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.deepEqual(sink.steps, ["+1", "+2"]);
  });
});
