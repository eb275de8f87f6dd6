/**
 * The opt-in sweeper over a whole host: own outputs of all channels together, durable before they are
 * sent, the same bytes after a restart, yielding to whoever spends them otherwise, safe in a
 * reorganisation.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import type { BroadcastResult } from "@farwatch/monitor-service/chain/chain-source";
import {
  SweepDestinationInvalid,
  type SweepDestination,
} from "@farwatch/monitor-service/chain/sweep-destination";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { SWEEP_BUMP_BLOCKS } from "@farwatch/monitor-service/tx/sweep-plan";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import { sweepToRemote } from "../../harness/channel/claims.js";
import type { Channel } from "../../harness/channel/channel.js";
import { World } from "./world.js";

const EVERY_BLOCKS = 3;
const scriptOf = (id: number) => Uint8Array.from([0, 20, ...new Uint8Array(20).fill(id)]);

describe("sweeps", function () {
  this.timeout(120_000);
  let world: World;
  let destination: SweepDestination;
  const asked: number[] = [];
  const startWith = async (everyBlocks: number): Promise<void> => {
    asked.length = 0;
    destination = {
      script: async (id) => {
        asked.push(id);
        return Promise.resolve(scriptOf(id));
      },
    };
    const sweep = { destination: { script: (id: number) => destination.script(id) }, everyBlocks };
    world = await World.start({ sweep });
  };
  beforeEach(() => startWith(EVERY_BLOCKS));
  afterEach(() => world.end());

  /** The counterparty closes: to_remote is ours to sweep when it is 6 deep. */
  const closed = async (...channels: readonly Channel[]): Promise<void> => {
    await world.mine(
      ...channels.map((channel) => broadcastableCommitment(channel, "counterparty")),
    );
  };
  const toRemote = (channel: Channel): Outpoint => {
    const { built } = channel.commitment("counterparty");
    return { txid: built.txid, vout: must(built.toRemoteIndex, "to_remote") };
  };
  /** Sweeps only: a lost close brings back other transactions. */
  const raws = (): readonly Uint8Array[] =>
    world.chain.broadcasts.filter((raw) => parseTx(raw).outputs[0]?.scriptPubkey.length === 22);
  const sent = () => raws().map((raw) => parseTx(raw));
  const inputsOf = (at: number): readonly string[] =>
    must(sent().at(at), "a broadcast").inputs.map(({ outpoint }) => outpointKey(outpoint));
  const own = (channel: Channel) => {
    const view = world.host.channel(world.manager.who, channel.channelId);
    assert.ok(view.ok);
    return must(view.value.ownOutputs[0], "an own output");
  };
  /** One block after the other, as on a chain that is followed. */
  const pass = async (blocks: number): Promise<void> => {
    for (let i = 0; i < blocks; i++) await world.mineEmpty(1);
  };
  /** How many sweeps are sent in that time. */
  const fresh = async (blocks: number): Promise<number> => {
    const before = raws().length;
    await pass(blocks);
    return raws().length - before;
  };

  it("wait for company and take all channels' outputs in one transaction", async () => {
    assert.deepEqual(world.host.info().features, ["sweep"]);
    const [one, two] = [await world.open(), await world.open()];
    await closed(one);
    await closed(two);
    assert.equal(await fresh(5), 0, "the first has waited two blocks");
    assert.equal(own(one).sweptBy, undefined);
    assert.equal(await fresh(1), 1);
    assert.deepEqual([...inputsOf(-1)].sort(), [one, two].map(toRemote).map(outpointKey).sort());
    const sweep = must(sent().at(-1), "the sweep");
    assert.deepEqual(must(sweep.outputs[0], "output").scriptPubkey, scriptOf(1));
    assert.equal(own(one).sweptBy, sweep.txid);
    assert.equal(own(two).sweptBy, sweep.txid);

    assert.equal(await fresh(1), 1, "offered again at every block");
    const raw = must(raws().at(-1), "the sweep");
    assert.deepEqual(raw, raws().at(-2));
    await world.mine(raw);
    assert.equal(own(one).spend?.txid, sweep.txid);
    assert.equal(await fresh(10), 0);
    assert.deepEqual((await world.store.load()).sweeps, [], "over when it is 6 deep");
  });

  it("are the same bytes after a restart, and a new one has a new address", async () => {
    const channel = await world.open();
    await closed(channel);
    await pass(4 + EVERY_BLOCKS);
    const raw = must(raws().at(-1), "the sweep");
    await world.restart();
    assert.equal((await world.store.load()).sweeps.length, 1);
    assert.equal(await fresh(1), 1);
    assert.deepEqual(raws().at(-1), raw);
    await world.mine(raw);
    await pass(6);
    await world.restart();

    const next = await world.open();
    await closed(next);
    assert.equal(await fresh(4 + EVERY_BLOCKS), 1);
    assert.equal(asked.at(-1), 2, "an address is used once, also after a restart");
    assert.deepEqual(must(sent().at(-1)?.outputs[0], "output").scriptPubkey, scriptOf(2));
  });

  it("are durable before they are sent", async () => {
    const channel = await world.open();
    await closed(channel);
    const stored: unknown[] = [];
    world.chain.judge = (raw): BroadcastResult => {
      const { txid } = parseTx(raw);
      stored.push(world.store.load().then(({ sweeps }) => sweeps[0]?.txids.at(-1) === txid));
      return { kind: "accepted" };
    };
    await pass(4 + EVERY_BLOCKS);
    assert.deepEqual(await Promise.all(stored), [true]);
  });

  it("pay more on a schedule, and at the next block when they were refused for their fee", async () => {
    const channel = await world.open();
    await closed(channel);
    await pass(4 + EVERY_BLOCKS);
    const txids = () => [...new Set(sent().map(({ txid }) => txid))];
    await pass(SWEEP_BUMP_BLOCKS - 1);
    assert.equal(txids().length, 1);
    await pass(1);
    assert.equal(txids().length, 2);
    world.chain.judge = () => ({ kind: "refused", reason: "insufficientFee", message: "low" });
    await pass(1);
    world.chain.judge = () => ({ kind: "accepted" });
    await pass(1);
    assert.equal(txids().length, 3);
    assert.equal(own(channel).sweptBy, txids()[2]);
    await world.mine(must(raws()[0], "the first version"));
    assert.equal(own(channel).spend?.txid, txids()[0], "any version may confirm");
    assert.equal(await fresh(8), 0);
  });

  it("yield to a transaction of the node in the mempool, and to one in a block", async () => {
    const [one, two] = [await world.open(), await world.open()];
    await closed(one, two);
    const bySelf = parseTx(sweepToRemote(one, "counterparty", 0)).txid;
    world.chain.mempoolSpenders.set(outpointKey(toRemote(one)), bySelf);
    await pass(4 + EVERY_BLOCKS);
    assert.deepEqual(inputsOf(-1), [outpointKey(toRemote(two))]);
    assert.equal(own(one).sweptBy, undefined);
    await world.mine(sweepToRemote(one, "counterparty", 0));
    assert.equal(own(one).spend?.txid, bySelf);
    await pass(EVERY_BLOCKS + 2);
    assert.deepEqual(inputsOf(-1), [outpointKey(toRemote(two))]);
  });

  it("go on without an output that the node took from under them", async () => {
    const [one, two] = [await world.open(), await world.open()];
    await closed(one, two);
    await pass(4 + EVERY_BLOCKS);
    assert.equal(inputsOf(-1).length, 2);
    await world.mine(sweepToRemote(one, "counterparty", 0));
    assert.deepEqual(inputsOf(-1), [outpointKey(toRemote(two))]);
    assert.equal(own(one).sweptBy, undefined);
    assert.equal(own(two).sweptBy, sent().at(-1)?.txid);
  });

  it("come back after a reorganisation, and leave with the output they spend", async () => {
    const channel = await world.open();
    await closed(channel);
    await pass(4 + EVERY_BLOCKS);
    const raw = must(raws().at(-1), "the sweep");
    await world.mine(raw);
    assert.equal(await fresh(2), 0);
    world.chain.reorg(3, 4);
    await world.follow();
    assert.deepEqual(raws().at(-1), raw);
    const before = raws().length;
    world.chain.reorg(13, 14);
    await world.follow();
    assert.equal(raws().length, before, "the close is gone");
  });

  it("are left to the node when the destination is not valid, with one alarm", async () => {
    const channel = await world.open();
    await closed(channel);
    destination = {
      script: () => Promise.reject(new SweepDestinationInvalid("is no address of this network")),
    };
    assert.equal(await fresh(20), 0);
    const alarms = world.lines.filter(({ level }) => level === "error");
    assert.equal(alarms.length, 1);
    await startAgain();
    assert.equal(await fresh(1), 1, "once it is put right");
  });

  const startAgain = async (): Promise<void> => {
    destination = { script: (id) => Promise.resolve(scriptOf(id)) };
    await world.restart();
  };

  it("wait while bitcoind does not answer", async () => {
    const channel = await world.open();
    await closed(channel);
    await pass(3 + EVERY_BLOCKS);
    world.chain.judge = () => {
      throw new Error("no answer");
    };
    await pass(1);
    world.chain.judge = () => ({ kind: "accepted" });
    assert.equal(await fresh(1), 1);
    assert.equal(sent().at(-1)?.txid, own(channel).sweptBy);
  });
});
