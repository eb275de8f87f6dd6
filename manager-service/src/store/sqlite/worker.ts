/**
 * The one writer of the manager's store, on its own thread. Everything waiting on the port goes into
 * one commit; a reply leaves only after it. The first failure is final (fail-stop): nothing is retried
 * after a refused write or fsync, because what reached the disk is then unknown.
 */
import { statSync } from "node:fs";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type Database from "better-sqlite3";
import { assertNever, must } from "@farwatch/protocol/assert";
import type { WorkerOptions, WorkerReply, WorkerRequest } from "./messages.js";
import { openDatabase } from "./open-database.js";
import { Tables } from "./tables.js";

/** Transactions in one commit: bounds memory and latency of a group; gains are flat above 256. */
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
  readonly #tables: Tables;
  readonly #queue: WorkerRequest[] = [];
  #idle: NodeJS.Timeout | undefined;
  #over = false;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#tables = new Tables(db);
  }

  receive(first: WorkerRequest): void {
    this.#queue.push(first);
    for (;;) {
      const more = receiveMessageOnPort(port);
      if (more === undefined) break;
      const request: WorkerRequest = more.message;
      this.#queue.push(request);
    }
    this.#guard(() => {
      while (this.#queue.length > 0 && !this.#over) this.#serveNext();
      if (!this.#over) this.#afterWork();
    });
  }

  #guard(work: () => void): void {
    if (this.#over) return;
    clearTimeout(this.#idle);
    try {
      work();
    } catch (error) {
      this.#end({ kind: "failed", message: textOf(error) });
    }
  }

  #serveNext(): void {
    const request = must(this.#queue.shift(), "request");
    switch (request.kind) {
      case "transact":
        return this.#commitGroup(request);
      case "load":
        return reply({ kind: "loaded", id: request.id, stored: this.#tables.load() });
      case "range":
        return reply({ kind: "rows", id: request.id, rows: this.#tables.range(request.call) });
      case "close":
        this.#db.close();
        return this.#end({ kind: "closed" });
      default:
        return assertNever(request);
    }
  }

  #commitGroup(first: Extract<WorkerRequest, { kind: "transact" }>): void {
    const group = [first.changes];
    const ids = [first.id];
    while (group.length < MAX_GROUP) {
      const next = this.#queue[0];
      if (next?.kind !== "transact") break;
      this.#queue.shift();
      group.push(next.changes);
      ids.push(next.id);
    }
    this.#tables.commit(group);
    reply({ kind: "committed", ids });
  }

  #afterWork(): void {
    const size = statSync(`${options.file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (size > MAX_WAL_BYTES) this.#checkpoint();
    else if (size > IDLE_WAL_BYTES) {
      this.#idle = setTimeout(() => this.#guard(() => this.#checkpoint()), IDLE_MS);
    }
  }

  #checkpoint(): void {
    this.#db.pragma("wal_checkpoint(TRUNCATE)");
  }

  /** Ends the thread without another write: nothing listens once the port is closed. */
  #end(last: WorkerReply): void {
    this.#over = true;
    reply(last);
    port.close();
  }
}

function start(): void {
  let writer: Writer;
  try {
    writer = new Writer(openDatabase(options));
  } catch (error) {
    reply({ kind: "failed", message: textOf(error) });
    port.close();
    return;
  }
  port.on("message", (request: WorkerRequest) => writer.receive(request));
  reply({ kind: "opened" });
}

start();
