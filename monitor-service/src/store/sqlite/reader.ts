/**
 * Reads of the store, run inside the worker. Walks through one channel's log go in slices, so that a
 * long walk never holds up commits for more than a few milliseconds.
 */
import type Database from "better-sqlite3";
import { assert, assertNever, must } from "@farwatch/protocol/assert";
import type {
  RawArchived,
  RawBump,
  RawEpoch,
  RawEvent,
  RawEventHead,
  RawHalt,
  RawHeader,
  RawLog,
  RawChannel,
  RawSnapshot,
  RawState,
  RawSweep,
  ReadCall,
  ReadResult,
} from "./read-rows.js";
import { readMeta } from "./open-database.js";
import { loadedTxids, storedU64 } from "./write-ops.js";

/** Rows looked at per slice: about 2 ms of point look-ups. */
export const WALK_SLICE = 1000;

/** Of what a start serves: archived channels are read one by one when somebody asks. */
const LIVE = "WHERE channel_no NOT IN (SELECT channel_no FROM archive)";
const ARCHIVED = `SELECT archive.*, channel_id, manager_key, watch_hash, last_event_id
  FROM archive JOIN channel USING (channel_no) LEFT JOIN event_head USING (channel_no)
  ORDER BY channel_no`;

interface Link {
  readonly prev_row_id: bigint;
  readonly kind: string;
  readonly update_id: bigint;
  readonly counterparty_txid: string | null;
}

/** A read that may need several slices: either its result, or the call to go on with. */
export type Progress =
  | { readonly done: true; readonly result: ReadResult }
  | { readonly done: false; readonly next: ReadCall };

export class Reader {
  readonly #db: Database.Database;
  readonly #link: Database.Statement<[bigint], Link>;
  readonly #logRow: Database.Statement<[bigint], RawLog>;
  readonly #logPage: Database.Statement<[number, number], RawLog>;
  readonly #snapshot: Database.Statement<[number], RawSnapshot>;
  readonly #punishing: Database.Statement<[bigint], { readonly channel_no: bigint }>;
  readonly #penalty: Database.Statement<[bigint, bigint, number], { readonly log_row_id: bigint }>;
  readonly #watchPayload: Database.Statement<[number], Pick<RawChannel, "payload">>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#link = db.prepare(
      "SELECT prev_row_id, kind, update_id, counterparty_txid FROM log WHERE row_id = ?",
    );
    this.#logRow = db.prepare("SELECT * FROM log WHERE row_id = ?");
    this.#logPage = db.prepare("SELECT * FROM log WHERE row_id > ? ORDER BY row_id LIMIT ?");
    this.#snapshot = db.prepare("SELECT * FROM snapshot WHERE channel_no = ?");
    this.#punishing = db.prepare("SELECT DISTINCT channel_no FROM penalty WHERE txid_head = ?");
    this.#penalty = db.prepare(
      `SELECT log_row_id FROM penalty WHERE txid_head = ? AND channel_no = ?
       ORDER BY log_row_id DESC LIMIT ?`,
    );
    this.#watchPayload = db.prepare("SELECT payload FROM channel WHERE channel_no = ?");
  }

  run(call: ReadCall): Progress {
    switch (call.kind) {
      case "load":
        return { done: true, result: { kind: "state", state: this.#load() } };
      case "readLog": {
        const rows = this.#logPage.all(call.afterRowId, call.limit);
        return { done: true, result: { kind: "log", rows } };
      }
      case "readSnapshot": {
        const row = this.#snapshot.get(call.channelNo);
        return { done: true, result: { kind: "snapshot", row } };
      }
      case "readWatchPayload": {
        const row = this.#watchPayload.get(call.channelNo);
        return { done: true, result: { kind: "watchPayload", row } };
      }
      case "findCommitment":
        return this.#walk(call, ({ counterparty_txid: stored }) =>
          loadedTxids(stored).includes(call.txid),
        );
      case "findAnyCommitment":
        return this.#walk(call, ({ counterparty_txid: stored }) => loadedTxids(stored).length > 0);
      case "findUpdate": {
        const wanted = storedU64(call.updateId);
        return this.#walk(call, (link) => link.update_id === wanted && link.kind === "update");
      }
      case "findPenalties":
        return { done: true, result: { kind: "log", rows: this.#penalties(call) } };
      case "readBack":
        return { done: true, result: { kind: "log", rows: this.#back(call) } };
      default:
        return assertNever(call);
    }
  }

  #penalties({
    heads,
    perChannel,
  }: Extract<ReadCall, { kind: "findPenalties" }>): readonly RawLog[] {
    const ids = new Set<bigint>();
    for (const head of heads) {
      for (const { channel_no: of } of this.#punishing.all(head)) {
        for (const found of this.#penalty.all(head, of, perChannel)) ids.add(found.log_row_id);
      }
    }
    return [...ids]
      .sort((a, b) => (a < b ? 1 : -1))
      .map((id) => must(this.#logRow.get(id), "log row of a penalty"));
  }

  #back({ rowId, limit }: { readonly rowId: number; readonly limit: number }): readonly RawLog[] {
    const rows: RawLog[] = [];
    let next = BigInt(rowId);
    while (next !== 0n && rows.length < limit) {
      const row = must(this.#logRow.get(next), "log row named by its successor");
      rows.push(row);
      next = row.prev_row_id;
    }
    return rows;
  }

  #walk(
    call: Extract<ReadCall, { headRowId: number }>,
    matches: (link: Link) => boolean,
  ): Progress {
    let rowId = BigInt(call.headRowId);
    for (let looked = 0; looked < WALK_SLICE; looked++) {
      if (rowId === 0n) return { done: true, result: { kind: "log", rows: [] } };
      const link = must(this.#link.get(rowId), "log row named by its successor");
      if (matches(link)) {
        const row = must(this.#logRow.get(rowId), "log row");
        return { done: true, result: { kind: "log", rows: [row] } };
      }
      assert(link.prev_row_id < rowId, "log rows of a channel point backwards");
      rowId = link.prev_row_id;
    }
    return { done: false, next: { ...call, headRowId: Number(rowId) } };
  }

  #load(): RawState {
    const all = <Row>(sql: string): Row[] => this.#db.prepare<[], Row>(sql).all();
    const last = (table: string, column = "row_id"): bigint =>
      all<{ last: bigint | null }>(`SELECT max(${column}) AS last FROM ${table}`)[0]?.last ?? 0n;
    const generation = readMeta(this.#db, "store_gen");
    assert(typeof generation === "bigint", "store generation");
    return {
      storeId: String(readMeta(this.#db, "store_id")),
      storeGen: generation,
      chainHash: String(readMeta(this.#db, "chain_hash")),
      epochs: all<RawEpoch>("SELECT * FROM epoch"),
      channels: all<RawChannel>(`SELECT * FROM channel ${LIVE} ORDER BY channel_no`),
      archived: all<RawArchived>(ARCHIVED),
      snapshots: all<RawSnapshot>(`SELECT * FROM snapshot ${LIVE} ORDER BY channel_no`),
      events: all<RawEvent>("SELECT * FROM event ORDER BY row_id"),
      eventHeads: all<RawEventHead>(`SELECT * FROM event_head ${LIVE} ORDER BY channel_no`),
      halts: all<RawHalt>("SELECT * FROM halt ORDER BY channel_no"),
      bumps: all<RawBump>("SELECT * FROM bump"),
      headers: all<RawHeader>("SELECT * FROM header ORDER BY height DESC"),
      sweeps: all<RawSweep>("SELECT * FROM sweep WHERE is_over = 0 ORDER BY row_id"),
      lastRowIds: {
        log: last("log"),
        batch: last("batch"),
        event: last("event"),
        channel: last("channel", "channel_no"),
        sweep: last("sweep"),
      },
    };
  }
}
