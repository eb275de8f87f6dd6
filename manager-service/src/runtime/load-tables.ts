/** Rows between the store and memory. Updates stay on disk; everything else is in memory. */
import { decodeRow } from "../manager/codec.js";
import { createTables, type Tables } from "../manager/draft.js";
import type { Change, Table } from "../manager/tables.js";
import { TABLES, type StoredManager, type TableName } from "../store/store.js";

/** A table, whatever its rows are: a change names the table it was made for. */
interface RowSink {
  readonly name: string;
  set(key: string, row: unknown): void;
}

export const isTable = (name: string): name is TableName => TABLES.some((table) => table === name);

/** Throws UnreadableRow. */
export function loadTables(stored: StoredManager): Tables {
  const tables = createTables();
  const fill = <R>(table: Table<R>, name: TableName): void => {
    for (const { key, value } of stored.rows[name]) table.set(key, decodeRow<R>(value));
  };
  fill(tables.channel, "channel");
  fill(tables.watch, "watch");
  fill(tables.receipt, "receipt");
  fill(tables.inbox, "inbox");
  fill(tables.payment, "payment");
  fill(tables.part, "part");
  fill(tables.preimage, "preimage");
  fill(tables.inbound, "inbound");
  fill(tables.forward, "forward");
  fill(tables.leg, "leg");
  fill(tables.claim, "claim");
  fill(tables.item, "item");
  fill(tables.ack, "ack");
  fill(tables.session, "session");
  fill(tables.meta, "meta");
  return tables;
}

export const sinksOf = (tables: Tables): ReadonlyMap<string, RowSink> =>
  new Map(Object.values(tables).map((table: RowSink) => [table.name, table]));

export function applyChanges(
  sinks: ReadonlyMap<string, RowSink>,
  changes: readonly Change[],
): void {
  for (const { table, key, row } of changes) sinks.get(table)?.set(key, row);
}
