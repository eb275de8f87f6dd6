/**
 * The default store: SQLite in a worker thread, WAL with synchronous=FULL, group commit. This side
 * numbers requests, keeps their promises and turns the first failure into the last word: every later
 * call is refused with the same StoreFailure.
 */
import { Worker } from "node:worker_threads";
import { assert, assertNever } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { Txid, UpdateId } from "@farwatch/protocol/ids";
import {
  StoreFailure,
  StoreUnusable,
  type LogRow,
  type MonitorStore,
  type SnapshotRow,
  type StoredState,
  type StoreOp,
} from "../store.js";
import type { WorkerOptions, WorkerReply, WorkerRequest } from "./messages.js";
import {
  toLogRow,
  toSnapshot,
  toStoredState,
  type ReadCall,
  type ReadResult,
} from "./read-rows.js";
import { toWriteCalls, txidHead } from "./write-ops.js";

const STORE_ID_BYTES = 16;

export interface SqliteStoreOptions {
  /** Database file; its folder is created when missing. */
  readonly path: string;
  /** Genesis block hash, internal byte order, hex. A store of another network is refused. */
  readonly chainHash: string;
  randomBytes(length: number): Uint8Array;
}

/** Opens or creates a store. Throws StoreUnusable or StoreFailure; then nothing stays open. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<MonitorStore> {
  const workerData: WorkerOptions = {
    path: options.path,
    chainHash: options.chainHash,
    newStoreId: toHex(options.randomBytes(STORE_ID_BYTES)),
  };
  const store = new SqliteStore(
    new Worker(new URL("./worker.js", import.meta.url), { workerData }),
  );
  await store.opened;
  return store;
}

interface Settle<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

class SqliteStore implements MonitorStore {
  readonly #worker: Worker;
  readonly #writes = new Map<number, Settle<void>>();
  readonly #reads = new Map<number, Settle<ReadResult>>();
  readonly #exited: Promise<void>;
  readonly opened: Promise<void>;
  #settleOpened: Settle<void> | undefined;
  #nextId = 1;
  #failure: StoreFailure | undefined;
  #closing: Promise<void> | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    this.opened = new Promise((resolve, reject) => {
      this.#settleOpened = { resolve, reject };
    });
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        this.#fail(new StoreFailure("store worker ended"));
        resolve();
      });
    });
    worker.on("message", (message: WorkerReply) => this.#receive(message));
    worker.on("error", (error) => this.#fail(new StoreFailure("store worker", { cause: error })));
  }

  async load(): Promise<StoredState> {
    const result = await this.#read({ kind: "load" });
    assert(result.kind === "state", "load answers with a state");
    return toStoredState(result.state);
  }

  async readLog(afterRowId: number, limit: number): Promise<readonly LogRow[]> {
    return logRows(await this.#read({ kind: "readLog", afterRowId, limit }));
  }

  transact(ops: readonly StoreOp[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const id = this.#nextId++;
      this.#writes.set(id, { resolve, reject });
      this.#send({ kind: "transact", id, calls: ops.flatMap(toWriteCalls) });
    });
  }

  async findCounterpartyCommitment(headRowId: number, txid: Txid): Promise<LogRow | undefined> {
    return logRows(await this.#read({ kind: "findCommitment", headRowId, txid }))[0];
  }

  async findAnyCommitment(headRowId: number): Promise<LogRow | undefined> {
    return logRows(await this.#read({ kind: "findAnyCommitment", headRowId }))[0];
  }

  async findUpdate(headRowId: number, updateId: UpdateId): Promise<LogRow | undefined> {
    return logRows(await this.#read({ kind: "findUpdate", headRowId, updateId }))[0];
  }

  async findPenalties(
    commitments: readonly Txid[],
    perChannel: number,
  ): Promise<readonly LogRow[]> {
    const heads = commitments.map(txidHead);
    return logRows(await this.#read({ kind: "findPenalties", heads, perChannel }));
  }

  async readBack(rowId: number, limit: number): Promise<readonly LogRow[]> {
    return logRows(await this.#read({ kind: "readBack", rowId, limit }));
  }

  async readWatchPayload(channelNo: number): Promise<Uint8Array | undefined> {
    const result = await this.#read({ kind: "readWatchPayload", channelNo });
    assert(result.kind === "watchPayload", "answer with a payload");
    return result.row?.payload;
  }

  async readSnapshot(channelNo: number): Promise<SnapshotRow | undefined> {
    const result = await this.#read({ kind: "readSnapshot", channelNo });
    assert(result.kind === "snapshot", "answer with a snapshot");
    return result.row === undefined ? undefined : toSnapshot(result.row);
  }

  /** Closes by message: the worker finishes what it was given first. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#send({ kind: "close" });
      this.#closing = this.#exited;
    }
    return this.#closing;
  }

  #read(call: ReadCall): Promise<ReadResult> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const id = this.#nextId++;
      this.#reads.set(id, { resolve, reject });
      this.#send({ kind: "read", id, call });
    });
  }

  #send(request: WorkerRequest): void {
    this.#worker.postMessage(request);
  }

  #receive(message: WorkerReply): void {
    switch (message.kind) {
      case "opened":
        this.#settleOpened?.resolve();
        return;
      case "committed":
        for (const id of message.ids) {
          this.#writes.get(id)?.resolve();
          this.#writes.delete(id);
        }
        return;
      case "answer":
        this.#reads.get(message.id)?.resolve(message.result);
        this.#reads.delete(message.id);
        return;
      case "unusable":
        return this.#fail(new StoreUnusable(message.message));
      case "failed":
        return this.#fail(new StoreFailure(message.message));
      case "closed":
        return this.#fail(new StoreFailure("store is closed"));
      default:
        return assertNever(message);
    }
  }

  #fail(failure: StoreFailure): void {
    this.#failure ??= failure;
    this.#settleOpened?.reject(this.#failure);
    for (const pending of [...this.#writes.values(), ...this.#reads.values()]) {
      pending.reject(this.#failure);
    }
    this.#writes.clear();
    this.#reads.clear();
  }
}

function logRows(result: ReadResult): readonly LogRow[] {
  assert(result.kind === "log", "answer with log rows");
  return result.rows.map(toLogRow);
}
