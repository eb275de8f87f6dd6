/**
 * PORT: durable storage of a monitor-service. `transact` resolves only when every operation is on
 * disk (fsync); transactions are applied in call order and may be grouped into one commit. A failed
 * transaction is fatal for the process: memory is ahead of the disk and nothing more may be answered.
 *
 * Rows are append-ordered: the single writer (the shell) hands out row ids, rising per table. An
 * update appends one log row of its own size; nothing rewrites a whole monitor (ADR M-02).
 */
import type { FeeratePerKw } from "@farwatch/protocol/amount";
import type {
  ChannelId,
  EventId,
  Hash32,
  ManagerKey,
  StoreId,
  Txid,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type { Sweep } from "../tx/sweep-plan.js";

export type LogKind = "update" | "preimages" | "command";

/** One applied input of one channel, in order. Replayed over the newest snapshot at start. */
export interface LogRow {
  readonly rowId: number;
  readonly channelNo: number;
  /** Row of the same channel's previous input; 0 for none. Makes the log of a channel walkable. */
  readonly prevRowId: number;
  readonly kind: LogKind;
  /** 0 unless kind is "update". */
  readonly updateId: UpdateId;
  readonly updateHash: Hash32 | undefined;
  /** farwatch/update/v1 body, farwatch/preimage/v1 bodies, or empty. */
  readonly header: Uint8Array;
  /** Exact payload bytes as received. */
  readonly payload: Uint8Array;
  /**
   * The counterparty commitments that the update carries, one for every funding: how justice finds
   * their HTLCs again.
   */
  readonly counterpartyTxids: readonly Txid[];
  /** Row of the signed batch that proves it; 0 for none. */
  readonly batchRowId: number;
}

export interface BatchRow {
  readonly rowId: number;
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
}

export interface ChannelRow {
  readonly channelNo: number;
  readonly channelId: ChannelId;
  readonly managerKey: ManagerKey;
  /** farwatch/watch/v1 body and the exact InitialState bytes. */
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  /** Hash of the watch header: the same bytes again are idempotent. */
  readonly watchHash: Hash32;
}

export interface EventRow {
  readonly rowId: number;
  readonly channelNo: number;
  readonly event: SealedMonitorEvent;
}

/** A channel's state as of log row `logRowId` (included), encoded by monitor/codec.ts. */
export interface SnapshotRow {
  readonly channelNo: number;
  readonly logRowId: number;
  readonly bytes: Uint8Array;
}

/** Finds the log row of a penalty by the commitment that it punishes. */
export interface PenaltyRow {
  readonly commitmentTxid: Txid;
  readonly channelNo: number;
  readonly logRowId: number;
}

/** The newest event of a channel, kept when the event itself is acked and gone. */
export interface EventHeadRow {
  readonly channelNo: number;
  readonly lastEventId: EventId;
  readonly lastEventHash: Hash32;
}

/** A channel whose block processing stopped on a broken invariant; stays so until a person acts. */
export interface HaltRow {
  readonly channelNo: number;
  /** Names the log line that has the details. */
  readonly incident: string;
  /** Last height the channel was processed at. */
  readonly height: number;
}

/** A channel that is kept but no longer served: nothing of it is loaded at start but this. */
export interface ArchiveRow {
  readonly channelNo: number;
  /** Tip when it was archived. */
  readonly height: number;
  /** Its newest log row: preimages are still taken. */
  readonly headRowId: number;
  readonly latestUpdateId: UpdateId;
  readonly latestUpdateHash: Hash32;
}

/** With what the channel's other rows say of it. */
export interface ArchivedRow extends ArchiveRow {
  readonly channelId: ChannelId;
  readonly managerKey: ManagerKey;
  readonly watchHash: Hash32;
  /** 0: it never had an event. */
  readonly lastEventId: EventId;
}

/**
 * A signed transaction that a wallet paid for, written before it is sent: after a restart the same one is
 * sent again, and what replaces it spends the same coins.
 */
export interface BumpRow {
  readonly channelNo: number;
  /** Stays when the transaction is replaced. */
  readonly bumpId: Hash32;
  /** Of the request it answers; a large claim has several transactions. */
  readonly claimId: Hash32;
  /** Asked for when it was made; what it pays for its weight, or a little more. */
  readonly feeratePerKw: FeeratePerKw;
  readonly rawTx: Uint8Array;
}

export interface HeaderRow {
  readonly height: number;
  readonly hash: string;
  readonly raw: Uint8Array;
}

export interface EpochRow {
  readonly managerKey: ManagerKey;
  readonly epoch: bigint;
  readonly bootNonce: Uint8Array;
}

/** The newest version of a sweep; its id is the row id. */
export interface SweepRow extends Sweep {
  /** None of its outputs is left to sweep: not loaded again. */
  readonly isOver: boolean;
}

export type StoreOp =
  | { readonly op: "putEpoch"; readonly row: EpochRow }
  | { readonly op: "insertChannel"; readonly row: ChannelRow }
  | { readonly op: "appendLog"; readonly row: LogRow }
  /** A log row carries a penalty for this commitment. */
  | { readonly op: "insertPenalty"; readonly row: PenaltyRow }
  | { readonly op: "insertBatch"; readonly row: BatchRow }
  /** Also becomes the channel's event head. */
  | { readonly op: "insertEvent"; readonly row: EventRow }
  | { readonly op: "deleteEvent"; readonly rowId: number }
  /** Replaces the channel's older snapshot. */
  | { readonly op: "putSnapshot"; readonly row: SnapshotRow }
  | { readonly op: "putHalt"; readonly row: HaltRow }
  /** Its rows stay; `load` leaves them out. Again for a new head. */
  | { readonly op: "putArchive"; readonly row: ArchiveRow }
  /** Replaces the row of the same channel and bump. */
  | { readonly op: "putBump"; readonly row: BumpRow }
  | { readonly op: "deleteBump"; readonly channelNo: number; readonly bumpId: Hash32 }
  /** Replaces the sweep's older version. */
  | { readonly op: "putSweep"; readonly row: SweepRow }
  | { readonly op: "putHeader"; readonly row: HeaderRow }
  /** Removes headers above the fork point after a reorg. */
  | { readonly op: "deleteHeadersAbove"; readonly height: number }
  /** Keeps the header ring bounded. */
  | { readonly op: "deleteHeadersBelow"; readonly height: number };

/** What a start needs at once. Log rows come in pages (`readLog`), so memory stays bounded. */
export interface StoredState {
  readonly storeId: StoreId;
  /** Already raised for this start. */
  readonly storeGen: bigint;
  readonly chainHash: string;
  readonly epochs: readonly EpochRow[];
  /** Without archived ones; so are snapshots, events and halts. */
  readonly channels: readonly ChannelRow[];
  readonly archived: readonly ArchivedRow[];
  readonly snapshots: readonly SnapshotRow[];
  /** In row order: per channel, rising event ids. */
  readonly events: readonly EventRow[];
  readonly eventHeads: readonly EventHeadRow[];
  readonly halts: readonly HaltRow[];
  readonly bumps: readonly BumpRow[];
  /** Newest first. */
  readonly headers: readonly HeaderRow[];
  /** Those that are not over. */
  readonly sweeps: readonly Sweep[];
  readonly nextRowIds: Readonly<Record<"log" | "batch" | "event" | "channel" | "sweep", number>>;
}

export interface MonitorStore {
  load(): Promise<StoredState>;
  /** Log rows of all channels with row id above `afterRowId`, in row order; empty at the end. */
  readLog(afterRowId: number, limit: number): Promise<readonly LogRow[]>;
  transact(ops: readonly StoreOp[]): Promise<void>;
  /** Walks a channel's log backwards for the update that carried this counterparty commitment. */
  findCounterpartyCommitment(headRowId: number, txid: Txid): Promise<LogRow | undefined>;
  /** The newest row of a channel, from `headRowId` down, that carries counterparty commitments. */
  findAnyCommitment(headRowId: number): Promise<LogRow | undefined>;
  /** Walks a channel's log backwards for an update id; for replay answers below the head. */
  findUpdate(headRowId: number, updateId: UpdateId): Promise<LogRow | undefined>;
  /**
   * Rows of any channel that may carry a penalty for one of these commitments, the newest first, of each channel
   * and commitment no more than `perChannel`: txids are told apart by their first 8 bytes only, so the caller
   * looks into the rows.
   */
  findPenalties(commitments: readonly Txid[], perChannel: number): Promise<readonly LogRow[]>;
  /** Rows of one channel from `rowId` backwards, the newest first, at most `limit`. */
  readBack(rowId: number, limit: number): Promise<readonly LogRow[]>;
  /** The exact InitialState bytes a channel was watched with. */
  readWatchPayload(channelNo: number): Promise<Uint8Array | undefined>;
  /** Newest snapshot of a channel, archived ones included. */
  readSnapshot(channelNo: number): Promise<SnapshotRow | undefined>;
  /** Resolves after the last transaction is durable and the files are closed. */
  close(): Promise<void>;
}

/** The disk refused. Nothing of the transaction was applied; the process must stop. */
export class StoreFailure extends Error {
  override readonly name: string = "StoreFailure";
}

/** The files are not what this process may open: locked, other network, newer schema, open modes. */
export class StoreUnusable extends StoreFailure {
  override readonly name: string = "StoreUnusable";
}
