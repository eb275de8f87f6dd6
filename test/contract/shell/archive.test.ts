/**
 * The archive of a whole host: moved once and durably, kept through restarts, still answered, refused to
 * everything that would change it, and a preimage for it is never dropped.
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { htlcId, managerKey, type ChannelId } from "@farwatch/protocol/ids";
import { forwardSource } from "../../harness/channel/sources.js";
import type { AnyView, ChannelView } from "@farwatch/monitor-service/runtime/monitor-host";
import type { Channel } from "../../harness/channel/channel.js";
import { secretNamed } from "../../harness/channel/test-channel.js";
import { blockHeight } from "@farwatch/protocol/block";
import { cooperativeCloseTx } from "../../harness/channel/cooperative-close.js";
import { World } from "./world.js";

const DELAY = 4032;

function withKeys(view: AnyView): ChannelView {
  assert.ok("state" in view, "a channel with keys");
  return view;
}

describe("archive", function () {
  this.timeout(240_000);
  let world: World;
  beforeEach(async () => {
    world = await World.start();
  });
  afterEach(() => world.end());

  /** A channel that is archived with the next block: closed unfunded, nothing in it is ours. */
  async function worthless(): Promise<Channel> {
    const channel = await world.open({ opener: "counterparty", pushMsat: msat(0) });
    await channel.forceClose("holder", false, "the funding never came");
    return channel;
  }

  const archivedChannel = async (): Promise<Channel> => {
    const channel = await worthless();
    await world.mineEmpty(1);
    assert.equal(world.host.info().archivedChannels, 1);
    return channel;
  };

  const reasonOf = (id: ChannelId): string => {
    const view = world.host.channel(world.manager.who, id);
    return view.ok ? "live" : view.error.reason;
  };
  const list = async (filter: "live" | "archived" | "all", limit = 10) => {
    const page = await world.host.channels(world.manager.who, { filter, after: undefined, limit });
    return page.views.map((view) => withKeys(view).state.parameters.channelId);
  };

  it("moves a channel once, keeps its rows, and answers from disk, before and after a restart", async () => {
    const channel = await worthless();
    const other = await world.open();
    assert.equal(reasonOf(channel.channelId), "live");
    await world.mineEmpty(1);
    for (const restarted of [false, true]) {
      if (restarted) await world.restart();
      assert.equal(reasonOf(channel.channelId), "channelArchived");
      const { channels, archivedChannels } = world.host.info();
      assert.deepEqual([channels, archivedChannels], [1, 1]);
      const view = await world.host.anyChannel(world.manager.who, channel.channelId);
      assert.ok(view.ok);
      assert.equal(view.value.archivedAt, 201);
      const { state } = withKeys(view.value);
      assert.equal(state.latestUpdateId, 1n);
      assert.equal(state.best.height, 201);
      assert.deepEqual(await list("live"), [other.channelId]);
      assert.deepEqual(await list("archived"), [channel.channelId]);
      assert.deepEqual(await list("all"), [channel.channelId, other.channelId].sort());
      assert.deepEqual(await list("all", 1), [[channel.channelId, other.channelId].sort()[0]]);
    }
    const stored = await world.store.load();
    assert.equal(stored.archived.length, 1);
    assert.equal(stored.channels.length, 1);
    const log = await world.store.readLog(0, 100);
    assert.ok(log.some(({ channelNo }) => channelNo === stored.archived[0]?.channelNo));
    await world.mineEmpty(1);
    assert.deepEqual((await world.store.load()).archived, stored.archived);
  });

  it("is not shown as archived before that is on disk", async () => {
    await world.end();
    let release: (() => void) | undefined;
    let hold = false;
    world = await World.start({
      failpoint: async (name) => {
        if (hold && name === "afterDecide") await new Promise<void>((done) => (release = done));
      },
    });
    const channel = await worthless();
    hold = true;
    const mined = world.mineEmpty(1);
    while (release === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    const early = await world.host.anyChannel(world.manager.who, channel.channelId);
    assert.ok(early.ok);
    assert.equal(early.value.archivedAt, undefined);
    hold = false;
    release();
    await mined;
    const late = await world.host.anyChannel(world.manager.who, channel.channelId);
    assert.ok(late.ok);
    assert.equal(late.value.archivedAt, 201);
  });

  it("answers what was answered before, and refuses what is new", async () => {
    const channel = await worthless();
    const first = world.manager.watch(channel.initialState("holder"));
    const close = world.manager.update(channel.channelId, [
      { kind: "channelForceClosed", shouldBroadcast: false, reason: "the funding never came" },
    ]);
    await world.mineEmpty(1);
    const { who } = world.manager;
    const again = await world.host.watchChannel(who, first);
    assert.ok(again.ok);
    assert.equal(again.value.receipts[0]?.status, "appliedAfterClose");
    const repeated = await world.submit(close);
    assert.deepEqual(repeated.refused, []);
    assert.equal(repeated.receipts?.receipts[0]?.status, "appliedAfterClose");
    const { preimage } = secretNamed("late");
    const next = await world.submit(
      world.manager.update(channel.channelId, [
        { kind: "paymentPreimage", preimage, paymentInfo: undefined },
      ]),
    );
    assert.equal(next.refused[0]?.refusal.reason, "channelArchived");
    const broadcast = await world.host.broadcastHolder(who, {
      channelId: channel.channelId,
      reason: "r",
      overrideStale: true,
      epoch: world.manager.epoch,
    });
    assert.ok(!broadcast.ok && broadcast.error.reason === "channelArchived");
    const stranger = await world.host.anyChannel(
      { ...who, managerKey: managerKey("ee".repeat(32)) },
      channel.channelId,
    );
    assert.ok(!stranger.ok && stranger.error.reason === "notYourChannel");
  });

  it("keeps a preimage once, durably, and does not act on it", async () => {
    const channel = await archivedChannel();
    const { preimage } = secretNamed("late");
    const record = { channelId: channel.channelId, preimage };
    const { who } = world.manager;
    for (let i = 0; i < 2; i++) {
      const put = await world.host.putPreimages(who, world.manager.preimages(record));
      assert.ok(put.ok);
      assert.equal(put.value.outcomes[0]?.refusal, undefined);
    }
    const rows = async () =>
      (await world.store.readLog(0, 100)).filter(({ kind }) => kind === "preimages");
    const [row, ...more] = await rows();
    assert.deepEqual(more, []);
    assert.deepEqual(row?.payload, Uint8Array.from(preimage));
    const { archived } = await world.store.load();
    assert.equal(archived[0]?.headRowId, row?.rowId);
    await world.restart();
    await world.openSession();
    assert.equal(world.host.info().archivedChannels, 1);
  });

  it("keeps a preimage that another channel learns for it", async () => {
    const gone = await archivedChannel();
    const outbound = await world.open();
    const secret = secretNamed("relayed");
    const htlc = outbound.addHtlc("holder", {
      amountMsat: msat(50_000_000),
      paymentHash: secret.paymentHash,
      cltvExpiry: blockHeight(900),
      source: forwardSource({
        channelId: gone.channelId,
        htlcId: htlcId(0),
        amountMsat: msat(51_000_000),
        cltvExpiry: blockHeight(1_000),
        userChannelId: undefined,
      }),
    });
    await outbound.settle();
    await outbound.fulfillHtlc(htlc, secret.preimage);
    await outbound.settle();
    const { archived } = await world.store.load();
    const kept = (await world.store.readLog(0, 1_000)).filter(
      ({ kind, channelNo }) => kind === "preimages" && channelNo === archived[0]?.channelNo,
    );
    assert.deepEqual(kept[0]?.payload, Uint8Array.from(secret.preimage));
  });

  it("holds back a channel with an un-acked event; acks of an archived one stay answered", async () => {
    const channel = await world.open({ opener: "counterparty", pushMsat: msat(0) });
    await channel.forceClose("holder", true, "close");
    await world.mineEmpty(1);
    const [event] = world.host.pendingEvents(world.manager.who, channel.channelId);
    const acks = world.manager.acks(world.host.info(), must(event, "holderForceClosed"));
    assert.equal(reasonOf(channel.channelId), "live");
    const ack = async () => {
      const done = await world.host.ackEvents(world.manager.who, acks);
      assert.ok(done.ok);
      return done.value;
    };
    assert.deepEqual(await ack(), ["acked"]);
    await world.mineEmpty(1);
    assert.equal(reasonOf(channel.channelId), "channelArchived");
    assert.deepEqual(await ack(), ["alreadyAcked"]);
    await world.restart();
    await world.openSession();
    assert.deepEqual(await ack(), ["alreadyAcked"]);
  });

  it("four weeks after a close, counted on through a restart", async () => {
    const channel = await world.open();
    await world.mine(cooperativeCloseTx(channel, 500n));
    await world.mineEmpty(5);
    const { who } = world.manager;
    const events = world.host.pendingEvents(who, channel.channelId);
    assert.ok(
      (await world.host.ackEvents(who, world.manager.acks(world.host.info(), ...events))).ok,
    );
    await world.mineEmpty(1);
    const view = world.host.channel(who, channel.channelId);
    assert.ok(view.ok);
    assert.deepEqual(view.value.archival, { kind: "delay", dueAt: 207 + DELAY });
    await world.restart();
    await world.mineEmpty(DELAY - 1);
    assert.equal(reasonOf(channel.channelId), "live");
    await world.mineEmpty(1);
    assert.equal(reasonOf(channel.channelId), "channelArchived");
  });
});
