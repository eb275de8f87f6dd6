/**
 * The manager's store over SQLite. Database work runs on a worker thread; this side numbers requests
 * and settles promises. After the first failure every call fails (fail-stop): memory is then ahead of
 * the disk, so the process must end and start again from what is stored.
 */
import { Worker } from "node:worker_threads";
import { assert, assertNever } from "@farwatch/protocol/assert";
import type { ManagerKey } from "@farwatch/protocol/ids";
import { StoreFailure } from "../store.js";
import type { ManagerStore, RowChange, StoredManager, StoredRow, TableName } from "../store.js";
import type { WorkerOptions, WorkerReply, WorkerRequest } from "./messages.js";

export interface ManagerStoreOptions {
  /** Database file; its folder is created when missing. */
  readonly file: string;
  /** Genesis block hash, internal byte order, hex. A store of another network is refused. */
  readonly chainHash: string;
  /** A store of another manager key is refused. */
  readonly managerKey: ManagerKey;
}

/** Opens or creates a store. Throws StoreFailure; then nothing stays open. */
export async function openManagerStore(options: ManagerStoreOptions): Promise<ManagerStore> {
  const { file, chainHash, managerKey } = options;
  const workerData: WorkerOptions = { file, chainHash, managerKey };
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

/** A structured clone of a view would copy the whole buffer behind it. */
const own = (change: RowChange): RowChange =>
  change.value === undefined || change.value.byteLength === change.value.buffer.byteLength
    ? change
    : { ...change, value: Uint8Array.from(change.value) };

class SqliteStore implements ManagerStore {
  readonly #worker: Worker;
  readonly #writes = new Map<number, Settle<void>>();
  readonly #loads = new Map<number, Settle<StoredManager>>();
  readonly #ranges = new Map<number, Settle<readonly StoredRow[]>>();
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

  load(): Promise<StoredManager> {
    return this.#ask(this.#loads, (id) => ({ kind: "load", id }));
  }

  transact(changes: readonly RowChange[]): Promise<void> {
    return this.#ask(this.#writes, (id) => ({ kind: "transact", id, changes: changes.map(own) }));
  }

  range(
    table: TableName,
    fromKey: string,
    toKey: string,
    limit: number,
  ): Promise<readonly StoredRow[]> {
    assert(Number.isSafeInteger(limit) && limit >= 0, "range: limit is a count");
    const call = { table, fromKey, toKey, limit };
    return this.#ask(this.#ranges, (id) => ({ kind: "range", id, call }));
  }

  /** Closes by message: the worker finishes what it was given first. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#send({ kind: "close" });
      this.#closing = this.#exited;
    }
    return this.#closing;
  }

  #ask<T>(waiting: Map<number, Settle<T>>, request: (id: number) => WorkerRequest): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      if (this.#closing !== undefined) return reject(new StoreFailure("store is closed"));
      const id = this.#nextId++;
      waiting.set(id, { resolve, reject });
      this.#send(request(id));
    });
  }

  #send(request: WorkerRequest): void {
    this.#worker.postMessage(request);
  }

  #receive(message: WorkerReply): void {
    switch (message.kind) {
      case "opened":
        return this.#settleOpened?.resolve();
      case "committed":
        for (const id of message.ids) settle(this.#writes, id, undefined);
        return;
      case "loaded":
        return settle(this.#loads, message.id, message.stored);
      case "rows":
        return settle(this.#ranges, message.id, message.rows);
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
    for (const waiting of [this.#writes, this.#loads, this.#ranges]) {
      for (const pending of waiting.values()) pending.reject(this.#failure);
      waiting.clear();
    }
  }
}

function settle<T>(waiting: Map<number, Settle<T>>, id: number, value: T): void {
  waiting.get(id)?.resolve(value);
  waiting.delete(id);
}
