/**
 * What the plugin has to hand over, on the node's own disk: an update of a channel stays until it is durable on
 * every required monitor. Numbers are given when an update is sent, from what the manager has accepted, so
 * that a queue restored from a backup never uses one again for other bytes.
 */
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { must } from "@farwatch/protocol/assert";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";

/** Owner only: a penalty transaction tells what a channel held. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** Kept for farwatch-status; older ones are in lightningd's log. */
export const MAX_TOLD = 1000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS channel (
  channel_id TEXT PRIMARY KEY,
  durable_id INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS queued (
  row_id INTEGER PRIMARY KEY AUTOINCREMENT,
  channel_id TEXT NOT NULL,
  subject TEXT NOT NULL,
  update_id INTEGER,
  payload BLOB NOT NULL,
  queued_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS queued_of_channel ON queued (channel_id, row_id);
CREATE INDEX IF NOT EXISTS queued_of_subject ON queued (subject);
CREATE TABLE IF NOT EXISTS told (
  item_id INTEGER PRIMARY KEY,
  text TEXT NOT NULL,
  told_at_ms INTEGER NOT NULL
) STRICT;
`;

export interface QueuedUpdate {
  readonly rowId: number;
  readonly channelId: ChannelId;
  /** undefined: never sent. */
  readonly updateId: bigint | undefined;
  readonly payload: Uint8Array;
}

export interface NewUpdate {
  readonly channelId: ChannelId;
  /** What it is about: the same payload about the same is queued once. */
  readonly subject: string;
  readonly payload: Uint8Array;
}

export interface QueueState {
  readonly queued: number;
  readonly oldestAtMs: number | undefined;
  readonly channels: readonly {
    readonly channelId: ChannelId;
    readonly durableId: bigint;
    readonly queued: number;
  }[];
  readonly told: readonly { readonly text: string; readonly atMs: number }[];
}

interface Row {
  readonly row_id: bigint;
  readonly channel_id: string;
  readonly update_id: bigint | null;
  readonly payload: Uint8Array;
}

export class PenaltyQueue {
  readonly #db: Database.Database;

  private constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Throws when the file cannot be used, or another process has it open. */
  static open(file: string): PenaltyQueue {
    mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
    if (!existsSync(file)) closeSync(openSync(file, "ax", FILE_MODE));
    const db = new Database(file, { timeout: 0 });
    db.defaultSafeIntegers(true);
    db.pragma("locking_mode = EXCLUSIVE"); // two plugins on one queue would number twice
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.exec(SCHEMA);
    return new PenaltyQueue(db);
  }

  /** Rises, durably, each time it is asked for; by the clock, so that a new queue comes after a lost one. */
  nextEpoch(nowMs: number): bigint {
    const raise = `INSERT INTO fact (name, value) VALUES ('node_epoch', ?)
      ON CONFLICT (name) DO UPDATE SET value = max(value + 1, excluded.value) RETURNING value`;
    const row = this.#db.prepare<[number], { readonly value: bigint }>(raise).get(nowMs);
    return found(row).value;
  }

  /** On disk when it returns; the row it has now or had before. */
  add({ channelId: id, subject, payload }: NewUpdate, nowMs: number): number {
    const same = this.#db
      .prepare<[string, string, Uint8Array], { readonly row_id: bigint }>(
        "SELECT row_id FROM queued WHERE subject = ? AND channel_id = ? AND payload = ?",
      )
      .get(subject, id, payload);
    if (same !== undefined) return Number(same.row_id);
    const insert =
      "INSERT INTO queued (channel_id, subject, payload, queued_at_ms) VALUES (?, ?, ?, ?)";
    return Number(this.#db.prepare(insert).run(id, subject, payload, nowMs).lastInsertRowid);
  }

  /** Channels with something to hand over. */
  channels(): readonly ChannelId[] {
    return this.#all<{ readonly channel_id: string }>(
      "SELECT DISTINCT channel_id FROM queued ORDER BY channel_id",
    ).map((row) => channelId(row.channel_id));
  }

  /** In the order in which they were queued, after `afterRow`. */
  rows(id: ChannelId, afterRow: number, limit: number): readonly QueuedUpdate[] {
    return this.#db
      .prepare<[string, number, number], Row>(
        "SELECT * FROM queued WHERE channel_id = ? AND row_id > ? ORDER BY row_id LIMIT ?",
      )
      .all(id, afterRow, limit)
      .map((row) => ({
        rowId: Number(row.row_id),
        channelId: id,
        updateId: row.update_id ?? undefined,
        payload: Uint8Array.from(row.payload),
      }));
  }

  /** The last row that has a number up to this one; 0: none. */
  lastNumbered(id: ChannelId, upTo: bigint): number {
    const row = this.#db
      .prepare<[string, bigint], { readonly last: bigint | null }>(
        "SELECT max(row_id) AS last FROM queued WHERE channel_id = ? AND update_id <= ?",
      )
      .get(id, upTo);
    return Number(row?.last ?? 0n);
  }

  /** These rows are sent under these numbers; all in one commit. */
  number(rows: readonly (readonly [rowId: number, updateId: bigint])[]): void {
    const update = this.#db.prepare("UPDATE queued SET update_id = ? WHERE row_id = ?");
    this.#db.transaction(() => {
      for (const [rowId, updateId] of rows) update.run(updateId, rowId);
    })();
  }

  durableId(id: ChannelId): bigint {
    const row = this.#db
      .prepare<[string], { readonly durable_id: bigint }>(
        "SELECT durable_id FROM channel WHERE channel_id = ?",
      )
      .get(id);
    return row?.durable_id ?? 0n;
  }

  /** Every required monitor has them; returns the rows that are over. */
  durable(id: ChannelId, upTo: bigint): readonly number[] {
    return this.#db.transaction(() => {
      this.#db
        .prepare(
          `INSERT INTO channel (channel_id, durable_id) VALUES (?, ?)
           ON CONFLICT (channel_id) DO UPDATE SET durable_id = max(durable_id, excluded.durable_id)`,
        )
        .run(id, upTo);
      const over = this.#db
        .prepare<[string, bigint], { readonly row_id: bigint }>(
          "DELETE FROM queued WHERE channel_id = ? AND update_id <= ? RETURNING row_id",
        )
        .all(id, upTo);
      return over.map((row) => Number(row.row_id));
    })();
  }

  /** False: it was told before. */
  tell(itemId: bigint, text: string, nowMs: number): boolean {
    return this.#db.transaction(() => {
      const insert = "INSERT OR IGNORE INTO told (item_id, text, told_at_ms) VALUES (?, ?, ?)";
      const isNew = this.#db.prepare(insert).run(itemId, text, nowMs).changes === 1;
      this.#db
        .prepare(
          `DELETE FROM told WHERE item_id <= (SELECT item_id FROM told
             ORDER BY item_id DESC LIMIT 1 OFFSET ?)`,
        )
        .run(MAX_TOLD);
      return isNew;
    })();
  }

  state(told: number): QueueState {
    const sum = this.#one<{ readonly count: bigint; readonly oldest: bigint | null }>(
      "SELECT count(*) AS count, min(queued_at_ms) AS oldest FROM queued",
    );
    return {
      queued: Number(sum.count),
      oldestAtMs: sum.oldest === null ? undefined : Number(sum.oldest),
      channels: this.#all<{ channel_id: string; durable_id: bigint; queued: bigint }>(
        `SELECT channel_id, coalesce(max(durable_id), 0) AS durable_id, sum(queued) AS queued FROM (
           SELECT channel_id, durable_id, 0 AS queued FROM channel
           UNION ALL SELECT channel_id, 0, 1 FROM queued
         ) GROUP BY channel_id ORDER BY channel_id`,
      ).map((row) => ({
        channelId: channelId(row.channel_id),
        durableId: row.durable_id,
        queued: Number(row.queued),
      })),
      told: this.#db
        .prepare<[number], { readonly text: string; readonly told_at_ms: bigint }>(
          "SELECT text, told_at_ms FROM told ORDER BY item_id DESC LIMIT ?",
        )
        .all(told)
        .map((row) => ({ text: row.text, atMs: Number(row.told_at_ms) })),
    };
  }

  close(): void {
    this.#db.close();
  }

  #all<T>(sql: string): T[] {
    return this.#db.prepare<[], T>(sql).all();
  }

  #one<T>(sql: string): T {
    return found(this.#db.prepare<[], T>(sql).get());
  }
}

const found = <T>(row: T | undefined): T => must(row, "a row of the queue");
