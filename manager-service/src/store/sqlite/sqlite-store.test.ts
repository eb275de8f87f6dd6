/**
 * The SQLite store against the contract of the port, the guards of its file, fail-stop, and kill -9 of
 * a process in the middle of its writes.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { managerKey } from "@farwatch/protocol/ids";
import { describeStoreContract, type StorePlace } from "../store-contract.js";
import { StoreFailure, type ManagerStore } from "../store.js";
import { SCHEMA_VERSION } from "./open-database.js";
import { openManagerStore } from "./sqlite-store.js";

const CHAIN = "06".repeat(32);
const KEY = managerKey("0a".repeat(32));

interface Place extends StorePlace {
  readonly file: string;
}

function newPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "farwatch-manager-store-"));
  const file = join(folder, "inner", "manager.db");
  return {
    file,
    open: () => openManagerStore({ file, chainHash: CHAIN, managerKey: KEY }),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

describeStoreContract("manager sqlite store", { create: newPlace });

describe("manager sqlite store file", () => {
  let place: Place;
  let store: ManagerStore | undefined;
  beforeEach(() => {
    place = newPlace();
    store = undefined;
  });
  afterEach(async () => {
    await store?.close();
    await place.remove();
  });
  const opened = async (): Promise<ManagerStore> => (store = await place.open());
  const one = { table: "item", key: "a", value: new Uint8Array([1]) } as const;
  const refused = async (words: RegExp, opening = place.open()): Promise<void> =>
    assert.rejects(opening, (e) => e instanceof StoreFailure && words.test(e.message));
  const edit = (sql: string): void => {
    const db = new Database(place.file);
    db.exec(sql);
    db.close();
  };

  it("is readable by its owner only, its write-ahead log too", async () => {
    await (await opened()).transact([one]);
    for (const file of [place.file, `${place.file}-wal`]) {
      assert.equal(statSync(file).mode & 0o777, 0o600, file);
    }
  });

  it("is refused when group or others may read it", async () => {
    await (await opened()).close();
    chmodSync(place.file, 0o640);
    await refused(/0600/);
  });

  it("opens once at a time", async () => {
    const first = await opened();
    await refused(/locked/);
    await first.transact([one]);
  });

  it("is refused when its schema is newer than this build", async () => {
    await (await opened()).close();
    edit(`UPDATE store SET value = '${SCHEMA_VERSION + 1}' WHERE key = 'schema_version'`);
    await refused(/newer build/);
  });

  it("is refused on another network and under another manager key, unchanged", async () => {
    await (await opened()).close();
    const own = { file: place.file, chainHash: CHAIN, managerKey: KEY };
    await refused(/network/, openManagerStore({ ...own, chainHash: "07".repeat(32) }));
    const other = managerKey("0b".repeat(32));
    await refused(/manager key/, openManagerStore({ ...own, managerKey: other }));
    assert.equal((await (await opened()).load()).epoch, 1n);
  });

  it("is refused when it is not a database", async () => {
    await (await opened()).close();
    writeFileSync(place.file, "x".repeat(5000));
    await refused(/not a database/);
  });

  it("applies nothing of a failed transaction and serves nothing after it", async () => {
    await (await opened()).close();
    edit("CREATE TRIGGER t BEFORE INSERT ON ack_row BEGIN SELECT RAISE(ABORT, 'disk'); END");
    const broken = await opened();
    await broken.transact([one]);
    const writes = [
      broken.transact([
        { ...one, key: "b" },
        { ...one, table: "ack" },
      ]),
      broken.transact([{ ...one, key: "c" }]),
    ];
    for (const outcome of await Promise.allSettled(writes)) {
      assert.equal(outcome.status, "rejected");
    }
    await assert.rejects(broken.transact([one]), StoreFailure);
    await assert.rejects(broken.load(), StoreFailure);
    await broken.close();
    const { rows } = await (await opened()).load();
    assert.deepEqual(
      rows.item.map(({ key }) => key),
      ["a"],
    );
  });
});

describe("manager sqlite store under kill -9", () => {
  const script = fileURLToPath(new URL("../testing/append-forever.js", import.meta.url));

  it("has every row whose promise resolved, whole, and a newer epoch", async function () {
    this.timeout(60_000);
    const place = newPlace();
    let seen = 0;
    let lastEpoch = 0n;
    for (const target of [50, 700, 1500]) {
      const child = spawn(process.execPath, [script, place.file, CHAIN, KEY], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      for await (const line of createInterface({ input: child.stdout })) {
        seen = Math.max(seen, Number(line));
        if (seen >= target) child.kill("SIGKILL");
      }
      await ended;
      assert.ok(seen >= target);
      const store = await place.open();
      const { epoch, rows } = await store.load();
      const updates = await store.range("update", "", "~", seen + 10_000);
      await store.close();
      assert.ok(epoch >= lastEpoch + 2n, "the child's load and ours");
      lastEpoch = epoch;
      assert.ok(rows.item.length >= seen, `${rows.item.length} rows, ${seen} answered`);
      rows.item.forEach((row, index) => assert.equal(Number(row.key), index));
      assert.deepEqual(updates, rows.item);
    }
    await place.remove();
  });
});
