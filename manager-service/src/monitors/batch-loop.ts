/**
 * Sends what waits for one monitor in batches, one call at a time, until nothing waits or the connection is
 * over. A refusal that may pass is followed by another try after a growing wait; one that never passes
 * gives up what waits, with an alarm: it is all rows of the manager, and comes again at the next connect.
 */
import { REASONS, type Refusal } from "@farwatch/protocol/reasons";
import { backoffDelayMs, jitterFrom } from "./backoff.js";
import type { LinkContext } from "./link-context.js";
import { ConnectionLost } from "./rpc.js";

export interface Batches {
  /** What is not confirmed yet. */
  readonly waiting: { readonly size: number; clear(): void };
  /** Returns why the monitor did not answer all of it for good. Throws ConnectionLost. */
  send(): Promise<Refusal | undefined>;
}

export class BatchLoop {
  readonly #context: LinkContext;
  readonly #batches: Batches;
  #busy = false;
  #attempts = 0;

  constructor(context: LinkContext, batches: Batches) {
    this.#context = context;
    this.#batches = batches;
  }

  /** Call when something waits; harmless otherwise. */
  start(): void {
    if (this.#busy || this.#batches.waiting.size === 0 || this.#context.isOver()) return;
    this.#busy = true;
    this.#context.spawn(() => this.#sendAll());
  }

  async #sendAll(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve)); // what comes together leaves together
    while (this.#batches.waiting.size > 0 && !this.#context.isOver()) {
      const refusal = await this.#batches.send();
      if (refusal !== undefined) return this.#troubled(refusal);
      this.#attempts = 0;
    }
    this.#busy = false;
  }

  #troubled(refusal: Refusal): void {
    const { options, later, fail, host, identity } = this.#context;
    if (refusal.reason === "fenced" || refusal.reason === "sessionNotOpen") {
      return fail(new ConnectionLost(refusal.message, refusal));
    }
    if (REASONS[refusal.reason].retry === "never") {
      this.#batches.waiting.clear();
      host.alarm(identity, undefined, refusal);
    }
    later(backoffDelayMs(this.#attempts++, jitterFrom(options.randomBytes)), () => {
      this.#busy = false;
      this.start();
    });
  }
}
