/**
 * Start from the store: the same state after any prefix of a dance, and channels whose rows are damaged
 * are set apart while the others start.
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { blockHeight } from "@farwatch/protocol/block";
import { toHex } from "@farwatch/protocol/bytes";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { LogRow, MonitorStore, StoredState } from "@farwatch/monitor-service/store/store";
import type { Channel } from "../../harness/channel/channel.js";
import { SIDES } from "../../harness/channel/setup.js";
import { forwardSource } from "../../harness/channel/sources.js";
import { offer, secretNamed } from "../../harness/channel/test-channel.js";
import { World } from "./world.js";

interface Damage {
  readonly state?: (state: StoredState) => StoredState;
  readonly row?: (row: LogRow) => LogRow;
}

describe("restart", function () {
  this.timeout(120_000);
  let world: World;
  let damage: Damage;
  const wrapStore = (store: MonitorStore): MonitorStore => ({
    load: async () => {
      const state = await store.load();
      return damage.state?.(state) ?? state;
    },
    readLog: async (after, limit) => {
      const rows = await store.readLog(after, limit);
      return rows.map((row) => damage.row?.(row) ?? row);
    },
    findCounterpartyCommitment: (head, txid) => store.findCounterpartyCommitment(head, txid),
    readWatchPayload: (channelNo) => store.readWatchPayload(channelNo),
    readSnapshot: (channelNo) => store.readSnapshot(channelNo),
    findAnyCommitment: (head) => store.findAnyCommitment(head),
    findUpdate: (head, id) => store.findUpdate(head, id),
    findPenalties: (commitments, limit) => store.findPenalties(commitments, limit),
    readBack: (rowId, limit) => store.readBack(rowId, limit),
    close: () => store.close(),
    transact: (ops) => store.transact(ops),
  });
  beforeEach(async () => {
    damage = {};
    world = await World.start({ wrapStore });
  });
  afterEach(() => world.end());

  it("gives the same state after every single message of a dance with claims and fails", async () => {
    const channel = await world.open();
    const mine = offer(channel, "holder", 50_000, "one");
    const theirs = offer(channel, "counterparty", 60_000, "two");
    offer(channel, "holder", 200, "dust");
    let messages = 0;
    const step = async (): Promise<boolean> => {
      for (const side of SIDES) {
        if (channel.owesRevocation(side)) await channel.revoke(side);
        else if (channel.onItsWayTo(side) !== undefined) await channel.receiveNext(side);
        else if (channel.canSign(side)) await channel.signCommitment(side);
        else continue;
        return true;
      }
      return false;
    };
    const danceWithRestarts = async (): Promise<void> => {
      while (await step()) {
        messages++;
        const before = world.stateOf(channel.channelId);
        const pending = world.host.pendingEvents(world.manager.who, undefined);
        await world.restart();
        await world.openSession();
        assert.deepEqual(world.stateOf(channel.channelId), before, `message ${messages}`);
        assert.deepEqual(world.host.pendingEvents(world.manager.who, undefined), pending);
      }
    };
    await danceWithRestarts();
    await channel.fulfillHtlc(mine, secretNamed("one").preimage);
    channel.failHtlc(theirs);
    await danceWithRestarts();
    assert.ok(messages > 10);
    assert.equal(world.host.pendingEvents(world.manager.who, undefined).length, 1);
  });

  async function twoChannels(): Promise<readonly [Channel, Channel]> {
    const channels = [await world.open(), await world.open()] as const;
    for (const channel of channels) {
      await channel.learnPreimage("holder", secretNamed("first").preimage);
      await channel.learnPreimage("holder", secretNamed("second").preimage);
    }
    return channels;
  }
  const halted = (id: ChannelId): boolean | string => {
    const view = world.host.channel(world.manager.who, id);
    return view.ok ? view.value.halted : view.error.reason;
  };
  const flip = (bytes: Uint8Array): Uint8Array =>
    bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte));

  it("keeps a channel whose snapshot is damaged as unreadable, and starts the others", async () => {
    const [bad, good] = await twoChannels();
    damage = {
      state: (state) => ({
        ...state,
        snapshots: state.snapshots.map((row, index) =>
          index === 0 ? { ...row, bytes: flip(row.bytes) } : row,
        ),
      }),
    };
    await world.restart();
    await world.openSession();
    assert.deepEqual(
      [halted(bad.channelId), halted(good.channelId)],
      ["storedStateUnreadable", false],
    );
    const outcome = await world.submit(world.manager.update(bad.channelId, [closes]));
    assert.equal(outcome.refused[0]?.refusal.reason, "storedStateUnreadable");
    await good.learnPreimage("holder", secretNamed("third").preimage);
    const request = world.manager.watch(bad.initialState("holder"));
    const watched = await world.host.watchChannel(world.manager.who, request);
    assert.equal(!watched.ok && watched.error.reason, "storedStateUnreadable");
  });

  const rowDamages: readonly (readonly [string, (row: LogRow) => LogRow])[] = [
    ["payload", (row) => ({ ...row, payload: flip(row.payload) })],
    ["header", (row) => ({ ...row, header: flip(row.header) })],
    ["place in the log", (row) => ({ ...row, prevRowId: row.prevRowId + 1 })],
  ];
  for (const [what, spoil] of rowDamages) {
    it(`halts a channel whose log row has a damaged ${what}, and starts the others`, async () => {
      const [bad, good] = await twoChannels();
      damage = { row: (row) => (row.channelNo === 1 && row.updateId === 2n ? spoil(row) : row) };
      await world.restart();
      await world.openSession();
      assert.deepEqual([halted(bad.channelId), halted(good.channelId)], [true, false]);
      damage = {};
      await world.restart();
      await world.openSession();
      assert.deepEqual([halted(bad.channelId), halted(good.channelId)], [true, false]);
      await good.learnPreimage("holder", secretNamed("third").preimage);
      const outcome = await world.submit(world.manager.update(bad.channelId, [closes]));
      assert.notEqual(outcome.refused.length, 0);
    });
  }

  it("halts a channel whose stored events are not those its log gives", async () => {
    const [bad, good] = await twoChannels();
    await bad.forceClose("holder");
    damage = { state: (state) => ({ ...state, eventHeads: [] }) };
    await world.restart();
    assert.deepEqual([halted(bad.channelId), halted(good.channelId)], [true, false]);
    assert.ok(must(world.lines.at(-1), "a line").message !== "");
  });

  /** An HTLC from the first channel to the second, which is settled by what is returned. */
  async function forward(): Promise<readonly [Channel, Channel, () => Promise<void>]> {
    const [inbound, outbound] = [await world.open(), await world.open()];
    const received = offer(inbound, "counterparty", 60_000, "secret");
    await inbound.settle();
    const { id: htlcId, amountMsat, cltvExpiry } = received;
    const { channelId } = inbound;
    const sent = outbound.addHtlc("holder", {
      amountMsat: msat(59_000_000),
      paymentHash: secretNamed("secret").paymentHash,
      cltvExpiry: blockHeight(550),
      source: forwardSource({
        channelId,
        htlcId,
        amountMsat,
        cltvExpiry,
        userChannelId: undefined,
      }),
    });
    await outbound.settle();
    const fulfill = async (): Promise<void> => {
      await outbound.fulfillHtlc(sent, secretNamed("secret").preimage);
      await outbound.settle();
    };
    return [inbound, outbound, fulfill];
  }
  const firstSnapshotDamaged: Damage = {
    state: (state) => ({
      ...state,
      snapshots: state.snapshots.map((row, index) =>
        index === 0 ? { ...row, bytes: flip(row.bytes) } : row,
      ),
    }),
  };
  const ackResults = async (...events: readonly SealedMonitorEvent[]) => {
    const { manager, host } = world;
    const answer = await host.ackEvents(manager.who, manager.acks(host.info(), ...events));
    assert.ok(answer.ok);
    return answer.value;
  };
  const up = async (spoiled: Damage): Promise<void> => {
    damage = spoiled;
    await world.restart();
    await world.openSession();
  };

  it("says of no event of an unreadable channel that it is gone", async () => {
    const [bad] = await twoChannels();
    await bad.forceClose("holder");
    const [event] = world.host.pendingEvents(world.manager.who, bad.channelId);
    assert.ok(event !== undefined);
    await up(firstSnapshotDamaged);
    assert.equal(halted(bad.channelId), "storedStateUnreadable");
    assert.deepEqual(await ackResults(event), ["kept"]);
    await up({});
    assert.deepEqual(world.host.pendingEvents(world.manager.who, bad.channelId), [event]);
    assert.deepEqual(await ackResults(event), ["acked"]);
  });

  it("calls no event unknown that a channel halted at load may have had", async () => {
    const [, outbound, fulfill] = await forward();
    await fulfill();
    const [event] = world.host.pendingEvents(world.manager.who, outbound.channelId);
    assert.ok(event !== undefined);
    assert.deepEqual(await ackResults(event), ["acked"]);
    await up({
      row: (row) =>
        row.channelNo === 2 && row.updateId === 1n ? { ...row, prevRowId: 9999 } : row,
    });
    assert.equal(halted(outbound.channelId), true);
    assert.deepEqual(await ackResults(event), ["kept"]);
  });

  it("refuses preimages for an unreadable channel as that, and reports a relay to it", async () => {
    const [inbound, , fulfill] = await forward();
    await up(firstSnapshotDamaged);
    assert.equal(halted(inbound.channelId), "storedStateUnreadable");
    const { manager, host } = world;
    const { preimage } = secretNamed("late");
    const own = manager.preimages({ channelId: inbound.channelId, preimage });
    const result = await host.putPreimages(manager.who, own);
    assert.equal(result.ok && result.value.outcomes[0]?.refusal?.reason, "storedStateUnreadable");
    world.lines.length = 0;
    await fulfill();
    const errors = world.lines.filter(({ level }) => level === "error");
    assert.deepEqual(
      errors.map(({ fields }) => [fields["inboundChannelId"], fields["reason"]]),
      [[inbound.channelId, "storedStateUnreadable"]],
    );
    assert.ok(!JSON.stringify(world.lines).includes(toHex(secretNamed("secret").preimage)));
  });

  it("reports a relay to a halted channel, which keeps it in its log", async () => {
    const [inbound, , fulfill] = await forward();
    await up({
      state: (state) => ({ ...state, halts: [{ channelNo: 1, incident: "x", height: 200 }] }),
    });
    world.lines.length = 0;
    await fulfill();
    const errors = world.lines.filter(({ level }) => level === "error");
    assert.deepEqual(
      errors.map(({ fields }) => [fields["incident"], fields["reason"]]),
      [["x", "channelHalted"]],
    );
    await up({});
    const view = world.host.channel(world.manager.who, inbound.channelId);
    assert.ok(view.ok && view.value.state.preimages.has(secretNamed("secret").paymentHash));
  });

  it("keeps preimages for a halted channel in its log", async () => {
    const [bad] = await twoChannels();
    damage = {
      state: (state) => ({ ...state, halts: [{ channelNo: 1, incident: "x", height: 200 }] }),
    };
    await world.restart();
    await world.openSession();
    const { manager, host } = world;
    const secret = secretNamed("late").preimage;
    const batch = manager.preimages({ channelId: bad.channelId, preimage: secret });
    for (let i = 0; i < 2; i++) {
      const result = await host.putPreimages(manager.who, batch);
      assert.equal(result.ok && result.value.outcomes[0]?.refusal?.reason, "channelHalted");
      assert.equal(result.ok && result.value.receipt, undefined);
    }
    const log = await world.store.readLog(0, 1000);
    assert.equal(log.filter(({ kind }) => kind === "preimages").length, 1, "kept once");
    damage = {};
    await world.restart();
    const view = world.host.channel(manager.who, bad.channelId);
    assert.ok(view.ok && view.value.state.preimages.has(secretNamed("late").paymentHash));
  });
});

const closes = { kind: "channelForceClosed", shouldBroadcast: true, reason: "test" } as const;
