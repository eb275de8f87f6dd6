/** Rows for store tests: every column filled with a value that names it. */
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { channelId, eventId, hash32, managerKey, txid, updateId } from "@farwatch/protocol/ids";
import type {
  BatchRow,
  BumpRow,
  ChannelRow,
  EpochRow,
  EventRow,
  HeaderRow,
  LogRow,
  SnapshotRow,
  SweepRow,
} from "../store.js";

export const hex = (byte: string, count: number): string => byte.repeat(count);
const bytes = (value: number, length: number): Uint8Array => new Uint8Array(length).fill(value);

export const logRow = (fields: Partial<LogRow> & { readonly rowId: number }): LogRow => ({
  channelNo: 1,
  prevRowId: 0,
  kind: "update",
  updateId: updateId(1),
  updateHash: undefined,
  header: bytes(1, 100),
  payload: bytes(2, 300),
  counterpartyTxids: [],
  batchRowId: 0,
  ...fields,
});

export const channelRow = (channelNo: number): ChannelRow => ({
  channelNo,
  channelId: channelId(channelNo.toString(16).padStart(64, "0")),
  managerKey: managerKey(hex("ab", 32)),
  header: bytes(3, 100),
  payload: bytes(4, 500),
  watchHash: hash32(hex("cd", 32)),
});

export const epochRow = (epoch: bigint): EpochRow => ({
  managerKey: managerKey(hex("ab", 32)),
  epoch,
  bootNonce: bytes(5, 16),
});

export const batchRow = (rowId: number): BatchRow => ({
  rowId,
  header: bytes(6, 80),
  signature: bytes(7, 64),
});

export const snapshotRow = (channelNo: number, logRowId: number): SnapshotRow => ({
  channelNo,
  logRowId,
  bytes: bytes(8, 1000),
});

export const bumpRow = (channelNo: number, bump: string, feerate: number): BumpRow => ({
  channelNo,
  bumpId: hash32(hex(bump, 32)),
  claimId: hash32(hex("cc", 32)),
  feeratePerKw: feeratePerKw(1_000 + feerate),
  rawTx: bytes(feerate, 250),
});

export const sweepRow = (id: number): SweepRow => ({
  id,
  isOver: false,
  inputs: [`${hex("0b", 32)}:${id}`, `${hex("0c", 32)}:1`],
  spends: [`${hex("0b", 32)}:${id}`, `${hex("0c", 32)}:1`],
  destinationScript: bytes(13, 22),
  feeSat: sat(700),
  feeratePerKw: feeratePerKw(1_000),
  locktime: 500,
  nextBumpAt: 512,
  txids: [txid(id.toString(16).padStart(64, "0"))],
});

export const headerRow = (height: number, byte = "ee"): HeaderRow => ({
  height,
  hash: hex(byte, 32),
  raw: bytes(9, 80),
});

export const eventRow = (rowId: number, channelNo: number, id: bigint): EventRow => ({
  rowId,
  channelNo,
  event: {
    channelId: channelRow(channelNo).channelId,
    eventId: eventId(id),
    header: bytes(10, 200),
    eventHash: hash32(rowId.toString(16).padStart(64, "0")),
    payload: bytes(11, 90),
    subjectKey: hash32(hex("0a", 32)),
    createdAtMs: 1_700_000_000_000,
    signature: bytes(12, 64),
  },
});
