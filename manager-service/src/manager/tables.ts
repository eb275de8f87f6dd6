/**
 * Rows in memory, with indexes, and drafts over them. A step reads through a draft and writes into it;
 * the tables themselves change only when the shell applies a decision, so a refused input leaves no
 * trace and the step stays a pure function of (tables, input).
 */
import { must } from "@farwatch/protocol/assert";
import type { UpdateRow } from "./rows.js";

/** Values under which a row is found; none: not found by this index. */
export type Index<R> = (row: R) => readonly string[];

export interface Change {
  readonly table: string;
  readonly key: string;
  /** undefined: deleted. */
  readonly row: unknown;
  /** The row itself when it is one of the update log, which has its own encoding. */
  readonly update?: UpdateRow;
  /** The row itself when it is bytes and nothing else. */
  readonly bytes?: Uint8Array;
}

/** What predicates read: a table, or a draft over it. */
export interface Lookup<R> {
  get(key: string): R | undefined;
  /** Rows an index finds, in key order. */
  select(index: string, value: string): readonly R[];
}

export class Table<R> implements Lookup<R> {
  readonly #rows = new Map<string, R>();
  readonly #found = new Map<string, Map<string, Set<string>>>();

  constructor(
    readonly name: string,
    readonly indexes: Readonly<Record<string, Index<R>>> = {},
  ) {
    for (const index of Object.keys(indexes)) this.#found.set(index, new Map());
  }

  get size(): number {
    return this.#rows.size;
  }
  get(key: string): R | undefined {
    return this.#rows.get(key);
  }
  values(): IterableIterator<R> {
    return this.#rows.values();
  }
  keys(index: string, value: string): ReadonlySet<string> {
    return must(this.#found.get(index), index).get(value) ?? new Set();
  }
  select(index: string, value: string): readonly R[] {
    return [...this.keys(index, value)].sort().map((key) => must(this.#rows.get(key), key));
  }
  /** Number of rows an index finds. */
  count(index: string, value: string): number {
    return this.keys(index, value).size;
  }
  set(key: string, row: R | undefined): void {
    const before = this.#rows.get(key);
    for (const [name, of] of Object.entries(this.indexes)) {
      const found = must(this.#found.get(name), name);
      if (before !== undefined) this.#forget(found, of(before), key);
      for (const value of row === undefined ? [] : of(row)) {
        const keys = found.get(value) ?? new Set();
        found.set(value, keys.add(key));
      }
    }
    if (row === undefined) this.#rows.delete(key);
    else this.#rows.set(key, row);
  }

  #forget(found: Map<string, Set<string>>, values: readonly string[], key: string): void {
    for (const value of values) {
      const keys = found.get(value);
      keys?.delete(key);
      if (keys?.size === 0) found.delete(value);
    }
  }
}

/** Reads and writes of one step over one table. */
export class TableDraft<R> implements Lookup<R> {
  readonly #written = new Map<string, R | undefined>();
  readonly #table: Table<R>;
  constructor(table: Table<R>) {
    this.#table = table;
  }

  get(key: string): R | undefined {
    return this.#written.has(key) ? this.#written.get(key) : this.#table.get(key);
  }
  put(key: string, row: R): void {
    this.#written.set(key, row);
  }
  delete(key: string): void {
    this.#written.set(key, undefined);
  }
  select(index: string, value: string): readonly R[] {
    const of = must(this.#table.indexes[index], `index ${index}`);
    const keys = new Set([...this.#table.keys(index, value), ...this.#written.keys()]);
    return [...keys].sort().flatMap((key) => {
      const row = this.get(key);
      return row !== undefined && of(row).includes(value) ? [row] : [];
    });
  }
  /** Rows written by this step. */
  written(): readonly R[] {
    return [...this.#written.values()].filter((row) => row !== undefined);
  }
  changes(): readonly Change[] {
    return [...this.#written].map(([key, row]) => ({ table: this.#table.name, key, row }));
  }
}
