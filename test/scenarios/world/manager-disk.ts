/** The manager's store on the disk in memory: rows by table and key, as they are in SQLite. */
import {
  ON_DISK,
  StoreFailure,
  TABLES,
  type ManagerStore,
  type RowChange,
  type StoredRow,
  type TableName,
} from "@farwatch/manager-service/store/store";
import { must } from "@farwatch/protocol/assert";
import type { DiskSession } from "./disk.js";

type Table = Map<string, Uint8Array>;
const tables = <T>(make: (table: TableName) => T): Readonly<Record<TableName, T>> => ({
  channel: make("channel"),
  watch: make("watch"),
  update: make("update"),
  checkpoint: make("checkpoint"),
  receipt: make("receipt"),
  inbox: make("inbox"),
  payment: make("payment"),
  part: make("part"),
  preimage: make("preimage"),
  inbound: make("inbound"),
  forward: make("forward"),
  leg: make("leg"),
  claim: make("claim"),
  item: make("item"),
  ack: make("ack"),
  session: make("session"),
  meta: make("meta"),
});

export class ManagerDisk {
  #epoch = 0n;
  readonly #tables = tables<Table>(() => new Map());

  /** Durable rows, for a test to compare: table/key to bytes. */
  rows(): ReadonlyMap<string, Uint8Array> {
    return new Map(
      TABLES.flatMap((table) =>
        this.#sorted(table).map(({ key, value }) => [`${table}/${key}`, value] as const),
      ),
    );
  }

  /** A copy as an operator makes it; what is returned puts it back, while the manager is down. */
  backup(): () => void {
    const epoch = this.#epoch;
    const copies = tables((table) => new Map(this.#tables[table]));
    return () => {
      this.#epoch = epoch;
      for (const table of TABLES) {
        this.#tables[table].clear();
        for (const [key, value] of copies[table]) this.#tables[table].set(key, value);
      }
    };
  }

  open(session: DiskSession): ManagerStore {
    return {
      load: async () => {
        await session.write("epoch", () => (this.#epoch += 1n));
        return session.read(() => ({
          epoch: this.#epoch,
          rows: tables((table) => (ON_DISK.includes(table) ? [] : this.#sorted(table))),
        }));
      },
      transact: async (changes) => {
        if (changes.length === 0) await session.read(() => true);
        else await session.write(nameOf(changes), () => this.#apply(changes));
      },
      range: (table, fromKey, toKey, limit) =>
        session.read(() =>
          this.#sorted(table)
            .filter(({ key }) => key >= fromKey && key < toKey)
            .slice(0, limit),
        ),
      close: () => session.close(new StoreFailure("store is closed")),
    };
  }

  #apply(changes: readonly RowChange[]): void {
    for (const { table, key, value } of changes) {
      if (value === undefined) this.#tables[table].delete(key);
      else this.#tables[table].set(key, Uint8Array.from(value));
    }
  }

  #sorted(table: TableName): readonly StoredRow[] {
    const rows = this.#tables[table];
    return [...rows.keys()].sort().map((key) => ({ key, value: must(rows.get(key), "row") }));
  }
}

const nameOf = (changes: readonly RowChange[]): string =>
  [...new Set(changes.map(({ table }) => table))].join("+");
