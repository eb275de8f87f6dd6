/**
 * The promises every store of the manager must keep (port store.ts), as a mocha suite over a factory:
 * each test reads from a store just written and again after it was closed and reopened.
 */
import assert from "node:assert/strict";
import { ON_DISK, TABLES, StoreFailure } from "./store.js";
import type { ManagerStore, RowChange, StoredRow, TableName } from "./store.js";

export interface StorePlace {
  open(): Promise<ManagerStore>;
  remove(): Promise<void>;
}
export interface StoreFactory {
  /** A new, empty store in its own place. */
  create(): StorePlace;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const put = (table: TableName, key: string, text: string): RowChange => ({
  table,
  key,
  value: bytes(text),
});
const remove = (table: TableName, key: string): RowChange => ({ table, key, value: undefined });
const texts = (rows: readonly StoredRow[]): [string, string][] =>
  rows.map(({ key, value }) => [key, new TextDecoder().decode(value)]);

export function describeStoreContract(name: string, factory: StoreFactory): void {
  for (const reopened of [false, true]) {
    describe(`${name}, ${reopened ? "read after reopening" : "read at once"}`, () => {
      contract(factory, reopened);
    });
  }
}

function contract(factory: StoreFactory, reopened: boolean): void {
  let place: StorePlace;
  let store: ManagerStore;
  const settled = async (): Promise<ManagerStore> => {
    if (!reopened) return store;
    await store.close();
    store = await place.open();
    return store;
  };
  const all = async (table: TableName): Promise<[string, string][]> =>
    texts(await (await settled()).range(table, "", "~", 1000));

  beforeEach(async () => {
    place = factory.create();
    store = await place.open();
  });
  afterEach(async () => {
    await store.close();
    await place.remove();
  });

  it("loads nothing from a new store", async () => {
    const { rows } = await (await settled()).load();
    for (const table of TABLES) assert.deepEqual(rows[table], []);
  });

  it("raises the epoch at each load", async () => {
    const first = await store.load();
    assert.equal(first.epoch, 1n);
    assert.equal((await (await settled()).load()).epoch, 2n);
    assert.equal((await (await settled()).load()).epoch, 3n);
  });

  it("loads every table in key order, but none of those that stay on disk", async () => {
    for (const table of TABLES) {
      await store.transact([put(table, "b", `${table} b`), put(table, "a", `${table} a`)]);
    }
    const { rows } = await (await settled()).load();
    for (const table of TABLES) {
      const expected = ON_DISK.includes(table) ? [] : ["a", "b"].map((k) => [k, `${table} ${k}`]);
      assert.deepEqual(texts(rows[table]), expected);
    }
    assert.deepEqual(await all("update"), [
      ["a", "update a"],
      ["b", "update b"],
    ]);
  });

  it("keeps bytes exactly, empty and large ones too", async () => {
    const large = new Uint8Array(3 * 1024 * 1024).map((_, index) => index % 251);
    const view = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
    await store.transact([
      { table: "update", key: "large", value: large },
      { table: "update", key: "view", value: view },
      { table: "update", key: "void", value: new Uint8Array(0) },
    ]);
    const rows = await (await settled()).range("update", "", "~", 10);
    const found = rows.map(({ value }) => Buffer.from(value));
    assert.deepEqual(
      found,
      [large, view, new Uint8Array(0)].map((value) => Buffer.from(value)),
    );
  });

  it("applies the changes of a transaction in order", async () => {
    await store.transact([
      put("meta", "k", "1"),
      put("meta", "k", "2"),
      put("meta", "gone", "1"),
      remove("meta", "gone"),
      remove("meta", "back"),
      put("meta", "back", "1"),
    ]);
    assert.deepEqual(await all("meta"), [
      ["back", "1"],
      ["k", "2"],
    ]);
  });

  it("applies transactions in call order without waiting for them", async () => {
    const writes = Array.from({ length: 500 }, (_, n) =>
      store.transact([put("meta", "last", String(n)), put("item", String(n).padStart(4, "0"), "")]),
    );
    await Promise.all(writes);
    assert.deepEqual(await all("meta"), [["last", "499"]]);
    assert.equal((await all("item")).length, 500);
  });

  it("reads what earlier calls wrote", async () => {
    const write = store.transact([put("update", "a", "1")]);
    assert.deepEqual(texts(await store.range("update", "a", "b", 1)), [["a", "1"]]);
    await write;
  });

  it("reads a range: from included, to excluded, up to the limit", async () => {
    await store.transact(["1", "2", "3", "4"].map((key) => put("update", key, key)));
    const keys = async (from: string, to: string, limit: number): Promise<string> =>
      (await (await settled()).range("update", from, to, limit)).map(({ key }) => key).join("");
    assert.equal(await keys("2", "4", 10), "23");
    assert.equal(await keys("2", "4", 2), "23");
    assert.equal(await keys("2", "4", 1), "2");
    assert.equal(await keys("2", "4", 0), "");
    assert.equal(await keys("3", "3", 10), "");
    assert.equal(await keys("5", "9", 10), "");
    assert.equal(await keys("0", "9", 10), "1234");
  });

  it("makes what was under way at close durable, and then serves nothing", async () => {
    const write = store.transact([put("item", "a", "1")]);
    const closing = store.close();
    await write;
    await closing;
    await assert.rejects(store.transact([put("item", "b", "1")]), StoreFailure);
    await assert.rejects(store.load(), StoreFailure);
    await assert.rejects(store.range("item", "", "~", 1), StoreFailure);
    store = await place.open();
    assert.deepEqual(await all("item"), [["a", "1"]]);
  });
}
