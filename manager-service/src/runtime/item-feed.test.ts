/** Delivery of items: what cannot be sent ends the stream with a reason. */
import assert from "node:assert/strict";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { decodeRow, encodeRow } from "../manager/codec.js";
import { createTables } from "../manager/draft.js";
import { rowKeys, type ItemRow } from "../manager/rows.js";
import { CHANNEL, NODE } from "../manager/testing/scene.js";
import { BumpBoard } from "./bump-board.js";
import { ItemFeed } from "./item-feed.js";
import { settle, ToldItems } from "./testing/bench.js";

const row = (itemId: bigint, event: object): ItemRow =>
  decodeRow(
    encodeRow({ itemId, nodeKey: NODE, semanticKey: "k", event, createdAtMs: 1, handled: false }),
  );
const ALARM = { kind: "alarm", code: "c", text: "t" };
/** Rows that a build with other events, or damage, may leave. */
const UNWRITABLE = { kind: "paymentFailed", reason: "r" };

function feedOf(...rows: readonly ItemRow[]): ItemFeed {
  const tables = createTables();
  for (const item of rows) tables.item.set(rowKeys.item(item.itemId), item);
  return new ItemFeed(tables, new BumpBoard(tables, () => 1), BigInt(rows.length) + 1n);
}

describe("the item feed", () => {
  it("ends the stream with a refusal at an item that it cannot write", async () => {
    const feed = feedOf(row(1n, ALARM), row(2n, UNWRITABLE), row(3n, ALARM));
    const told = new ToldItems();
    feed.subscribe(NODE, told);
    await settle();
    assert.deepEqual(told.keys, ["k"], "nothing overtakes it");
    assert.equal(told.ended?.reason, "storedStateUnreadable");
    assert.equal(told.ended.details["item_id"], "2");
    const again = new ToldItems();
    feed.subscribe(NODE, again);
    await settle();
    assert.equal(again.ended?.reason, "storedStateUnreadable", "every time");
  });

  it("says how far the replay came, handled items included; what is live lies above", async () => {
    const handled = { ...row(3n, ALARM), handled: true };
    const tables = createTables();
    for (const item of [row(1n, ALARM), row(2n, ALARM), handled]) {
      tables.item.set(rowKeys.item(item.itemId), item);
    }
    const feed = new ItemFeed(tables, new BumpBoard(tables, () => 1), 4n);
    const told = new ToldItems();
    feed.subscribe(NODE, told);
    await settle();
    assert.deepEqual([told.replayed, told.lastItemId], [2, 3n]);
    tables.item.set(rowKeys.item(4n), row(4n, ALARM));
    feed.committed(row(4n, ALARM));
    await settle();
    assert.deepEqual([told.items.at(-1)?.itemId, told.lastItemId], [4n, 3n]);
  });

  it("hands over the command to close a channel that a node still has", async () => {
    const close = { kind: "closeChannel", channelId: CHANNEL, reason: "htlcDeadline" };
    const told = new ToldItems();
    feedOf(row(1n, close)).subscribe(NODE, told);
    await settle();
    const value = { channelId: Buffer.from(CHANNEL, "hex"), reason: ClosureReason.HTLC_DEADLINE };
    const command = { command: { $case: "channelClosed", value } };
    assert.deepEqual(told.items[0]?.item, { $case: "command", value: command });
    assert.equal(told.replayed, 1);
  });

  it("goes on after a leap of the item ids, whoever the items between are for", async () => {
    const tables = createTables();
    const feed = new ItemFeed(tables, new BumpBoard(tables, () => 1), 1n);
    const told = new ToldItems();
    feed.subscribe(NODE, told);
    await settle();
    const far = 1n << 40n;
    const other = { ...row(far + 1n, ALARM), nodeKey: "03" };
    for (const item of [row(far, ALARM), other, row(far + 2n, ALARM)]) {
      tables.item.set(rowKeys.item(item.itemId), item);
    }
    feed.committed(row(far, ALARM));
    await settle();
    const ids = (): readonly bigint[] => told.items.map(({ itemId }) => itemId);
    assert.deepEqual(ids(), [far], "what is not on disk waits");
    feed.committed(row(far + 2n, ALARM));
    await settle();
    assert.deepEqual(ids(), [far, far + 2n]);
  });

  it("steps over what was taken back without a look at all that is not handled (G23)", async () => {
    const tables = createTables();
    for (let id = 1n; id <= 20n; id += 1n) tables.item.set(rowKeys.item(id), row(id, ALARM));
    const feed = new ItemFeed(tables, new BumpBoard(tables, () => 1), 21n);
    const told = new ToldItems();
    feed.subscribe(NODE, told);
    await settle();
    const select = tables.item.select.bind(tables.item);
    let looks = 0;
    tables.item.select = (...wanted) => {
      looks += 1;
      return select(...wanted);
    };
    for (const id of [22n, 24n]) tables.item.set(rowKeys.item(id), row(id, ALARM));
    feed.committed(row(24n, ALARM));
    await settle();
    assert.deepEqual([told.items.length, looks], [22, 0]);
  });

  it("lets a subscriber that fails go without a word", async () => {
    const feed = feedOf(row(1n, ALARM));
    const told = new ToldItems();
    const broken = {
      item: () => Promise.reject(new Error("gone")),
      replayDone: (count: number) => told.replayDone(count, [], 0n),
      end: told.end.bind(told),
    };
    feed.subscribe(NODE, broken);
    await settle();
    assert.deepEqual([told.ended, told.replayed], [undefined, undefined]);
  });
});
