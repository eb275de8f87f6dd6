/**
 * A disk in memory (reliability 5.3): transactions wait in order until they are synced, one by one, and
 * only then are they told durable. A crash keeps the synced ones, which are a prefix of all, and loses
 * the rest. What the rows mean is the stores' business.
 */
import { must } from "@farwatch/protocol/assert";
import type { CrashPoints, Life } from "./life.js";
import { never } from "./life.js";
import { turn, type Pump } from "./pump.js";

interface Work {
  /** undefined: a read, or a wait for what came before. */
  readonly name: string | undefined;
  readonly run: () => void;
  readonly told: () => void;
  readonly failed: (error: Error) => void;
}

/**
 * Turns that a sync takes: more than a message needs to reach its receiver and its receiver to act, so that
 * whatever leaves before its commit is seen by somebody before a crash undoes it.
 */
const SYNC_TURNS = 6;
/** Turns by which a lying disk is late: long enough for what it told to have left the process. */
const LATE_TURNS = 24;

/** One open file: what a process does through it ends with its life. */
export class DiskSession {
  readonly #queue: Work[] = [];
  #busy = false;
  /** What every further call is answered with. */
  #over: Error | undefined;
  /** A transaction was refused: nothing more is applied. */
  #failed: Error | undefined;

  constructor(
    private readonly life: Life,
    private readonly pump: Pump,
    private readonly points: CrashPoints,
    /** Says durable before it is: what a sweep must notice. */
    private readonly lies = false,
  ) {}

  /** Resolves when `apply` and everything before it is durable; it throws before it changes anything. */
  write(name: string, apply: () => void): Promise<void> {
    return this.#enqueue(name, apply);
  }

  /** Sees everything written before. */
  async read<T>(look: () => T): Promise<T> {
    const found: { readonly value: T }[] = [];
    await this.#enqueue(undefined, () => void found.push({ value: look() }));
    return must(found[0], "what was read").value;
  }

  /** Resolves when everything is durable; every later call fails with `error`. */
  async close(error: Error): Promise<void> {
    if (this.#over !== undefined) return;
    const done = this.#enqueue(undefined, () => undefined);
    this.#over = error;
    await done;
  }

  #enqueue(name: string | undefined, run: () => void): Promise<void> {
    if (!this.life.alive) return never();
    if (this.#over !== undefined) return Promise.reject(this.#over);
    this.pump.moved();
    const synced = new Promise<void>((told, failed) => {
      this.#queue.push({ name, run, told, failed });
      void this.#work();
    });
    return this.lies && name !== undefined ? Promise.resolve() : synced;
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      for (let late = this.#turns(next); late > 0; late--) {
        this.pump.moved();
        await turn();
      }
      if (this.#failed !== undefined) next.failed(this.#failed);
      else this.#serve(next);
    }
    this.#busy = false;
  }

  #turns({ name }: Work): number {
    if (name === undefined) return 1;
    return this.lies ? LATE_TURNS : SYNC_TURNS;
  }

  #serve({ name, run, told, failed }: Work): void {
    const { life, pump, points } = this;
    pump.moved();
    if (name !== undefined) points.pass(`${life.owner}: before commit ${name}`, life);
    if (!life.alive) return;
    try {
      run();
    } catch (error) {
      this.#failed = error instanceof Error ? error : new Error("a transaction threw");
      this.#over = this.#failed;
      return failed(this.#failed);
    }
    if (name !== undefined) points.pass(`${life.owner}: after commit ${name}`, life);
    if (life.alive) told();
  }
}
