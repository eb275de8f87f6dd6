/**
 * Opens or creates the manager's database file. Refuses, without changing anything, a file that others
 * may read, one of another network or manager key, and a schema newer than this build. The exclusive
 * lock is held until close: two managers can never share one store, which would split the epoch.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { StoreFailure, TABLES, type TableName } from "../store.js";
import type { WorkerOptions } from "./messages.js";

/**
 * Version of the tables below; a store with a higher one belongs to a newer build. 2: channels may speak LDK's
 * bytes, and have checkpoints; a build that knows only 1 would take such a channel for one of ours. What 1 has
 * is the same in 2.
 */
export const SCHEMA_VERSION = 2;

/** Owner only: updates and items hold preimages and revocation secrets. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const OTHERS = 0o077;

/** The SQL name of a table: several names of the port are SQL keywords. */
export const sqlName = (table: TableName): string => `${table}_row`;

/** Throws StoreFailure when this store may not be used, SqliteError when it cannot be. */
export function openDatabase(options: WorkerOptions): Database.Database {
  prepareFile(options.file);
  const db = new Database(options.file, { timeout: 0 });
  try {
    configure(db);
    db.transaction(() => prepareSchema(db, options)).exclusive();
    return db;
  } catch (error) {
    db.close();
    throw explained(error);
  }
}

function prepareFile(file: string): void {
  if (existsSync(file)) {
    const open = statSync(file).mode & OTHERS;
    if (open !== 0) throw new StoreFailure("store file: group or others have access; want 0600");
    return;
  }
  mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
  closeSync(openSync(file, "ax", FILE_MODE)); // SQLite gives its WAL the mode of this file
  const folder = openSync(dirname(file), "r");
  fsyncSync(folder);
  closeSync(folder);
}

function configure(db: Database.Database): void {
  db.pragma("locking_mode = EXCLUSIVE"); // before WAL: no shared memory file, lock kept for good
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma("wal_autocheckpoint = 0"); // a checkpoint delays a commit: the worker takes them idle
  db.pragma("trusted_schema = OFF");
  db.pragma("cell_size_check = ON");
}

/** SQLite's own words for a held lock do not name the cause. */
function explained(error: unknown): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  if (error.code.startsWith("SQLITE_BUSY")) {
    return new StoreFailure("store is locked: another process has it open");
  }
  return error.code === "SQLITE_NOTADB" ? new StoreFailure("store file: not a database") : error;
}

function prepareSchema(db: Database.Database, options: WorkerOptions): void {
  db.exec("CREATE TABLE IF NOT EXISTS store (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT");
  const version = Number(readFact(db, "schema_version") ?? "0");
  if (version > SCHEMA_VERSION) {
    throw new StoreFailure(
      `store has schema ${version}; this build knows up to ${SCHEMA_VERSION}: use the newer build`,
    );
  }
  checkFact(db, "chain_hash", options.chainHash, "store belongs to another network");
  checkFact(db, "manager_key", options.managerKey, "store belongs to another manager key");
  for (const table of TABLES) {
    db.exec(
      `CREATE TABLE IF NOT EXISTS ${sqlName(table)}
       (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT`,
    );
  }
  if (version === 0) writeFact(db, "epoch", "0");
  writeFact(db, "schema_version", String(SCHEMA_VERSION));
}

function checkFact(db: Database.Database, key: string, wanted: string, refusal: string): void {
  const found = readFact(db, key);
  if (found === undefined) writeFact(db, key, wanted);
  else if (found !== wanted) throw new StoreFailure(refusal);
}

export function readFact(db: Database.Database, key: string): string | undefined {
  return db.prepare<[string], { value: string }>("SELECT value FROM store WHERE key = ?").get(key)
    ?.value;
}

export function writeFact(db: Database.Database, key: string, value: string): void {
  db.prepare("INSERT OR REPLACE INTO store (key, value) VALUES (?, ?)").run(key, value);
}
