/**
 * The monitor's store on the disk in memory. Rows are kept as the port hands them over; that they
 * survive SQLite byte for byte is proved by the store's own contract tests.
 */
import { assertNever, must } from "@farwatch/protocol/assert";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import { eventId, type ChannelId, type StoreId } from "@farwatch/protocol/ids";
import { txidHead } from "@farwatch/monitor-service/store/sqlite/write-ops";
import { StoreFailure } from "@farwatch/monitor-service/store/store";
import type {
  ArchivedRow,
  ArchiveRow,
  BumpRow,
  ChannelRow,
  EpochRow,
  EventHeadRow,
  EventRow,
  HaltRow,
  HeaderRow,
  LogRow,
  PenaltyRow,
  MonitorStore,
  SnapshotRow,
  StoredState,
  StoreOp,
  SweepRow,
} from "@farwatch/monitor-service/store/store";
import type { DiskSession } from "./disk.js";

const byNumber = <T>(rows: ReadonlyMap<number, T>): readonly T[] =>
  [...rows.keys()].sort((a, b) => a - b).map((key) => must(rows.get(key), "row"));
const last = (rows: ReadonlyMap<number, unknown>): number => Math.max(0, ...rows.keys());

export class MonitorDisk {
  #generation = 0n;
  readonly #epochs = new Map<string, EpochRow>();
  readonly #channels = new Map<number, ChannelRow>();
  readonly #archive = new Map<number, ArchiveRow>();
  readonly #log = new Map<number, LogRow>();
  /** By log row; the world's updates carry one each. */
  readonly #penalties = new Map<number, PenaltyRow>();
  readonly #batches = new Map<number, unknown>();
  readonly #events = new Map<number, EventRow>();
  readonly #told: SealedMonitorEvent[] = [];
  readonly #heads = new Map<number, EventHeadRow>();
  readonly #snapshots = new Map<number, SnapshotRow>();
  readonly #halts = new Map<number, HaltRow>();
  readonly #bumps = new Map<string, BumpRow>();
  readonly #headers = new Map<number, HeaderRow>();
  readonly #sweeps = new Map<number, SweepRow>();

  constructor(
    private readonly storeId: StoreId,
    private readonly chainHash: string,
  ) {}

  /** Events that are stored and not acked. */
  events(): readonly EventRow[] {
    return byNumber(this.#events);
  }
  /** Every event that was ever stored, in order; no ack takes one away. */
  told(): readonly SealedMonitorEvent[] {
    return this.#told;
  }
  logRows(): readonly LogRow[] {
    return byNumber(this.#log);
  }

  /** Newest durable update of a channel; 0 while it has only its first state, or nothing. */
  newestUpdate(channelId: ChannelId): bigint {
    const no = this.#numberOf(channelId);
    const ids = this.logRows()
      .filter(({ channelNo, kind }) => channelNo === no && kind === "update")
      .map(({ updateId }) => updateId);
    return ids.at(-1) ?? 0n;
  }
  /** Newest event that was ever durable. */
  newestEvent(channelId: ChannelId): bigint {
    return this.#heads.get(this.#numberOf(channelId))?.lastEventId ?? 0n;
  }
  #numberOf(channelId: ChannelId): number {
    return byNumber(this.#channels).find((row) => row.channelId === channelId)?.channelNo ?? 0;
  }

  open(session: DiskSession): MonitorStore {
    const walk = (from: number, matches: (row: LogRow) => boolean) =>
      session.read(() => this.#walk(from, matches));
    void session.write("generation", () => (this.#generation += 1n));
    return {
      load: () => session.read(() => this.#state()),
      readLog: (afterRowId, limit) =>
        session.read(() =>
          byNumber(this.#log)
            .filter(({ rowId }) => rowId > afterRowId)
            .slice(0, limit),
        ),
      transact: (ops) =>
        ops.length === 0
          ? session.read(() => undefined)
          : session.write(nameOf(ops), () => {
              this.#demandNew(ops);
              for (const op of ops) this.#apply(op);
            }),
      findCounterpartyCommitment: (head, txid) =>
        walk(head, ({ counterpartyTxids }) => counterpartyTxids.includes(txid)),
      findAnyCommitment: (head) =>
        walk(head, ({ counterpartyTxids }) => counterpartyTxids.length > 0),
      findUpdate: (head, id) =>
        walk(head, ({ kind, updateId }) => kind === "update" && updateId === id),
      findPenalties: (commitments, perChannel) =>
        session.read(() => {
          const heads = new Set(commitments.map(txidHead));
          return byNumber(this.#penalties)
            .filter(({ commitmentTxid }) => heads.has(txidHead(commitmentTxid)))
            .reverse()
            .filter(isAmongFirst(perChannel))
            .map(({ logRowId }) => must(this.#log.get(logRowId), "log row of a penalty"));
        }),
      readBack: (rowId, limit) => session.read(() => this.#back(rowId, limit)),
      readWatchPayload: (channelNo) => session.read(() => this.#channels.get(channelNo)?.payload),
      readSnapshot: (channelNo) => session.read(() => this.#snapshots.get(channelNo)),
      close: () => session.close(new StoreFailure("store is closed")),
    };
  }

  #back(from: number, limit: number): readonly LogRow[] {
    const rows: LogRow[] = [];
    for (let id = from; id !== 0 && rows.length < limit;) {
      const row = must(this.#log.get(id), "log row named by its successor");
      rows.push(row);
      id = row.prevRowId;
    }
    return rows;
  }

  #walk(from: number, matches: (row: LogRow) => boolean): LogRow | undefined {
    for (let id = from; id !== 0;) {
      const row = must(this.#log.get(id), "log row named by its successor");
      if (matches(row)) return row;
      id = row.prevRowId;
    }
    return undefined;
  }

  #state(): StoredState {
    const live = <T extends { readonly channelNo: number }>(rows: readonly T[]): readonly T[] =>
      rows.filter(({ channelNo }) => !this.#archive.has(channelNo));
    return {
      storeId: this.storeId,
      storeGen: this.#generation,
      chainHash: this.chainHash,
      epochs: [...this.#epochs.values()],
      channels: live(byNumber(this.#channels)),
      archived: byNumber(this.#archive).map((row) => this.#archived(row)),
      snapshots: live(byNumber(this.#snapshots)),
      events: this.events(),
      eventHeads: live(byNumber(this.#heads)),
      halts: byNumber(this.#halts),
      bumps: [...this.#bumps.values()],
      headers: [...byNumber(this.#headers)].reverse(),
      sweeps: byNumber(this.#sweeps)
        .filter(({ isOver }) => !isOver)
        .map(({ isOver: _, ...sweep }) => sweep),
      nextRowIds: {
        log: last(this.#log) + 1,
        batch: last(this.#batches) + 1,
        event: last(this.#events) + 1,
        channel: last(this.#channels) + 1,
        sweep: last(this.#sweeps) + 1,
      },
    };
  }

  #archived(row: ArchiveRow): ArchivedRow {
    const { channelId, managerKey, watchHash } = must(
      this.#channels.get(row.channelNo),
      "archived channel",
    );
    const lastEventId = this.#heads.get(row.channelNo)?.lastEventId ?? eventId(0);
    return { ...row, channelId, managerKey, watchHash, lastEventId };
  }

  /** A row that exists is never inserted again. */
  #demandNew(ops: readonly StoreOp[]): void {
    for (const op of ops) {
      const exists =
        (op.op === "insertChannel" && this.#channels.has(op.row.channelNo)) ||
        (op.op === "appendLog" && this.#log.has(op.row.rowId)) ||
        (op.op === "insertBatch" && this.#batches.has(op.row.rowId)) ||
        (op.op === "insertEvent" && this.#events.has(op.row.rowId));
      if (exists) throw new StoreFailure(`${op.op}: the row exists`);
    }
  }

  #apply(op: StoreOp): void {
    switch (op.op) {
      case "putEpoch":
        return void this.#epochs.set(op.row.managerKey, op.row);
      case "insertChannel":
        return void this.#channels.set(op.row.channelNo, op.row);
      case "appendLog":
        return void this.#log.set(op.row.rowId, op.row);
      case "insertPenalty":
        return void this.#penalties.set(op.row.logRowId, op.row);
      case "insertBatch":
        return void this.#batches.set(op.row.rowId, op.row);
      case "insertEvent":
        return this.#insertEvent(op.row);
      case "deleteEvent":
        return void this.#events.delete(op.rowId);
      case "putSnapshot":
        return void this.#snapshots.set(op.row.channelNo, op.row);
      case "putHalt":
        if (!this.#halts.has(op.row.channelNo)) this.#halts.set(op.row.channelNo, op.row);
        return;
      case "putArchive":
        return void this.#archive.set(op.row.channelNo, op.row);
      case "putBump":
        return void this.#bumps.set(`${op.row.channelNo}/${op.row.bumpId}`, op.row);
      case "deleteBump":
        return void this.#bumps.delete(`${op.channelNo}/${op.bumpId}`);
      case "putSweep":
        return void this.#sweeps.set(op.row.id, op.row);
      case "putHeader":
        return void this.#headers.set(op.row.height, op.row);
      case "deleteHeadersAbove":
        return this.#dropHeaders((height) => height > op.height);
      case "deleteHeadersBelow":
        return this.#dropHeaders((height) => height < op.height);
      default:
        return assertNever(op);
    }
  }

  #insertEvent(row: EventRow): void {
    const { channelNo, event } = row;
    this.#events.set(row.rowId, row);
    this.#told.push(event);
    const head = { channelNo, lastEventId: event.eventId, lastEventHash: event.eventHash };
    this.#heads.set(channelNo, head);
  }

  #dropHeaders(drops: (height: number) => boolean): void {
    for (const height of [...this.#headers.keys()]) if (drops(height)) this.#headers.delete(height);
  }
}

const nameOf = (ops: readonly StoreOp[]): string => [...new Set(ops.map(({ op }) => op))].join("+");

/** Of each channel no more than so many whose commitments begin alike, as SQLite's index tells them apart. */
function isAmongFirst(perChannel: number): (row: PenaltyRow) => boolean {
  const counts = new Map<string, number>();
  return ({ channelNo, commitmentTxid }) => {
    const key = `${channelNo} ${txidHead(commitmentTxid)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return (counts.get(key) ?? 0) <= perChannel;
  };
}
