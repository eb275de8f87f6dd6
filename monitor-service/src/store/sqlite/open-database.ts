/**
 * Opens or creates the database file and brings it to this build's schema. Refuses, without changing
 * anything, a file that others may read, a store of another network, and a schema newer than this
 * build. The exclusive lock is held until close: a second process cannot open the same store.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { StoreUnusable } from "../store.js";
import type { WorkerOptions } from "./messages.js";
import { MIGRATIONS, SCHEMA_VERSION } from "./migrations/migrations.js";

/** Owner only: the store holds preimages and revocation secrets. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;

export function openDatabase(options: WorkerOptions): Database.Database {
  prepareFile(options.path);
  const db = new Database(options.path, { timeout: 0 });
  try {
    configure(db);
    db.transaction(() => {
      migrate(db, options);
      raiseGeneration(db);
    }).exclusive();
    return db;
  } catch (error) {
    db.close();
    throw explained(error);
  }
}

function prepareFile(path: string): void {
  if (existsSync(path)) {
    const open = statSync(path).mode & OTHERS;
    if (open !== 0) throw new StoreUnusable("store file: group or others have access; want 0600");
    return;
  }
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
  closeSync(openSync(path, "ax", FILE_MODE)); // SQLite gives its WAL the mode of this file
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

function configure(db: Database.Database): void {
  db.pragma("locking_mode = EXCLUSIVE"); // before WAL: no shared memory file, lock kept for good
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma("wal_autocheckpoint = 0"); // checkpoints cost up to 11 ms: taken when idle
  db.pragma("trusted_schema = OFF");
  db.pragma("cell_size_check = ON");
  db.defaultSafeIntegers(true);
}

/** SQLite's own words for a held lock do not name the cause. */
function explained(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  if (error.code.startsWith("SQLITE_BUSY")) {
    return new StoreUnusable("store is locked: another process has it open");
  }
  return error.code === "SQLITE_NOTADB" ? new StoreUnusable("store file: not a database") : error;
}

function migrate(db: Database.Database, options: WorkerOptions): void {
  db.exec(
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID",
  );
  const version = Number(readMeta(db, "schema_version") ?? 0n);
  if (version > SCHEMA_VERSION) {
    throw new StoreUnusable(
      `store has schema ${version}; this build knows up to ${SCHEMA_VERSION}: use the newer build`,
    );
  }
  const chainHash = readMeta(db, "chain_hash");
  if (chainHash !== undefined && chainHash !== options.chainHash) {
    throw new StoreUnusable("store belongs to another network");
  }
  if (chainHash === undefined) {
    writeMeta(db, "chain_hash", options.chainHash);
    writeMeta(db, "store_id", options.newStoreId);
    writeMeta(db, "store_gen", 0n);
  }
  for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
  writeMeta(db, "schema_version", BigInt(SCHEMA_VERSION));
}

/** Every start has its own number: a manager that saw a higher one knows an old copy was restored. */
function raiseGeneration(db: Database.Database): void {
  const generation = readMeta(db, "store_gen");
  if (typeof generation !== "bigint") throw new StoreUnusable("store has no generation");
  writeMeta(db, "store_gen", generation + 1n);
}

export function readMeta(db: Database.Database, key: string): string | bigint | undefined {
  const row = db
    .prepare<[string], { value: string | bigint }>("SELECT value FROM meta WHERE key = ?")
    .get(key);
  return row?.value;
}

function writeMeta(db: Database.Database, key: string, value: string | bigint): void {
  db.prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)").run(key, value);
}
