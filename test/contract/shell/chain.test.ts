/**
 * Blocks through the sink: closes, justice from the update log, reorganisations, halted channels, and
 * that a restart at any point gives the same state and publishes the same transactions.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import type { MonitorState } from "@farwatch/monitor-service/monitor/state";
import { broadcastableCommitment } from "../../harness/channel/broadcast.js";
import { createChannel, type Channel } from "../../harness/channel/channel.js";
import { offer, secretNamed, testChannelOptions } from "../../harness/channel/test-channel.js";
import { fundingTx } from "./funding.js";
import { World } from "./world.js";

describe("blocks through the sink", function () {
  this.timeout(120_000);
  let world: World;
  let brokenFor: Uint8Array | undefined;
  beforeEach(async () => {
    brokenFor = undefined;
    const wrapCurve = (curve: Curve): Curve => ({
      ...curve,
      publicKey(secret) {
        if (brokenFor !== undefined && Buffer.from(secret).equals(brokenFor)) {
          throw new Error("a bug in the core");
        }
        return curve.publicKey(secret);
      },
    });
    world = await World.start({ wrapCurve });
  });
  afterEach(() => world.end());

  let fundings = 0;
  /** A watched channel whose funding is in a block. */
  async function confirmed(keysId = 0x11): Promise<Channel> {
    const plan = createChannel({
      ...testChannelOptions,
      holder: { channelKeysId: new Uint8Array(32).fill(keysId) },
      counterparty: { channelKeysId: new Uint8Array(32).fill(keysId) },
      curve: world.curve,
      onUpdate: async (steps) => void (await world.accept(channel.channelId, steps)),
    });
    const funding = fundingTx(plan.fundingScriptPubkey, plan.setup.capacitySat, ++fundings);
    const channel = plan.open(funding.outpoint);
    const request = world.manager.watch(channel.initialState("holder"));
    assert.ok((await world.host.watchChannel(world.manager.who, request)).ok);
    await world.mine(funding.raw);
    return channel;
  }

  const state = (channel: Channel): MonitorState => {
    const view = world.host.channel(world.manager.who, channel.channelId);
    assert.ok(view.ok);
    return view.value.state;
  };
  const events = (channel: Channel): readonly MonitorEventBody[] =>
    world.host.pendingEvents(world.manager.who, channel.channelId).map((event) => {
      const payload = decodeEventPayload(event.payload);
      assert.ok(payload.ok);
      return payload.value.body;
    });
  const published = (): readonly Transaction[] =>
    world.chain.broadcasts.map((raw) => Transaction.fromBuffer(Buffer.from(raw)));
  const spends = (tx: Transaction, parent: string): boolean =>
    tx.ins.some(({ hash }) => Buffer.from(hash).reverse().toString("hex") === parent);

  it("sees the funding confirm and writes nothing for blocks that do not concern it", async () => {
    const channel = await confirmed();
    assert.equal(state(channel).fundingConfirmedAt, 201);
    const [row] = (await world.store.load()).snapshots;
    await world.mineEmpty(3);
    const stored = await world.store.load();
    assert.deepEqual(stored.snapshots, [row]);
    assert.equal(stored.headers[0]?.height, 204);
    assert.ok(stored.headers.length <= 144);
    assert.equal(state(channel).best.height, 204);
  });

  it("punishes a revoked commitment, with its HTLCs from the update log, after a restart too", async () => {
    const channel = await confirmed();
    offer(channel, "holder", 50_000, "one");
    offer(channel, "counterparty", 60_000, "two");
    await channel.settle();
    const cheat = broadcastableCommitment(channel, "counterparty");
    const { built, htlcs } = channel.commitment("counterparty");
    offer(channel, "holder", 70_000, "three");
    await channel.settle();
    await world.restart();
    await world.openSession();

    await world.mine(cheat);
    assert.equal(state(channel).spend?.kind, "revoked");
    const justice = published().filter((tx) => spends(tx, built.txid));
    const inputs = justice.flatMap(({ ins }) => ins).length;
    assert.equal(inputs, htlcs.length + 1, "both HTLCs and to_local");
    assert.equal(events(channel)[0]?.kind, "commitmentTxConfirmed");

    const sent = world.chain.broadcasts.length;
    const before = world.stateOf(channel.channelId);
    await world.restart();
    await world.running.published();
    assert.deepEqual(world.stateOf(channel.channelId), before);
    const again = world.chain.broadcasts.slice(sent).map((raw) => Buffer.from(raw).toString("hex"));
    assert.equal(again.length, justice.length);
    const first = world.chain.broadcasts
      .slice(0, sent)
      .map((raw) => Buffer.from(raw).toString("hex"));
    assert.deepEqual(again, first.slice(-again.length));
  });

  it("claims an HTLC whose preimage it knows from the counterparty's current commitment", async () => {
    const channel = await confirmed();
    offer(channel, "counterparty", 60_000, "in", 400);
    await channel.settle();
    await channel.learnPreimage("holder", secretNamed("in").preimage);
    await world.mine(broadcastableCommitment(channel, "counterparty"));
    assert.equal(state(channel).spend?.kind, "counterparty");
    const { txid } = channel.commitment("counterparty").built;
    assert.equal(published().filter((tx) => spends(tx, txid)).length, 1);
  });

  it("forgets what only lost blocks said, and says nothing new about it", async () => {
    const channel = await confirmed();
    await world.mine(broadcastableCommitment(channel, "counterparty"));
    assert.equal(state(channel).spend?.kind, "counterparty");
    const told = events(channel);
    world.chain.reorg(1, 2);
    await world.follow();
    assert.equal(state(channel).spend, undefined);
    assert.deepEqual(events(channel), told);
    await world.restart();
    assert.equal(state(channel).spend, undefined);
    assert.deepEqual((await world.store.load()).headers[0]?.height, 203);
    await world.mine(broadcastableCommitment(channel, "counterparty"));
    assert.equal(state(channel).spend?.kind, "counterparty");
    assert.deepEqual(events(channel), told, "told once");
  });

  it("goes on chain by itself when an HTLC's deadline is reached", async () => {
    const channel = await confirmed();
    offer(channel, "holder", 50_000, "slow", 205);
    await channel.settle();
    await world.mineEmpty(7);
    assert.equal(events(channel)[0]?.kind, "holderForceClosed");
    const { txid } = channel.commitment("holder").built;
    assert.ok(published().some((tx) => tx.getId() === txid));
  });

  it("halts only the channel whose block step breaks, and keeps it halted", async () => {
    const [bad, good] = [await confirmed(0x21), await confirmed(0x22)];
    for (const channel of [bad, good]) {
      offer(channel, "holder", 50_000, `of ${channel.channelId}`);
      await channel.settle();
    }
    const { party } = bad.setup.sides.counterparty;
    brokenFor = party.secrets.perCommitment(bad.commitment("counterparty", 0).number);
    const before = world.stateOf(bad.channelId);
    await world.mine(
      ...[bad, good].map((channel) => broadcastableCommitment(channel, "counterparty", 0)),
    );
    brokenFor = undefined;
    const halted = (channel: Channel): boolean => {
      const view = world.host.channel(world.manager.who, channel.channelId);
      return view.ok && view.value.halted;
    };
    const assertOnlyBadHalted = (): void => {
      assert.deepEqual([halted(bad), halted(good)], [true, false]);
      assert.equal(state(good).spend?.kind, "revoked");
    };
    assertOnlyBadHalted();
    assert.deepEqual(world.stateOf(bad.channelId), before);
    await world.restart();
    await world.openSession();
    assertOnlyBadHalted();
    await world.mineEmpty(1);
    assertOnlyBadHalted();
    assert.equal(state(good).best.height, 204);
    assert.equal((await world.store.load()).halts[0]?.height, 202);
    assert.deepEqual(world.fatal, []);
  });

  it("offers everything again after an outage, without waiting for a block", async () => {
    const channel = await confirmed();
    world.chain.down = true;
    await channel.forceClose("holder");
    await world.running.published();
    assert.deepEqual(published(), []);
    world.chain.down = false;
    world.running.sink.synced();
    await world.running.published();
    const { txid } = channel.commitment("holder").built;
    assert.deepEqual(
      published().map((tx) => tx.getId()),
      [txid],
    );
    world.running.sink.synced();
    await world.running.published();
    assert.equal(published().length, 2, "bitcoind may have lost its mempool");
  });

  it("retries what failed in an outage nobody else saw, and only that", async () => {
    const channel = await confirmed();
    world.chain.down = true;
    await channel.forceClose("holder");
    await world.running.published();
    world.chain.down = false;
    for (let i = 0; i < 3; i++) {
      await world.running.maintain();
      await world.running.published();
    }
    const { txid } = channel.commitment("holder").built;
    assert.deepEqual(
      published().map((tx) => tx.getId()),
      [txid],
    );
  });

  it("keeps going when the source refuses or fails, and offers everything again", async () => {
    const channel = await confirmed();
    await channel.forceClose("holder");
    await world.running.published();
    const first = world.chain.broadcasts.length;
    assert.ok(first > 0);
    world.chain.broadcast = async () => {
      throw new Error("connection refused");
    };
    await world.mineEmpty(1);
    assert.ok(world.lines.some(({ message }) => message === "broadcast failed"));
    world.chain.broadcast = async (raw) => {
      world.chain.broadcasts.push(raw);
      return { kind: "refused", reason: "insufficientFee", message: "min relay fee not met" };
    };
    await world.mineEmpty(1);
    const line = world.lines.find(({ message }) => message === "broadcast refused");
    assert.equal(line?.fields["role"], "holderCommitment");
    assert.equal(world.chain.broadcasts.length, first + 1);
    await world.mineEmpty(1);
    assert.equal(world.chain.broadcasts.length, first + 2);
  });
});
