/** Limits and failures of CatchUp by itself: how many may be on their way, and one that breaks. */
import assert from "node:assert/strict";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { hash32, type Hash32 } from "@farwatch/protocol/ids";
import { HEADER_RING_SIZE, pointOf } from "@farwatch/monitor-service/chain/follow-chain";
import { FakeChain } from "@farwatch/monitor-service/chain/testing/fake-chain";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { startAlone } from "@farwatch/monitor-service/runtime/alone";
import {
  BLOCKS_PER_CALL,
  CatchUp,
  FORGOTTEN_AFTER_MS,
  MAX_CATCHING_UP,
} from "@farwatch/monitor-service/runtime/catch-up";
import { ok } from "@farwatch/protocol/result";
import { protectedChannel } from "../../harness/monitor-core/protected-channel.js";

const START = 1;
const key = (number: number): Hash32 => hash32(number.toString(16).padStart(64, "0"));

describe("channels that catch up", function () {
  this.timeout(120_000);
  let chain: FakeChain;
  let catchUp: CatchUp;
  let state: MonitorState;
  let nowMs: number;
  let ring: ReturnType<FakeChain["ring"]>;
  const errors: string[] = [];
  beforeEach(async () => {
    chain = new FakeChain(START + BLOCKS_PER_CALL + HEADER_RING_SIZE);
    ring = chain.ring(chain.tipBlock.header.height);
    nowMs = 1_000_000_000;
    errors.length = 0;
    ({ state } = await protectedChannel());
    const note = (_: unknown, message: string): void => void errors.push(message);
    catchUp = new CatchUp({
      source: chain,
      chain: "regtest",
      context: { curve: nobleCurve },
      log: { info: () => undefined, warn: note, error: note },
      ring: () => ring,
      nowMs: () => nowMs,
    });
  });
  afterEach(() => catchUp.stop());

  const at = (height: number) => pointOf(chain.ring(height, 1)[0] ?? assert.fail("a block"));
  const join = (number: number, from: MonitorState = state, height = START) =>
    catchUp.join({
      key: key(number),
      best: at(height),
      create: (best) => ok(startAlone({ ...from, best }, () => undefined)),
    });
  const reasonOf = async (joined: ReturnType<typeof join>): Promise<string> => {
    const result = await joined;
    return result.ok ? "ok" : result.error.reason;
  };

  it("come to our oldest header after as many blocks as lie below it", async () => {
    const oldest = chain.tipBlock.header.height - HEADER_RING_SIZE + 1;
    assert.equal(oldest, START + BLOCKS_PER_CALL + 1);
    assert.equal(await reasonOf(join(1, state, START)), "chainBehind");
    assert.equal(await reasonOf(join(1)), "ok");
    assert.equal(await reasonOf(join(2, state, START + 1)), "ok", "one call reaches so far");
    // Blocks arrive before the manager asks again: it goes on from there.
    chain.mine(3);
    ring = chain.ring(chain.tipBlock.header.height);
    const later = await join(1);
    assert.ok(later.ok);
    assert.deepEqual(later.value.at, at(oldest + 3));
  });

  it("are MAX_CATCHING_UP at most; who does not ask again makes room", async () => {
    chain.beforeBlock = () => (chain.down = true);
    for (let number = 0; number < MAX_CATCHING_UP; number++) {
      chain.down = false;
      assert.equal(await reasonOf(join(number)), "chainBehind");
    }
    chain.down = false;
    assert.equal(await reasonOf(join(MAX_CATCHING_UP)), "tooManyInFlight");
    nowMs += FORGOTTEN_AFTER_MS;
    assert.equal(await reasonOf(join(MAX_CATCHING_UP)), "tooManyInFlight", "not yet");
    nowMs += 1;
    assert.equal(await reasonOf(join(MAX_CATCHING_UP)), "chainBehind", "room was made");
  });

  it("hold up no other when one breaks; that one is told, and may try again", async () => {
    const waiting = Object.assign([], {
      filter: (): never => {
        throw new Error("broken");
      },
    });
    const broken: MonitorState = { ...state, waiting };
    const results = await Promise.allSettled([join(1, broken), join(2)]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "fulfilled"],
    );
    assert.equal(await reasonOf(join(2)), "ok");
    assert.equal(await reasonOf(join(1)), "chainBehind", "from the start");
  });

  it("start anew when bitcoind's chain parts from the block they stand at", async () => {
    assert.equal(await reasonOf(join(1)), "chainBehind");
    const stood = START + BLOCKS_PER_CALL;
    chain.reorg(chain.tipBlock.header.height - stood + 1, HEADER_RING_SIZE + 20);
    ring = chain.ring(chain.tipBlock.header.height);
    assert.equal(await reasonOf(join(1)), "chainBehind");
    assert.deepEqual(errors, ["the chain parted below a channel that catches up"]);
    while ((await reasonOf(join(1))) !== "ok");
    const joined = await join(1);
    assert.ok(joined.ok);
    assert.equal(joined.value.channel.now.state.best.height, joined.value.at.height);
  });

  it("stop with the host: no block is read afterwards", async () => {
    let reads = 0;
    chain.beforeBlock = () => {
      if (++reads === 3) void catchUp.stop();
    };
    assert.equal(await reasonOf(join(1)), "chainBehind");
    assert.equal(await reasonOf(join(1)), "chainBehind");
    assert.equal(reads, 3);
  });
});
