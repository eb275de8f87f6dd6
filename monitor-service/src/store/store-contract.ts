/**
 * The promises every store must keep (port store.ts), as a mocha suite over a factory: each test runs
 * against a store just created and again after it was closed and reopened.
 */
import assert from "node:assert/strict";
import { sat } from "@farwatch/protocol/amount";
import { hash32, txid, updateId } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import { StoreFailure, type LogRow, type MonitorStore, type StoredState } from "./store.js";
import {
  batchRow,
  bumpRow,
  channelRow,
  epochRow,
  eventRow,
  headerRow,
  hex,
  logRow,
  snapshotRow,
  sweepRow,
} from "./testing/rows.js";

export interface StoreFactory {
  /** A new, empty store in its own place. */
  create(): Promise<StorePlace>;
}
export interface StorePlace {
  open(): Promise<MonitorStore>;
  remove(): Promise<void>;
}

export function describeStoreContract(name: string, factory: StoreFactory): void {
  for (const reopened of [false, true]) {
    describe(`${name}, ${reopened ? "read after reopening" : "read at once"}`, () => {
      contract(factory, reopened);
    });
  }
}

async function allLog(store: MonitorStore): Promise<readonly LogRow[]> {
  const rows: LogRow[] = [];
  for (;;) {
    const page = await store.readLog(rows.at(-1)?.rowId ?? 0, 7);
    if (page.length === 0) return rows;
    rows.push(...page);
  }
}

function contract(factory: StoreFactory, reopened: boolean): void {
  let place: StorePlace;
  let store: MonitorStore;
  /** What the rest of a test reads from: the same store, or the same files opened again. */
  const settled = async (): Promise<MonitorStore> => {
    if (!reopened) return store;
    await store.close();
    store = await place.open();
    return store;
  };
  const loaded = async (): Promise<StoredState> => (await settled()).load();

  beforeEach(async () => {
    place = await factory.create();
    store = await place.open();
  });
  afterEach(async () => {
    await store.close();
    await place.remove();
  });

  it("finds penalties by their commitment, newest first, and walks a channel back", async () => {
    const [one, other] = [txid(hex("ab", 32)), txid(`${hex("cd", 24)}${hex("ab", 8)}`)];
    const rows = [1, 2, 3, 4].map((rowId) =>
      logRow({ rowId, prevRowId: rowId > 2 ? rowId - 2 : 0 }),
    );
    await store.transact([
      ...rows.map((row) => ({ op: "appendLog" as const, row })),
      { op: "insertPenalty", row: { commitmentTxid: one, channelNo: 1, logRowId: 1 } },
      { op: "insertPenalty", row: { commitmentTxid: one, channelNo: 1, logRowId: 3 } },
      { op: "insertPenalty", row: { commitmentTxid: one, channelNo: 1, logRowId: 3 } },
      {
        op: "insertPenalty",
        row: { commitmentTxid: txid(hex("ee", 32)), channelNo: 2, logRowId: 2 },
      },
    ]);
    const again = await settled();
    const ids = (found: readonly LogRow[]): readonly number[] => found.map(({ rowId }) => rowId);
    assert.deepEqual(ids(await again.findPenalties([one], 9)), [3, 1]);
    assert.deepEqual(ids(await again.findPenalties([one], 1)), [3], "the newest of the channel");
    await again.transact([
      { op: "insertPenalty", row: { commitmentTxid: one, channelNo: 2, logRowId: 4 } },
    ]);
    assert.deepEqual(ids(await again.findPenalties([one], 1)), [4, 3], "of each channel");
    assert.deepEqual(
      ids(await again.findPenalties([other], 9)),
      [4, 3, 1],
      "the same first 8 bytes",
    );
    assert.deepEqual(ids(await again.findPenalties([txid(hex("0f", 32))], 9)), []);
    assert.deepEqual(ids(await again.readBack(4, 10)), [4, 2]);
    assert.deepEqual(ids(await again.readBack(3, 1)), [3]);
  });

  it("starts empty, with an id and a generation", async () => {
    const state = await loaded();
    assert.match(state.storeId, /^[0-9a-f]{32}$/);
    assert.equal(state.storeGen, reopened ? 2n : 1n);
    assert.deepEqual(state.nextRowIds, { log: 1, batch: 1, event: 1, channel: 1, sweep: 1 });
    assert.deepEqual(
      [state.epochs, state.channels, state.snapshots, state.events, state.headers],
      [[], [], [], [], []],
    );
  });

  it("keeps its id and raises its generation at every opening", async () => {
    const first = await store.load();
    await store.close();
    store = await place.open();
    const second = await loaded();
    assert.equal(second.storeId, first.storeId);
    assert.ok(second.storeGen > first.storeGen);
  });

  it("keeps an archived channel's rows, and leaves them out of what a start loads", async () => {
    const [archived, live] = [channelRow(1), channelRow(2)];
    await store.transact([
      { op: "insertChannel", row: archived },
      { op: "insertChannel", row: live },
      { op: "appendLog", row: logRow({ rowId: 1, updateId: updateId(5) }) },
      { op: "insertEvent", row: eventRow(1, 1, 3n) },
      { op: "deleteEvent", rowId: 1 },
      { op: "putSnapshot", row: snapshotRow(1, 1) },
      { op: "putSnapshot", row: snapshotRow(2, 0) },
    ]);
    const row = {
      channelNo: 1,
      height: 9_000,
      headRowId: 1,
      latestUpdateId: updateId(5),
      latestUpdateHash: hash32(hex("77", 32)),
    };
    await store.transact([{ op: "putArchive", row }]);
    await store.transact([{ op: "putArchive", row: { ...row, headRowId: 2 } }]);
    const state = await loaded();
    assert.deepEqual(state.channels, [live]);
    assert.deepEqual(state.snapshots, [snapshotRow(2, 0)]);
    assert.deepEqual(state.eventHeads, []);
    const { channelId, managerKey, watchHash } = archived;
    const whole = { ...row, headRowId: 2, channelId, managerKey, watchHash, lastEventId: 3n };
    assert.deepEqual(state.archived, [whole]);
    assert.equal(state.nextRowIds.channel, 3);
    assert.deepEqual(await store.readSnapshot(1), snapshotRow(1, 1));
    assert.equal(await store.readSnapshot(3), undefined);
    assert.deepEqual(await store.readWatchPayload(1), channelRow(1).payload);
    assert.equal(await store.readWatchPayload(3), undefined);
    assert.equal((await store.findUpdate(1, updateId(5)))?.rowId, 1);
  });

  it("returns every row as it was given", async () => {
    const rows = {
      epoch: epochRow(3n),
      channel: channelRow(1),
      batch: batchRow(1),
      update: logRow({ rowId: 1, updateId: updateId((1n << 64n) - 1n), batchRowId: 1 }),
      record: logRow({ rowId: 2, prevRowId: 1, kind: "preimages", updateId: updateId(0) }),
      event: eventRow(1, 1, 1n),
      snapshot: snapshotRow(1, 1),
      header: headerRow(7),
    };
    await store.transact([
      { op: "putEpoch", row: rows.epoch },
      { op: "insertChannel", row: rows.channel },
      { op: "insertBatch", row: rows.batch },
      { op: "appendLog", row: rows.update },
      { op: "appendLog", row: rows.record },
      { op: "insertEvent", row: rows.event },
      { op: "putSnapshot", row: rows.snapshot },
      { op: "putHalt", row: { channelNo: 1, incident: "first", height: 6 } },
      { op: "putHalt", row: { channelNo: 1, incident: "second", height: 7 } },
      { op: "putHeader", row: rows.header },
    ]);
    const state = await loaded();
    assert.deepEqual(state.epochs, [rows.epoch]);
    assert.deepEqual(state.channels, [rows.channel]);
    assert.deepEqual(state.snapshots, [rows.snapshot]);
    assert.deepEqual(state.events, [rows.event]);
    assert.deepEqual(state.headers, [rows.header]);
    assert.deepEqual(state.halts, [{ channelNo: 1, incident: "first", height: 6 }]);
    assert.deepEqual(await allLog(store), [rows.update, rows.record]);
    assert.deepEqual(state.nextRowIds, { log: 3, batch: 2, event: 2, channel: 2, sweep: 1 });
  });

  it("replaces epochs and snapshots, and keeps the header ring between its bounds", async () => {
    await store.transact([
      { op: "putEpoch", row: epochRow(1n) },
      { op: "putEpoch", row: epochRow(2n) },
      { op: "putSnapshot", row: snapshotRow(1, 1) },
      { op: "putSnapshot", row: snapshotRow(1, 9) },
      ...[1, 2, 3, 4, 5].map((height) => ({ op: "putHeader" as const, row: headerRow(height) })),
      { op: "deleteHeadersAbove", height: 4 },
      { op: "deleteHeadersBelow", height: 2 },
      { op: "putHeader", row: headerRow(4, "cc") },
    ]);
    const state = await loaded();
    assert.deepEqual(state.epochs, [epochRow(2n)]);
    assert.deepEqual(state.snapshots, [snapshotRow(1, 9)]);
    assert.deepEqual(state.headers, [headerRow(4, "cc"), headerRow(3), headerRow(2)]);
  });

  it("keeps the newest version of each sweep that is not over, and every number for good", async () => {
    const [one, two] = [sweepRow(1), sweepRow(2)];
    const txids = [...one.txids, ...two.txids];
    const bumped = { ...one, feeSat: sat(900), spends: [must(one.spends[0], "spent")], txids };
    await store.transact([
      { op: "putSweep", row: one },
      { op: "putSweep", row: two },
      { op: "putSweep", row: bumped },
      { op: "putSweep", row: { ...two, isOver: true } },
    ]);
    const state = await loaded();
    const { isOver: _, ...sweep } = bumped;
    assert.deepEqual(state.sweeps, [sweep]);
    assert.equal(state.nextRowIds.sweep, 3);
  });

  it("remembers a channel's last event after the event is deleted", async () => {
    await store.transact([
      { op: "insertEvent", row: eventRow(1, 1, 1n) },
      { op: "insertEvent", row: eventRow(2, 1, 2n) },
      { op: "insertEvent", row: eventRow(3, 2, 1n) },
    ]);
    await store.transact([
      { op: "deleteEvent", rowId: 2 },
      { op: "deleteEvent", rowId: 77 },
    ]);
    const state = await loaded();
    assert.deepEqual(state.events, [eventRow(1, 1, 1n), eventRow(3, 2, 1n)]);
    assert.deepEqual(state.eventHeads, [
      { channelNo: 1, lastEventId: 2n, lastEventHash: eventRow(2, 1, 2n).event.eventHash },
      { channelNo: 2, lastEventId: 1n, lastEventHash: eventRow(3, 2, 1n).event.eventHash },
    ]);
  });

  it("keeps the newest transaction of a bump, per channel, until it is deleted", async () => {
    await store.transact([
      { op: "putBump", row: bumpRow(1, "aa", 1) },
      { op: "putBump", row: bumpRow(1, "bb", 2) },
      { op: "putBump", row: bumpRow(2, "aa", 3) },
      { op: "putBump", row: bumpRow(1, "aa", 4) },
      { op: "deleteBump", channelNo: 1, bumpId: bumpRow(1, "bb", 0).bumpId },
    ]);
    const { bumps } = await loaded();
    assert.deepEqual(
      [...bumps].sort((a, b) => a.channelNo - b.channelNo),
      [bumpRow(1, "aa", 4), bumpRow(2, "aa", 3)],
    );
  });

  it("applies transactions in call order without waiting between them", async () => {
    const count = 300;
    const done: number[] = [];
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        await store.transact([{ op: "appendLog", row: logRow({ rowId: index + 1 }) }]);
        done.push(index);
      }),
    );
    assert.deepEqual(
      done,
      [...done].sort((a, b) => a - b),
    );
    const rows = await allLog(await settled());
    assert.deepEqual(
      rows.map((row) => row.rowId),
      Array.from({ length: count }, (_, index) => index + 1),
    );
  });

  it("reads what was written before the read, though nobody waited for it", async () => {
    const write = store.transact([{ op: "appendLog", row: logRow({ rowId: 1 }) }]);
    assert.equal((await store.readLog(0, 10)).length, 1);
    await write;
  });

  it("walks one channel's log back to a commitment and to an update id", async () => {
    const wanted = txid(hex("5e", 32));
    const other = txid(hex("e5", 32));
    await store.transact(
      Array.from({ length: 2500 }, (_, index) => ({
        op: "appendLog" as const,
        row: logRow({
          rowId: index + 1,
          channelNo: 1 + (index % 2),
          prevRowId: Math.max(0, index - 1),
          updateId: updateId(index >> 1),
          counterpartyTxids: index < 4 ? [other, wanted] : [],
        }),
      })),
    );
    const from = await settled();
    const found = (row: LogRow | undefined): number => must(row, "found").rowId;
    assert.equal(found(await from.findCounterpartyCommitment(2500, wanted)), 4);
    assert.equal(found(await from.findCounterpartyCommitment(2499, wanted)), 3);
    assert.equal(found(await from.findCounterpartyCommitment(2499, other)), 3);
    assert.deepEqual((await allLog(from))[0]?.counterpartyTxids, [other, wanted]);
    assert.equal(await from.findCounterpartyCommitment(2500, txid(hex("00", 32))), undefined);
    assert.equal(found(await from.findAnyCommitment(2500)), 4);
    assert.equal(found(await from.findAnyCommitment(2)), 2);
    assert.equal(await from.findAnyCommitment(0), undefined);
    assert.equal(found(await from.findUpdate(2500, updateId(10))), 22);
    assert.equal(await from.findUpdate(2500, updateId(5000)), undefined);
    assert.equal(await from.findUpdate(0, updateId(10)), undefined);
  });

  it("fails for good when a transaction fails, and keeps nothing of it", async () => {
    await store.transact([{ op: "insertChannel", row: channelRow(1) }]);
    const bad = store.transact([
      { op: "appendLog", row: logRow({ rowId: 1 }) },
      { op: "insertChannel", row: channelRow(1) },
      { op: "appendLog", row: logRow({ rowId: 2 }) },
    ]);
    const later = store.transact([{ op: "appendLog", row: logRow({ rowId: 3 }) }]);
    await assert.rejects(bad, StoreFailure);
    await assert.rejects(later, StoreFailure);
    await assert.rejects(store.transact([]), StoreFailure);
    await assert.rejects(store.load(), StoreFailure);
    await store.close();
    store = await place.open();
    assert.deepEqual(await allLog(await settled()), []);
    assert.equal((await store.load()).channels.length, 1);
  });

  it("finishes what it was given before it closes, and refuses what comes after", async () => {
    const write = store.transact([{ op: "appendLog", row: logRow({ rowId: 1 }) }]);
    const closed = store.close();
    await write;
    await closed;
    await assert.rejects(store.transact([]), StoreFailure);
    store = await place.open();
    assert.deepEqual(await allLog(store), [logRow({ rowId: 1 })]);
  });

  it("stores views of larger buffers by their own bytes only", async () => {
    const large = new Uint8Array(1024).fill(9);
    const row = logRow({
      rowId: 1,
      payload: large.subarray(10, 14),
      updateHash: hash32(hex("aa", 32)),
    });
    await store.transact([{ op: "appendLog", row }]);
    const [read] = await allLog(await settled());
    assert.deepEqual(must(read, "row").payload, Uint8Array.of(9, 9, 9, 9));
  });
}
