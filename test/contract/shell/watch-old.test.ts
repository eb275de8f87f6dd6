/**
 * Watching a channel from a block that is older than the headers we keep: it is followed from there
 * before it is answered, so that nothing that happened since is missed (ADR M-15).
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { blockHash, blockHeight, type BlockPoint } from "@farwatch/protocol/block";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import { HEADER_RING_SIZE, MAX_REORG_DEPTH } from "@farwatch/monitor-service/chain/follow-chain";
import { BlockPruned } from "@farwatch/monitor-service/chain/chain-source";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { BLOCKS_PER_CALL } from "@farwatch/monitor-service/runtime/catch-up";
import type { WatchRequest } from "@farwatch/monitor-service/runtime/monitor-host";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { offer, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { stripped, World } from "./world.js";

/** Blocks below our oldest header at which the channels of these tests start. */
const BELOW = 2 * BLOCKS_PER_CALL + 10;

const refusal = (result: Result<unknown, Refusal>): Refusal | undefined =>
  result.ok ? undefined : result.error;

describe("watching a channel from an old block", function () {
  this.timeout(120_000);
  let world: World;
  beforeEach(async () => (world = await World.start()));
  afterEach(() => world.end());

  const point = (height: number): BlockPoint => {
    const { header } = must(world.chain.best[height], "a block");
    return { height: header.height, hash: header.hash };
  };
  const tipHeight = (): number => world.chain.tipBlock.header.height;
  const watch = (request: WatchRequest) => world.host.watchChannel(world.manager.who, request);
  const state = ({ channelId }: Channel): MonitorState => {
    const view = world.host.channel(world.manager.who, channelId);
    assert.ok(view.ok, view.ok ? "" : view.error.message);
    return view.value.state;
  };
  const events = ({ channelId }: Channel): readonly string[] =>
    world.host.pendingEvents(world.manager.who, channelId).map((event) => {
      const payload = decodeEventPayload(event.payload);
      assert.ok(payload.ok);
      return payload.value.body.kind;
    });
  /** Sends the same bytes until they are taken, as a manager does. */
  async function insist(request: WatchRequest): Promise<number> {
    for (let calls = 1; ; calls++) {
      const refused = refusal(await watch(request));
      if (refused === undefined) return calls;
      assert.equal(refused.reason, "chainBehind");
      assert.ok(calls < 20, "it never gets there");
    }
  }

  /** Funded at `from` + 1, with an HTLC each way, then as many blocks as make `from` old. */
  async function old(number = 1, closes = false) {
    const plan = createChannel({ ...testChannelOptions, curve: world.curve });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat, number);
    const channel = plan.open(funding.outpoint);
    channel.initialState("holder");
    offer(channel, "holder", 50_000, "one");
    offer(channel, "counterparty", 60_000, "two");
    await channel.settle();
    const from = point(tipHeight());
    await world.loseStore(() => {
      world.chain.mine(1, { transactions: [funding.raw] });
      world.chain.mine(20);
      const raw = broadcastableCommitment(channel, "counterparty");
      world.chain.mine(1, { transactions: closes ? [stripped(raw)] : [] });
      world.chain.mine(BELOW + HEADER_RING_SIZE - 22 - 1);
    });
    const initial = channel.splices.stateNow("holder", { bestBlock: from });
    return { channel, from, request: world.manager.watch(initial), initial };
  }

  it("reads the blocks since then in parts, and then watches it at our tip", async () => {
    const { channel, from, request } = await old();
    const first = refusal(await watch(request));
    assert.equal(first?.reason, "chainBehind");
    assert.equal(Number(first.details["height"]), from.height + BLOCKS_PER_CALL);
    assert.equal(Number(first.details["tip_height"]), tipHeight());
    assert.equal((await world.store.load()).channels.length, 0, "nothing is durable yet");
    assert.ok((await insist(request)) <= 3);
    assert.equal(state(channel).fundingConfirmedAt, from.height + 1);
    assert.deepEqual(state(channel).best, point(tipHeight()));
    const before = world.stateOf(channel.channelId);
    await world.restart();
    await world.openSession();
    assert.deepEqual(world.stateOf(channel.channelId), before);
    assert.equal(refusal(await watch(request)), undefined, "and answered again");
    const commitment = broadcastableCommitment(channel, "counterparty");
    await world.mine(commitment);
    assert.equal(state(channel).spend?.kind, "counterparty", "what it waits for is looked for");
  });

  it("tells what happened in them, and claims what is ours", async () => {
    const { channel, from, request } = await old(1, true);
    await insist(request);
    await world.running.published();
    const { spend, tracked } = state(channel);
    assert.deepEqual([spend?.kind, spend?.block.height], ["counterparty", from.height + 22]);
    assert.equal(spend?.final, true);
    assert.equal(tracked.length, 2, "both HTLCs wait");
    assert.deepEqual(events(channel), ["commitmentTxConfirmed", "spendableOutputs"]);
    const before = world.stateOf(channel.channelId);
    await world.restart();
    assert.deepEqual(world.stateOf(channel.channelId), before);
    assert.equal(events(channel).length, 2);
  });

  it("loses nothing by a crash on the way: the same bytes start over", async () => {
    const { channel, request } = await old();
    assert.equal(refusal(await watch(request))?.reason, "chainBehind");
    await world.restart();
    await world.openSession();
    await insist(request);
    assert.equal(state(channel).best.height, tipHeight());
  });

  it("reads each block once for all channels that start at the same", async () => {
    const one = await old(1);
    const plan = createChannel({ ...testChannelOptions, curve: world.curve });
    const other = plan.open(fundingTx(plan.fundingScriptPubkey, 1n, 2).outpoint);
    const bestBlock = one.from;
    const second = world.manager.watch(other.initialState("holder", { bestBlock }));
    const reads = new Map<string, number>();
    const lowest = tipHeight() - HEADER_RING_SIZE + 1;
    world.chain.beforeBlock = (hash) => {
      const height = must(
        world.chain.best.find((block) => block.header.hash === hash),
        "known",
      );
      if (height.header.height > lowest) return;
      reads.set(hash, (reads.get(hash) ?? 0) + 1);
    };
    await Promise.all([insist(one.request), insist(second)]);
    assert.equal(reads.size, lowest - one.from.height);
    const all = [...reads.values()].reduce((sum, times) => sum + times, 0);
    assert.ok(all <= reads.size + 2, "the second may come when the first has read a block");
  });

  it("goes on where it was after an outage, and holds up no other channel", async () => {
    const { channel, from, request } = await old();
    const other = await world.open();
    world.chain.beforeBlock = () => {
      if (tipHeight() > 0) world.chain.down = true;
    };
    const refused = refusal(await watch(request));
    assert.deepEqual(
      [refused?.reason, refused?.details["height"]],
      ["chainBehind", String(from.height)],
    );
    offer(other, "holder", 30_000, "meanwhile");
    await other.settle();
    world.chain.down = false;
    world.chain.beforeBlock = () => undefined;
    await insist(request);
    assert.equal(state(channel).best.height, tipHeight());
  });

  it("says in the log that bitcoind has pruned the blocks it needs", async () => {
    const { request } = await old();
    const { block } = world.chain;
    world.chain.block = async () => Promise.reject(new BlockPruned("gone"));
    assert.equal(refusal(await watch(request))?.reason, "chainBehind");
    assert.ok(world.lines.some(({ level, message }) => level === "error" && /read/.test(message)));
    world.chain.block = block;
    await insist(request);
  });

  it("starts where a reorganised best block left the chain", async () => {
    for (const depth of [1, MAX_REORG_DEPTH]) {
      const { channel, initial } = await old(depth);
      const stale = point(tipHeight());
      world.chain.reorg(depth, depth + 1);
      await world.follow();
      const request = world.manager.watch({ ...initial, bestBlock: stale });
      assert.equal(refusal(await watch(request)), undefined, "the fork is among our blocks");
      assert.equal(state(channel).best.height, tipHeight());
    }
    const { channel, from, initial } = await old(7);
    // Old, and on a branch that lost long ago.
    const stale = point(from.height + 5);
    await world.loseStore(() =>
      world.chain.reorg(tipHeight() - from.height, BELOW + HEADER_RING_SIZE),
    );
    await insist(world.manager.watch({ ...initial, bestBlock: stale }));
    assert.equal(state(channel).best.height, tipHeight());
  });

  it("refuses a best block that nobody knows, is too far off, or has another height", async () => {
    const { initial, from } = await old();
    const refused = async (bestBlock: BlockPoint) =>
      refusal(await watch(world.manager.watch({ ...initial, bestBlock })));
    const unknown = { height: from.height, hash: blockHash("ab".repeat(32)) };
    assert.equal((await refused(unknown))?.reason, "chainBehind");
    const wrong = await refused({ ...from, height: blockHeight(from.height + 1) });
    assert.deepEqual([wrong?.reason, wrong?.details["field"]], ["malformed", "best_block.height"]);
    const stale = point(from.height + MAX_REORG_DEPTH + 1);
    await world.loseStore(() =>
      world.chain.reorg(tipHeight() - from.height, BELOW + HEADER_RING_SIZE),
    );
    const far = await refused(stale);
    assert.equal(far?.reason, "chainBehind");
    assert.match(far.message, /neither best_block nor its ancestors/u);
    assert.equal((await world.store.load()).channels.length, 0);
  });
});
