/**
 * PORT: durable rows of the manager. `transact` resolves only when every change is on disk (fsync);
 * transactions apply in call order and may be grouped into one commit. A failure is fatal: memory is
 * ahead of the disk, so nothing more may be answered.
 */
export const TABLES = [
  "channel",
  "watch",
  "update",
  "checkpoint",
  "receipt",
  "inbox",
  "payment",
  "part",
  "preimage",
  "inbound",
  "forward",
  "leg",
  "claim",
  "item",
  "ack",
  "session",
  "meta",
] as const;
export type TableName = (typeof TABLES)[number];
/** Without a bound in number or size: never loaded. */
export const ON_DISK: readonly TableName[] = ["update", "checkpoint"];

/** value undefined: delete. Keys sort as strings; numbers in keys are zero-padded. */
export interface RowChange {
  readonly table: TableName;
  readonly key: string;
  readonly value: Uint8Array | undefined;
}

export interface StoredRow {
  readonly key: string;
  readonly value: Uint8Array;
}

export interface StoredManager {
  /** Raised durably at this start; older epochs are fenced by the monitors. */
  readonly epoch: bigint;
  /** Every table but those of ON_DISK, which are read by range. */
  readonly rows: Readonly<Record<TableName, readonly StoredRow[]>>;
}

export interface ManagerStore {
  load(): Promise<StoredManager>;
  transact(changes: readonly RowChange[]): Promise<void>;
  /** Rows of one table with fromKey <= key < toKey, in key order. */
  range(
    table: TableName,
    fromKey: string,
    toKey: string,
    limit: number,
  ): Promise<readonly StoredRow[]>;
  /** Resolves after the last transaction is durable and the files are closed. */
  close(): Promise<void>;
}

export class StoreFailure extends Error {
  override readonly name = "StoreFailure";
}
