/**
 * The order "decide, commit, then let out", seen from outside: with commits held back nothing leaves;
 * with a failed commit the host is over; a crash at any named point loses nothing that was answered.
 */
import assert from "node:assert/strict";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { FailpointName } from "@farwatch/monitor-service/runtime/deps";
import { SNAPSHOT_AFTER_ROWS } from "@farwatch/monitor-service/runtime/limits";
import { StoreFailure, type MonitorStore } from "@farwatch/monitor-service/store/store";
import { secretNamed } from "../../harness/channel/test-channel.js";
import { World } from "./world.js";

const learns = (name: string): UpdateStep => ({
  kind: "paymentPreimage",
  preimage: secretNamed(name).preimage,
  paymentInfo: undefined,
});
const closes: UpdateStep = { kind: "channelForceClosed", shouldBroadcast: true, reason: "test" };
const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

/** A store whose commits are answered late, or refused, at the test's word. */
class Gate {
  held: Promise<void> | undefined;
  failing = false;
  wrap = (store: MonitorStore): MonitorStore => ({
    load: () => store.load(),
    readLog: (after, limit) => store.readLog(after, limit),
    findCounterpartyCommitment: (head, txid) => store.findCounterpartyCommitment(head, txid),
    readWatchPayload: (channelNo) => store.readWatchPayload(channelNo),
    readSnapshot: (channelNo) => store.readSnapshot(channelNo),
    findAnyCommitment: (head) => store.findAnyCommitment(head),
    findUpdate: (head, id) => store.findUpdate(head, id),
    findPenalties: (commitments, limit) => store.findPenalties(commitments, limit),
    readBack: (rowId, limit) => store.readBack(rowId, limit),
    close: () => store.close(),
    transact: async (ops) => {
      if (this.failing) throw new StoreFailure("disk full");
      const { held } = this;
      await store.transact(ops);
      await held;
    },
  });
}

describe("decide, commit, then let out", function () {
  this.timeout(60_000);
  let world: World;
  let gate: Gate;
  let hold: FailpointName | undefined;
  beforeEach(async () => {
    gate = new Gate();
    hold = undefined;
    world = await World.start({ wrapStore: (store) => gate.wrap(store) });
  });
  afterEach(() => world.end());

  it("lets no receipt, event, broadcast or view out before the commit", async () => {
    const channel = await world.open();
    const { manager, host } = world;
    const seen: string[] = [];
    host.subscribe(manager.who, 1n, {
      event: async (event) => void seen.push(`event ${event.eventId}`),
      endOfReplay: async () => undefined,
      bump: async () => undefined,
      end: () => undefined,
    });
    let release: () => void = () => undefined;
    gate.held = new Promise((resolve) => (release = resolve));
    const before = world.stateOf(channel.channelId);
    const answer = world.submit(manager.update(channel.channelId, [closes]));
    void answer.then(() => seen.push("receipt"));
    await soon();
    assert.equal(seen.length, 0);
    assert.equal(world.chain.broadcasts.length, 0);
    assert.deepEqual(world.stateOf(channel.channelId), before);
    assert.deepEqual(host.pendingEvents(manager.who, undefined), []);
    release();
    await answer;
    await world.running.published();
    assert.ok(seen.includes("event 1") && seen.includes("receipt"));
    assert.equal(world.chain.broadcasts.length, 1);
  });

  it("is over after a refused commit: one fatal call, no answers, nothing published", async () => {
    const channel = await world.open();
    const { manager, host } = world;
    gate.failing = true;
    const update = manager.update(channel.channelId, [closes]);
    await assert.rejects(world.submit(update), StoreFailure);
    await assert.rejects(world.submit(update), StoreFailure);
    await assert.rejects(host.openSession(manager.who, manager.session(host.info(), 2n)));
    await assert.rejects(world.mineEmpty(1), StoreFailure);
    assert.equal(world.fatal.length, 1);
    assert.deepEqual(world.chain.broadcasts, []);
    gate.failing = false;
    await assert.rejects(world.submit(update), StoreFailure, "for good");
    await world.restart();
    await world.openSession();
    assert.equal((await world.submit(update)).receipts?.receipts.length, 1);
  });

  it("writes a snapshot of an open channel in idle moments only, and the same state comes back", async () => {
    const channel = await world.open();
    const { manager } = world;
    const updates = Array.from({ length: SNAPSHOT_AFTER_ROWS + 1 }, (_, index) =>
      manager.update(channel.channelId, [learns(`row ${index}`)]),
    );
    await world.submit(...updates.slice(0, SNAPSHOT_AFTER_ROWS));
    assert.equal(await world.running.maintain(), 0);
    await world.submit(...updates.slice(SNAPSHOT_AFTER_ROWS));
    assert.equal((await world.store.load()).snapshots[0]?.logRowId, 0);
    const state = world.stateOf(channel.channelId);
    await world.restart();
    assert.deepEqual(world.stateOf(channel.channelId), state);
    assert.equal(await world.running.maintain(), 1);
    assert.equal((await world.store.load()).snapshots[0]?.logRowId, SNAPSHOT_AFTER_ROWS + 1);
    await world.restart();
    assert.deepEqual(world.stateOf(channel.channelId), state);
  });

  for (const point of ["afterDecide", "afterCommit", "afterEvents", "beforeReply"] as const) {
    it(`crash ${point}: what was not answered may be repeated, what is stored is whole`, async () => {
      await world.end();
      world = await World.start({
        failpoint: (name) => (name === hold ? new Promise(() => undefined) : undefined),
      });
      const channel = await world.open();
      const { manager } = world;
      const update = manager.update(channel.channelId, [closes]);
      const seen: string[] = [];
      world.host.subscribe(manager.who, 1n, {
        event: async (event) => void seen.push(`event ${event.eventId}`),
        endOfReplay: async () => undefined,
        bump: async () => undefined,
        end: () => undefined,
      });
      hold = point;
      void world.submit(update).then(() => seen.push("receipt"));
      await soon();
      const stored = point !== "afterDecide";
      const told = point === "afterEvents" || point === "beforeReply";
      assert.deepEqual(seen, told ? ["event 1"] : []);
      assert.equal(world.chain.broadcasts.length, point === "beforeReply" ? 1 : 0);
      hold = undefined;
      await world.restart();
      await world.openSession();
      await world.running.published();
      assert.equal((await world.store.readLog(0, 10)).length, stored ? 1 : 0);
      assert.equal(world.host.pendingEvents(manager.who, undefined).length, stored ? 1 : 0);
      assert.equal(world.chain.broadcasts.length > 0, stored);
      const again = await world.submit(update);
      assert.equal(again.receipts?.receipts.length, 1);
      assert.equal((await world.store.readLog(0, 10)).length, 1);
    });
  }
});
