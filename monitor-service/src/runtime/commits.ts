/**
 * Hands transactions to the store in the order in which memory moved, and turns the first failure into
 * the end of the process: memory is then ahead of the disk, so nothing more may be answered.
 */
import type { MonitorStore, StoreOp } from "../store/store.js";
import type { Failpoint } from "./deps.js";

export class Commits {
  readonly #store: MonitorStore;
  readonly #onFatal: (error: Error) => void;
  readonly #failpoint: Failpoint | undefined;
  #last: Promise<void> = Promise.resolve();
  #fatal: Error | undefined;

  constructor(
    store: MonitorStore,
    onFatal: (error: Error) => void,
    failpoint: Failpoint | undefined,
  ) {
    this.#store = store;
    this.#onFatal = onFatal;
    this.#failpoint = failpoint;
  }

  /**
   * Resolves when these operations, and all handed over before them, are on disk. Without operations
   * it waits for the earlier ones only. Rejects with the first failure, for ever after.
   */
  append(ops: readonly StoreOp[]): Promise<void> {
    if (this.#fatal !== undefined) return Promise.reject(this.#fatal);
    if (ops.length === 0) return this.#last;
    this.#last = this.#hand(ops).catch((error: unknown) => {
      throw this.fail(error);
    });
    this.#last.catch(() => undefined); // reported by fail(); every caller of append has its own copy
    return this.#last;
  }

  /** Ends everything: called for a refused commit, and for a bug after memory has moved. */
  fail(error: unknown): Error {
    if (this.#fatal === undefined) {
      this.#fatal = error instanceof Error ? error : new Error("unknown failure");
      this.#onFatal(this.#fatal);
    }
    return this.#fatal;
  }

  #hand(ops: readonly StoreOp[]): Promise<void> {
    const failpoint = this.#failpoint;
    if (failpoint === undefined) return this.#store.transact(ops);
    const before = this.#last;
    return (async () => {
      await before;
      await failpoint("afterDecide");
      await this.#store.transact(ops);
    })();
  }
}
