/**
 * Reads and writes of the manager's tables, run inside the worker: one SQL table per table of the port,
 * key to value. Keys are ASCII, so SQLite's byte order is the order of strings in the port.
 */
import type Database from "better-sqlite3";
import { must } from "@farwatch/protocol/assert";
import { TABLES } from "../store.js";
import type { RowChange, StoredManager, StoredRow, TableName } from "../store.js";
import type { RangeCall } from "./messages.js";
import { readFact, sqlName, writeFact } from "./open-database.js";

interface Statements {
  readonly put: Database.Statement<[string, Uint8Array]>;
  readonly remove: Database.Statement<[string]>;
  readonly all: Database.Statement<[], StoredRow>;
  readonly range: Database.Statement<[string, string, number], StoredRow>;
}

const statementsOf = (db: Database.Database, table: TableName): Statements => {
  const name = sqlName(table);
  return {
    put: db.prepare(
      `INSERT INTO ${name} (key, value) VALUES (?, ?)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    ),
    remove: db.prepare(`DELETE FROM ${name} WHERE key = ?`),
    all: db.prepare(`SELECT key, value FROM ${name} ORDER BY key`),
    range: db.prepare(
      `SELECT key, value FROM ${name} WHERE key >= ? AND key < ? ORDER BY key LIMIT ?`,
    ),
  };
};

export class Tables {
  readonly #db: Database.Database;
  readonly #statements: ReadonlyMap<TableName, Statements>;
  readonly #commit: (group: readonly (readonly RowChange[])[]) => void;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#statements = new Map(TABLES.map((table) => [table, statementsOf(db, table)]));
    this.#commit = db.transaction((group: readonly (readonly RowChange[])[]) => {
      for (const changes of group) for (const change of changes) this.#write(change);
    });
  }

  #of(table: TableName): Statements {
    return must(this.#statements.get(table), "table of the store");
  }

  #write({ table, key, value }: RowChange): void {
    if (value === undefined) this.#of(table).remove.run(key);
    else this.#of(table).put.run(key, value);
  }

  /** Every change of the group in order, in one durable commit. */
  commit(group: readonly (readonly RowChange[])[]): void {
    this.#commit(group);
  }

  range({ table, fromKey, toKey, limit }: RangeCall): readonly StoredRow[] {
    return this.#of(table).range.all(fromKey, toKey, limit);
  }

  /** Raises the epoch in a durable commit of its own before anything is read. */
  load(): StoredManager {
    const epoch = BigInt(must(readFact(this.#db, "epoch"), "stored epoch")) + 1n;
    this.#db.transaction(() => writeFact(this.#db, "epoch", String(epoch)))();
    const rows = (table: TableName): readonly StoredRow[] => this.#of(table).all.all();
    return {
      epoch,
      rows: {
        channel: rows("channel"),
        watch: rows("watch"),
        update: [],
        checkpoint: [],
        receipt: rows("receipt"),
        inbox: rows("inbox"),
        payment: rows("payment"),
        part: rows("part"),
        preimage: rows("preimage"),
        inbound: rows("inbound"),
        forward: rows("forward"),
        leg: rows("leg"),
        claim: rows("claim"),
        item: rows("item"),
        ack: rows("ack"),
        session: rows("session"),
        meta: rows("meta"),
      },
    };
  }
}
