/**
 * Rows as they come out of SQLite, and what they are in the port's words. The worker returns raw rows
 * (plain data); the main thread brands them.
 */
import {
  channelId,
  eventId,
  hash32,
  managerKey,
  storeId,
  updateId,
  type Txid,
} from "@farwatch/protocol/ids";
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { assert } from "@farwatch/protocol/assert";
import type { Sweep } from "../../tx/sweep-plan.js";
import type {
  ArchivedRow,
  BumpRow,
  ChannelRow,
  EpochRow,
  EventHeadRow,
  EventRow,
  HaltRow,
  HeaderRow,
  LogKind,
  LogRow,
  SnapshotRow,
  StoredState,
} from "../store.js";
import { loadedTxids, loadedU64 } from "./write-ops.js";

export interface RawEpoch {
  readonly manager_key: string;
  readonly epoch: bigint;
  readonly boot_nonce: Uint8Array;
}
export interface RawChannel {
  readonly channel_no: bigint;
  readonly channel_id: string;
  readonly manager_key: string;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  readonly watch_hash: string;
}
export interface RawLog {
  readonly row_id: bigint;
  readonly channel_no: bigint;
  readonly prev_row_id: bigint;
  readonly kind: string;
  readonly update_id: bigint;
  readonly update_hash: string | null;
  readonly counterparty_txid: string | null;
  readonly batch_row_id: bigint;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}
export interface RawEvent {
  readonly row_id: bigint;
  readonly channel_no: bigint;
  readonly channel_id: string;
  readonly event_id: bigint;
  readonly event_hash: string;
  readonly subject_key: string;
  readonly created_at_ms: bigint;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}
export interface RawSnapshot {
  readonly channel_no: bigint;
  readonly log_row_id: bigint;
  readonly bytes: Uint8Array;
}
export interface RawEventHead {
  readonly channel_no: bigint;
  readonly last_event_id: bigint;
  readonly last_event_hash: string;
}
export interface RawHalt {
  readonly channel_no: bigint;
  readonly incident: string;
  readonly height: bigint;
}
export interface RawBump {
  readonly channel_no: bigint;
  readonly bump_id: string;
  readonly claim_id: string;
  readonly feerate_per_kw: bigint;
  readonly raw: Uint8Array;
}
export interface RawHeader {
  readonly height: bigint;
  readonly hash: string;
  readonly raw: Uint8Array;
}
export interface RawArchived {
  readonly channel_no: bigint;
  readonly height: bigint;
  readonly head_row_id: bigint;
  readonly update_id: bigint;
  readonly update_hash: string;
  readonly channel_id: string;
  readonly manager_key: string;
  readonly watch_hash: string;
  readonly last_event_id: bigint | null;
}
export interface RawSweep {
  readonly row_id: bigint;
  readonly inputs: string;
  readonly spends: string;
  readonly destination_script: Uint8Array;
  readonly fee_sat: bigint;
  readonly feerate_per_kw: bigint;
  readonly locktime: bigint;
  readonly next_bump_at: bigint;
  readonly txids: string;
}
export interface RawState {
  readonly storeId: string;
  readonly storeGen: bigint;
  readonly chainHash: string;
  readonly epochs: readonly RawEpoch[];
  readonly channels: readonly RawChannel[];
  readonly archived: readonly RawArchived[];
  readonly snapshots: readonly RawSnapshot[];
  readonly events: readonly RawEvent[];
  readonly eventHeads: readonly RawEventHead[];
  readonly halts: readonly RawHalt[];
  readonly bumps: readonly RawBump[];
  readonly headers: readonly RawHeader[];
  readonly sweeps: readonly RawSweep[];
  /** Highest row id ever used, per table. */
  readonly lastRowIds: Readonly<Record<keyof StoredState["nextRowIds"], bigint>>;
}

export type ReadCall =
  | { readonly kind: "load" }
  | { readonly kind: "readLog"; readonly afterRowId: number; readonly limit: number }
  | { readonly kind: "readSnapshot"; readonly channelNo: number }
  | { readonly kind: "readWatchPayload"; readonly channelNo: number }
  | { readonly kind: "findCommitment"; readonly headRowId: number; readonly txid: Txid }
  | { readonly kind: "findAnyCommitment"; readonly headRowId: number }
  | { readonly kind: "findUpdate"; readonly headRowId: number; readonly updateId: bigint }
  | {
      readonly kind: "findPenalties";
      readonly heads: readonly bigint[];
      readonly perChannel: number;
    }
  | { readonly kind: "readBack"; readonly rowId: number; readonly limit: number };

export type ReadResult =
  | { readonly kind: "state"; readonly state: RawState }
  | { readonly kind: "log"; readonly rows: readonly RawLog[] }
  | { readonly kind: "snapshot"; readonly row: RawSnapshot | undefined }
  | { readonly kind: "watchPayload"; readonly row: Pick<RawChannel, "payload"> | undefined };

const LOG_KINDS: readonly LogKind[] = ["update", "preimages", "command"];

function logKind(text: string): LogKind {
  const kind = LOG_KINDS.find((known) => known === text);
  assert(kind !== undefined, "stored log row: unknown kind");
  return kind;
}

export const toLogRow = (raw: RawLog): LogRow => ({
  rowId: Number(raw.row_id),
  channelNo: Number(raw.channel_no),
  prevRowId: Number(raw.prev_row_id),
  kind: logKind(raw.kind),
  updateId: updateId(loadedU64(raw.update_id)),
  updateHash: raw.update_hash === null ? undefined : hash32(raw.update_hash),
  counterpartyTxids: loadedTxids(raw.counterparty_txid),
  batchRowId: Number(raw.batch_row_id),
  header: raw.header,
  payload: raw.payload,
});

const toEpoch = (raw: RawEpoch): EpochRow => ({
  managerKey: managerKey(raw.manager_key),
  epoch: loadedU64(raw.epoch),
  bootNonce: raw.boot_nonce,
});

const toChannel = (raw: RawChannel): ChannelRow => ({
  channelNo: Number(raw.channel_no),
  channelId: channelId(raw.channel_id),
  managerKey: managerKey(raw.manager_key),
  header: raw.header,
  payload: raw.payload,
  watchHash: hash32(raw.watch_hash),
});

export const toSnapshot = (raw: RawSnapshot): SnapshotRow => ({
  channelNo: Number(raw.channel_no),
  logRowId: Number(raw.log_row_id),
  bytes: raw.bytes,
});

const toEventHead = (raw: RawEventHead): EventHeadRow => ({
  channelNo: Number(raw.channel_no),
  lastEventId: eventId(loadedU64(raw.last_event_id)),
  lastEventHash: hash32(raw.last_event_hash),
});

const toEvent = (raw: RawEvent): EventRow => ({
  rowId: Number(raw.row_id),
  channelNo: Number(raw.channel_no),
  event: {
    channelId: channelId(raw.channel_id),
    eventId: eventId(loadedU64(raw.event_id)),
    eventHash: hash32(raw.event_hash),
    subjectKey: hash32(raw.subject_key),
    createdAtMs: Number(raw.created_at_ms),
    header: raw.header,
    payload: raw.payload,
    signature: raw.signature,
  },
});

const toHalt = (raw: RawHalt): HaltRow => ({
  channelNo: Number(raw.channel_no),
  incident: raw.incident,
  height: Number(raw.height),
});

const toArchived = (raw: RawArchived): ArchivedRow => ({
  channelNo: Number(raw.channel_no),
  height: Number(raw.height),
  headRowId: Number(raw.head_row_id),
  latestUpdateId: updateId(loadedU64(raw.update_id)),
  latestUpdateHash: hash32(raw.update_hash),
  channelId: channelId(raw.channel_id),
  managerKey: managerKey(raw.manager_key),
  watchHash: hash32(raw.watch_hash),
  lastEventId: eventId(loadedU64(raw.last_event_id ?? 0n)),
});

const toBump = (raw: RawBump): BumpRow => ({
  channelNo: Number(raw.channel_no),
  bumpId: hash32(raw.bump_id),
  claimId: hash32(raw.claim_id),
  feeratePerKw: feeratePerKw(Number(raw.feerate_per_kw)),
  rawTx: raw.raw,
});

const toHeader = (raw: RawHeader): HeaderRow => ({
  height: Number(raw.height),
  hash: raw.hash,
  raw: raw.raw,
});

const toSweep = (raw: RawSweep): Sweep => ({
  id: Number(raw.row_id),
  inputs: raw.inputs.split(" "),
  spends: raw.spends.split(" "),
  destinationScript: raw.destination_script,
  feeSat: sat(raw.fee_sat),
  feeratePerKw: feeratePerKw(Number(raw.feerate_per_kw)),
  locktime: Number(raw.locktime),
  nextBumpAt: Number(raw.next_bump_at),
  txids: loadedTxids(raw.txids),
});

export const toStoredState = (raw: RawState): StoredState => ({
  storeId: storeId(raw.storeId),
  storeGen: raw.storeGen,
  chainHash: raw.chainHash,
  epochs: raw.epochs.map(toEpoch),
  channels: raw.channels.map(toChannel),
  archived: raw.archived.map(toArchived),
  snapshots: raw.snapshots.map(toSnapshot),
  events: raw.events.map(toEvent),
  eventHeads: raw.eventHeads.map(toEventHead),
  halts: raw.halts.map(toHalt),
  bumps: raw.bumps.map(toBump),
  headers: raw.headers.map(toHeader),
  sweeps: raw.sweeps.map(toSweep),
  nextRowIds: {
    log: Number(raw.lastRowIds.log) + 1,
    batch: Number(raw.lastRowIds.batch) + 1,
    event: Number(raw.lastRowIds.event) + 1,
    channel: Number(raw.lastRowIds.channel) + 1,
    sweep: Number(raw.lastRowIds.sweep) + 1,
  },
});
