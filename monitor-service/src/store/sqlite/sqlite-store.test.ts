import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { describeStoreContract, type StorePlace } from "../store-contract.js";
import { StoreUnusable, type MonitorStore } from "../store.js";
import { logRow } from "../testing/rows.js";
import { SCHEMA_VERSION } from "./migrations/migrations.js";
import { openSqliteStore } from "./sqlite-store.js";

const CHAIN = "06".repeat(32);

interface Place extends StorePlace {
  readonly path: string;
}

function newPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), "farwatch-store-"));
  const path = join(folder, "inner", "monitor.db");
  return {
    path,
    open: () => openSqliteStore({ path, chainHash: CHAIN, randomBytes }),
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

describeStoreContract("sqlite store", { create: async () => newPlace() });

describe("sqlite store file", () => {
  let place: Place;
  let store: MonitorStore | undefined;
  beforeEach(() => {
    place = newPlace();
    store = undefined;
  });
  afterEach(async () => {
    await store?.close();
    await place.remove();
  });
  const opened = async (): Promise<MonitorStore> => (store = await place.open());
  const unusable = async (words: RegExp): Promise<void> =>
    assert.rejects(
      place.open(),
      (error) => error instanceof StoreUnusable && words.test(error.message),
    );
  const edit = (sql: string): void => {
    const db = new Database(place.path);
    db.exec(sql);
    db.close();
  };

  it("is readable by its owner only, its write-ahead log too", async () => {
    const open = await opened();
    await open.transact([{ op: "appendLog", row: logRow({ rowId: 1 }) }]);
    for (const file of [place.path, `${place.path}-wal`]) {
      assert.equal(statSync(file).mode & 0o777, 0o600, file);
    }
  });

  it("is refused when group or others may read it", async () => {
    await (await opened()).close();
    chmodSync(place.path, 0o640);
    await unusable(/0600/);
  });

  it("opens in one process at a time", async () => {
    const first = await opened();
    await unusable(/locked/);
    await first.transact([{ op: "appendLog", row: logRow({ rowId: 1 }) }]);
  });

  it("is refused when its schema is newer than this build", async () => {
    await (await opened()).close();
    edit(`UPDATE meta SET value = ${SCHEMA_VERSION + 1} WHERE key = 'schema_version'`);
    await unusable(/newer build/);
  });

  it("is refused on another network", async () => {
    await (await opened()).close();
    const options = { path: place.path, chainHash: "07".repeat(32), randomBytes };
    await assert.rejects(openSqliteStore(options), /another network/);
    assert.equal((await (await opened()).load()).storeGen, 2n);
  });

  it("is refused when it is not a database", async () => {
    await (await opened()).close();
    writeFileSync(place.path, "x".repeat(5000));
    await unusable(/not a database/);
  });
});

describe("sqlite store under kill -9", () => {
  const script = fileURLToPath(new URL("../testing/append-forever.js", import.meta.url));

  it("has every row whose promise resolved, and no hole before the last one", async function () {
    this.timeout(60_000);
    const place = newPlace();
    let seen = 0;
    for (const target of [50, 700, 1500]) {
      const child = spawn(process.execPath, [script, place.path, CHAIN], {
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
      const rows = await store.readLog(0, seen + 10_000);
      await store.close();
      assert.ok(rows.length >= seen, `${rows.length} rows, ${seen} answered`);
      rows.forEach((row, index) => assert.equal(row.rowId, index + 1));
    }
    await place.remove();
  });
});
