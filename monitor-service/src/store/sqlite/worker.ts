/**
 * The one writer of the store, on its own thread: a synchronous commit here leaves the event loop of
 * the service free to collect the next group. Everything waiting on the port goes into one commit; a
 * reply leaves only after it. The first failure is final (fail-stop): nothing is retried after a
 * refused write or fsync, because what reached the disk is then unknown.
 */
import { statSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type Database from "better-sqlite3";
import { assertNever, must } from "@farwatch/protocol/assert";
import { StoreUnusable } from "../store.js";
import type { WorkerOptions, WorkerReply, WorkerRequest } from "./messages.js";
import { openDatabase } from "./open-database.js";
import { Reader } from "./reader.js";
import { WRITE_SQL, type WriteCall, type WriteName } from "./write-ops.js";

/** Transactions in one commit. Bounds the memory and the latency of a group; 256 is near the best. */
const MAX_GROUP = 1024;
/** Idle time before a checkpoint, ms: longer than the gap between two commits under load. */
const IDLE_MS = 200;
/** WAL size that is worth a checkpoint when idle, bytes. */
const IDLE_WAL_BYTES = 1024 * 1024;
/** WAL size at which a checkpoint is taken even under load, bytes: bounds disk use and start time. */
const MAX_WAL_BYTES = 256 * 1024 * 1024;

const port = must(parentPort, "parent port");
const options: WorkerOptions = workerData;
const reply = (message: WorkerReply): void => port.postMessage(message);
const textOf = (error: unknown): string => (error instanceof Error ? error.message : "unknown");

class Writer {
  readonly #db: Database.Database;
  readonly #reader: Reader;
  readonly #statements = new Map<WriteName, Database.Statement>();
  readonly #commit: (group: readonly (readonly WriteCall[])[]) => void;
  readonly #queue: WorkerRequest[] = [];
  #idle: NodeJS.Timeout | undefined;
  #over = false;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#reader = new Reader(db);
    this.#commit = db.transaction((group: readonly (readonly WriteCall[])[]) => {
      for (const calls of group) for (const call of calls) this.#write(call);
    });
  }

  #write(call: WriteCall): void {
    const { statement: name, values } = call;
    const statement = this.#statements.get(name) ?? this.#db.prepare(WRITE_SQL[name]);
    this.#statements.set(name, statement);
    statement.run(...values);
  }

  receive(first: WorkerRequest): void {
    this.#queue.push(first);
    for (;;) {
      const more = receiveMessageOnPort(port);
      if (more === undefined) break;
      const request: WorkerRequest = more.message;
      this.#queue.push(request);
    }
    this.#serveAll();
  }

  #serveAll(): void {
    if (this.#over) return;
    clearTimeout(this.#idle);
    try {
      while (this.#queue.length > 0 && !this.#over) this.#serveNext();
      if (!this.#over) this.#afterWork();
    } catch (error) {
      this.#fail(error);
    }
  }

  #serveNext(): void {
    const request = must(this.#queue.shift(), "request");
    switch (request.kind) {
      case "transact":
        return this.#commitGroup(request);
      case "read": {
        const progress = this.#reader.run(request.call);
        if (progress.done) reply({ kind: "answer", id: request.id, result: progress.result });
        else setImmediate(() => this.receive({ ...request, call: progress.next }));
        return;
      }
      case "close":
        return this.#close();
      default:
        return assertNever(request);
    }
  }

  #commitGroup(first: Extract<WorkerRequest, { kind: "transact" }>): void {
    const group = [first.calls];
    const ids = [first.id];
    while (group.length < MAX_GROUP) {
      const next = this.#queue[0];
      if (next?.kind !== "transact") break;
      this.#queue.shift();
      group.push(next.calls);
      ids.push(next.id);
    }
    this.#commit(group);
    reply({ kind: "committed", ids });
  }

  #afterWork(): void {
    const size = this.#walBytes();
    if (size > MAX_WAL_BYTES) this.#checkpoint();
    else if (size > IDLE_WAL_BYTES) {
      this.#idle = setTimeout(() => this.#checkpointIdle(), IDLE_MS);
    }
  }

  #checkpointIdle(): void {
    try {
      this.#checkpoint();
    } catch (error) {
      this.#fail(error);
    }
  }

  #checkpoint(): void {
    this.#db.pragma("wal_checkpoint(TRUNCATE)");
  }

  #walBytes(): number {
    return statSync(`${options.path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Ends the thread without another write: the port closes, the database goes with the thread. */
  #fail(error: unknown): void {
    this.#over = true;
    reply({ kind: "failed", message: textOf(error) });
    port.close();
  }

  #close(): void {
    this.#over = true;
    this.#db.close();
    reply({ kind: "closed" });
    port.close();
  }
}

function start(): void {
  let writer: Writer;
  try {
    writer = new Writer(openDatabase(options));
  } catch (error) {
    const kind = error instanceof StoreUnusable ? "unusable" : "failed";
    reply({ kind, message: textOf(error) });
    port.close();
    return;
  }
  port.on("message", (request: WorkerRequest) => writer.receive(request));
  reply({ kind: "opened" });
}

start();
