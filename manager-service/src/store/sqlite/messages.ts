/**
 * What passes between the store on the main thread and its worker. Plain data only: every value here
 * survives a structured clone.
 */
import type { RowChange, StoredManager, StoredRow, TableName } from "../store.js";

export interface WorkerOptions {
  readonly file: string;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  readonly managerKey: string;
}

export interface RangeCall {
  readonly table: TableName;
  readonly fromKey: string;
  readonly toKey: string;
  readonly limit: number;
}

export type WorkerRequest =
  | { readonly kind: "transact"; readonly id: number; readonly changes: readonly RowChange[] }
  | { readonly kind: "load"; readonly id: number }
  | { readonly kind: "range"; readonly id: number; readonly call: RangeCall }
  | { readonly kind: "close" };

export type WorkerReply =
  | { readonly kind: "opened" }
  /** These transactions are on disk. */
  | { readonly kind: "committed"; readonly ids: readonly number[] }
  | { readonly kind: "loaded"; readonly id: number; readonly stored: StoredManager }
  | { readonly kind: "rows"; readonly id: number; readonly rows: readonly StoredRow[] }
  /** Final: the worker serves nothing more. After a failed open nothing was changed. */
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "closed" };
