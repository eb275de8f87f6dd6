/**
 * Store operations as SQL: the main thread turns an operation into a statement name and bound values,
 * the worker runs it. Byte arrays that are views are copied, because a structured clone would copy the
 * whole buffer behind them.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { txid, txidToInternal, type Txid } from "@farwatch/protocol/ids";
import type { StoreOp } from "../store.js";

export type Bound = string | number | bigint | null | Uint8Array;

export const WRITE_SQL = {
  putEpoch: `INSERT INTO epoch (manager_key, epoch, boot_nonce) VALUES (?, ?, ?)
    ON CONFLICT (manager_key) DO UPDATE SET epoch = excluded.epoch, boot_nonce = excluded.boot_nonce`,
  insertChannel: `INSERT INTO channel
    (channel_no, channel_id, manager_key, header, payload, watch_hash) VALUES (?, ?, ?, ?, ?, ?)`,
  appendLog: `INSERT INTO log (row_id, channel_no, prev_row_id, kind, update_id, update_hash,
    counterparty_txid, batch_row_id, header, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  insertPenalty: `INSERT OR IGNORE INTO penalty (txid_head, channel_no, log_row_id)
    VALUES (?, ?, ?)`,
  insertBatch: "INSERT INTO batch (row_id, header, signature) VALUES (?, ?, ?)",
  insertEvent: `INSERT INTO event (row_id, channel_no, channel_id, event_id, event_hash, subject_key,
    created_at_ms, header, payload, signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  putEventHead: `INSERT OR REPLACE INTO event_head (channel_no, last_event_id, last_event_hash)
    VALUES (?, ?, ?)`,
  deleteEvent: "DELETE FROM event WHERE row_id = ?",
  putSnapshot: `INSERT OR REPLACE INTO snapshot
    (channel_no, log_row_id, bytes) VALUES (?, ?, ?)`,
  putHalt: "INSERT OR IGNORE INTO halt (channel_no, incident, height) VALUES (?, ?, ?)",
  putArchive: `INSERT OR REPLACE INTO archive
    (channel_no, height, head_row_id, update_id, update_hash) VALUES (?, ?, ?, ?, ?)`,
  putBump: `INSERT OR REPLACE INTO bump (channel_no, bump_id, claim_id, feerate_per_kw, raw)
    VALUES (?, ?, ?, ?, ?)`,
  deleteBump: "DELETE FROM bump WHERE channel_no = ? AND bump_id = ?",
  putSweep: `INSERT OR REPLACE INTO sweep (row_id, is_over, inputs, spends, destination_script,
    fee_sat, feerate_per_kw, locktime, next_bump_at, txids) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  putHeader: "INSERT OR REPLACE INTO header (height, hash, raw) VALUES (?, ?, ?)",
  deleteHeadersAbove: "DELETE FROM header WHERE height > ?",
  deleteHeadersBelow: "DELETE FROM header WHERE height < ?",
} as const satisfies Record<StoreOp["op"] | "putEventHead", string>;

export type WriteName = keyof typeof WRITE_SQL;

export interface WriteCall {
  readonly statement: WriteName;
  readonly values: readonly Bound[];
}

/** The 64 bits of a u64 as SQLite's signed integer. */
export const storedU64 = (value: bigint): bigint => BigInt.asIntN(64, value);
export const loadedU64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** Several txids in one column, apart by a space; a channel has more than one only while splices pend. */
const storedTxids = (txids: readonly Txid[]): string | null =>
  txids.length === 0 ? null : txids.join(" ");
export const loadedTxids = (stored: string | null): readonly Txid[] =>
  stored === null ? [] : stored.split(" ").map((text) => txid(text));

/** Its first 8 bytes as they stand in a transaction, as SQLite's signed integer. */
export const txidHead = (of: Txid): bigint => {
  const bytes = txidToInternal(of);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0);
};

const own = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);

export function toWriteCalls(op: StoreOp): readonly WriteCall[] {
  const call = { statement: op.op, values: valuesOf(op) };
  if (op.op !== "insertEvent") return [call];
  const { channelNo, event } = op.row;
  const values = [channelNo, storedU64(event.eventId), event.eventHash];
  return [call, { statement: "putEventHead", values }];
}

function valuesOf(op: StoreOp): readonly Bound[] {
  switch (op.op) {
    case "putEpoch":
      return [op.row.managerKey, storedU64(op.row.epoch), own(op.row.bootNonce)];
    case "insertChannel": {
      const { channelNo, channelId, managerKey, header, payload, watchHash } = op.row;
      return [channelNo, channelId, managerKey, own(header), own(payload), watchHash];
    }
    case "appendLog":
      return logValues(op.row);
    case "insertPenalty":
      return [txidHead(op.row.commitmentTxid), op.row.channelNo, op.row.logRowId];
    case "insertBatch":
      return [op.row.rowId, own(op.row.header), own(op.row.signature)];
    case "insertEvent":
      return eventValues(op.row);
    case "deleteEvent":
      return [op.rowId];
    case "putSnapshot": {
      const { channelNo, logRowId, bytes } = op.row;
      return [channelNo, logRowId, own(bytes)];
    }
    case "putHalt":
      return [op.row.channelNo, op.row.incident, op.row.height];
    case "putArchive": {
      const { channelNo, height, headRowId, latestUpdateId, latestUpdateHash } = op.row;
      return [channelNo, height, headRowId, storedU64(latestUpdateId), latestUpdateHash];
    }
    case "putBump": {
      const { channelNo, bumpId, claimId, feeratePerKw, rawTx } = op.row;
      return [channelNo, bumpId, claimId, feeratePerKw, own(rawTx)];
    }
    case "deleteBump":
      return [op.channelNo, op.bumpId];
    case "putSweep":
      return sweepValues(op.row);
    case "putHeader":
      return [op.row.height, op.row.hash, own(op.row.raw)];
    case "deleteHeadersAbove":
    case "deleteHeadersBelow":
      return [op.height];
    default:
      return assertNever(op);
  }
}

type RowOf<Name extends StoreOp["op"]> = Extract<StoreOp, { op: Name; row: unknown }>["row"];

const logValues = (row: RowOf<"appendLog">): readonly Bound[] => [
  row.rowId,
  row.channelNo,
  row.prevRowId,
  row.kind,
  storedU64(row.updateId),
  row.updateHash ?? null,
  storedTxids(row.counterpartyTxids),
  row.batchRowId,
  own(row.header),
  own(row.payload),
];

const sweepValues = (row: RowOf<"putSweep">): readonly Bound[] => [
  row.id,
  row.isOver ? 1 : 0,
  row.inputs.join(" "),
  row.spends.join(" "),
  own(row.destinationScript),
  row.feeSat,
  row.feeratePerKw,
  row.locktime,
  row.nextBumpAt,
  row.txids.join(" "),
];

const eventValues = ({ rowId, channelNo, event }: RowOf<"insertEvent">): readonly Bound[] => [
  rowId,
  channelNo,
  event.channelId,
  storedU64(event.eventId),
  event.eventHash,
  event.subjectKey,
  event.createdAtMs,
  own(event.header),
  own(event.payload),
  own(event.signature),
];
