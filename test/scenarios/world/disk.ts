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
}

/** One open file: what a process does through it ends with its life. */
export class DiskSession {
  readonly #queue: Work[] = [];
  #busy = false;

  constructor(
    private readonly life: Life,
    private readonly pump: Pump,
    private readonly points: CrashPoints,
  ) {}

  /** Resolves when `apply` and everything before it is durable. */
  write(name: string, apply: () => void): Promise<void> {
    return this.#enqueue(name, apply);
  }

  /** Sees everything written before. */
  async read<T>(look: () => T): Promise<T> {
    const found: { readonly value: T }[] = [];
    await this.#enqueue(undefined, () => void found.push({ value: look() }));
    return must(found[0], "what was read").value;
  }

  #enqueue(name: string | undefined, run: () => void): Promise<void> {
    if (!this.life.alive) return never();
    this.pump.moved();
    return new Promise((told) => {
      this.#queue.push({ name, run, told });
      void this.#work();
    });
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await turn();
      this.#serve(next);
    }
    this.#busy = false;
  }

  #serve({ name, run, told }: Work): void {
    const { life, pump, points } = this;
    pump.moved();
    if (name !== undefined) points.pass(`${life.owner}: before commit ${name}`, life);
    if (!life.alive) return;
    run();
    if (name !== undefined) points.pass(`${life.owner}: after commit ${name}`, life);
    if (life.alive) told();
  }
}
