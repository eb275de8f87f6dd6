/** Rows between the store and memory. */
import { decodeRow } from "../manager/row-codec.js";
import { createTables, type Tables } from "../manager/rows.js";
import type { Change, Table } from "../manager/tables.js";
import { TABLES, type StoredManager, type TableName } from "../store/store.js";

export const isTable = (name: string): name is TableName => TABLES.some((table) => table === name);

/** Updates stay on disk; everything else is in memory. */
export function loadTables(stored: StoredManager): Tables {
  const tables = createTables();
  const fill = <R>(table: Table<R>, name: TableName): void => {
    for (const { key, value } of stored.rows[name]) table.set(key, decodeRow<R>(value));
  };
  fill(tables.channel, "channel");
  fill(tables.receipt, "receipt");
  fill(tables.inbox, "inbox");
  fill(tables.payment, "payment");
  fill(tables.part, "part");
  fill(tables.item, "item");
  fill(tables.ack, "ack");
  fill(tables.session, "session");
  fill(tables.meta, "meta");
  return tables;
}

export function applyChanges(tables: Tables, changes: readonly Change[]): void {
  const byName = new Map<string, Table<unknown>>(
    Object.values(tables).map((table) => [table.name, table as Table<unknown>]),
  );
  for (const { table, key, row } of changes) byName.get(table)?.set(key, row);
}
