/**
 * Keeps the plugin connected to its manager-service, for ever: after each failure it tries again, later each
 * time up to ten seconds. What waits too long is an alarm in lightningd's log, once in ten minutes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ChannelCredentials } from "@grpc/grpc-js";
import type { ChannelId } from "@farwatch/protocol/ids";
import { ConnectionLost, ManagerRpc } from "../ldk/manager-rpc.js";
import { backoffDelayMs } from "../monitors/backoff.js";
import type { LogLevel } from "./json-rpc.js";
import type { NewUpdate, PenaltyQueue } from "./queue.js";
import { Session, type SessionHost } from "./session.js";

/** Ms. A manager that restarts is back within seconds; a cheater needs blocks. */
export const ALARM_AFTER_MS = 600_000;
/** Ms between looks at the queue. */
const WATCH_QUEUE_MS = 60_000;
/** Ms before a refused write is tried again. */
const DISK_RETRY_MS = 1_000;

export interface HandOverParts {
  readonly queue: PenaltyQueue;
  /** host:port. */
  readonly manager: string;
  readonly credentials: ChannelCredentials;
  readonly chainHash: string;
  /** Asked until it answers. */
  nodeKey(): Promise<Uint8Array>;
  log(level: LogLevel, text: string): void;
  nowMs(): number;
  /** Uniform in [0, 1). */
  jitter(): number;
}

export class HandOver implements SessionHost {
  readonly #parts: HandOverParts;
  readonly #waiting = new Map<number, () => void>();
  readonly #stopped = new AbortController();
  #session: Session | undefined;
  #isConnected = false;
  #lastError: string | undefined;
  #alarmedAtMs = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: HandOverParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#running = Promise.all([this.#connect(), this.#watchQueue()]).then(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#session?.fail(new ConnectionLost("stopped"));
    await this.#running;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }
  get lastError(): string | undefined {
    return this.#lastError;
  }

  /** Resolves when it is on disk: a full disk is an alarm and is tried again. */
  async queue(update: NewUpdate): Promise<number> {
    const { queue, log, nowMs } = this.#parts;
    for (let told = false; ; told = true) {
      try {
        const rowId = queue.add(update, nowMs());
        this.#session?.pump(update.channelId);
        return rowId;
      } catch (error) {
        if (!told)
          log("broken", `farwatch: a penalty transaction cannot be queued: ${textOf(error)}`);
        await sleep(DISK_RETRY_MS, undefined, { ref: false }); // a plugin that ends waits no more
      }
    }
  }

  /** When every required monitor has it; true within that time, 0 ms: however long it takes. */
  whenDurable(rowId: number, channel: ChannelId, withinMs: number): Promise<boolean> {
    const [still] = this.#parts.queue.rows(channel, rowId - 1, 1);
    if (still?.rowId !== rowId) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer =
        withinMs === 0
          ? undefined
          : setTimeout(() => {
              this.#waiting.delete(rowId);
              resolve(false);
            }, withinMs).unref();
      this.#waiting.set(rowId, () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  connected(): void {
    this.#isConnected = true;
    this.#lastError = undefined;
    this.#parts.log("info", "farwatch: connected to the manager-service");
  }

  durable(rowIds: readonly number[]): void {
    for (const rowId of rowIds) {
      this.#waiting.get(rowId)?.();
      this.#waiting.delete(rowId);
    }
  }

  told({ level, text }: { readonly level: LogLevel; readonly text: string }): void {
    this.#parts.log(level, `farwatch: ${text}`);
  }

  async #connect(): Promise<void> {
    const { manager, credentials, jitter } = this.#parts;
    const { signal } = this.#stopped;
    for (let attempt = 0; !signal.aborted; attempt++) {
      const rpc = new ManagerRpc(manager, credentials);
      const lost = await this.#serve(rpc).catch((error: unknown) => error);
      rpc.close();
      this.#session = undefined;
      if (signal.aborted) return;
      if (this.#isConnected) attempt = 0;
      this.#disconnected(textOf(lost));
      await pause(backoffDelayMs(attempt, jitter()), signal);
    }
  }

  async #serve(rpc: ManagerRpc): Promise<ConnectionLost> {
    const { queue, chainHash, nodeKey, nowMs } = this.#parts;
    const parts = { queue, chainHash, host: this, nowMs };
    const key = await nodeKey();
    const session = new Session(rpc, {
      ...parts,
      nodeKey: key,
      nodeEpoch: queue.nextEpoch(nowMs()),
    });
    this.#session = session;
    return session.run();
  }

  #disconnected(why: string): void {
    const { log } = this.#parts;
    if (this.#isConnected || this.#lastError !== why) {
      log("unusual", `farwatch: no connection to the manager-service: ${why}`);
    }
    this.#isConnected = false;
    this.#lastError = why;
  }

  async #watchQueue(): Promise<void> {
    const { signal } = this.#stopped;
    for (;;) {
      await pause(WATCH_QUEUE_MS, signal);
      if (signal.aborted) return;
      this.alarmIfLate();
    }
  }

  /** Also called by tests, which do not wait ten minutes. */
  alarmIfLate(): void {
    const { queue, log, nowMs } = this.#parts;
    const { queued, oldestAtMs } = queue.state(0);
    const now = nowMs();
    if (oldestAtMs === undefined || now - oldestAtMs < ALARM_AFTER_MS) return;
    if (now - this.#alarmedAtMs < ALARM_AFTER_MS) return;
    this.#alarmedAtMs = now;
    const since = new Date(oldestAtMs).toISOString();
    const text = `farwatch: ${queued} penalty transactions are on this disk only, the oldest since ${since}`;
    log("broken", text);
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

const textOf = (error: unknown): string =>
  error instanceof Error ? error.message : "unknown failure";
