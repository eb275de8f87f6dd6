/** SHELL. A wait that ends early when woken; a wake-up while nobody waits is kept for the next wait. */

/** Time, so that tests need none. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when the signal is aborted. Never rejects. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export class Waker {
  #woken = false;
  #abort: AbortController | undefined;

  constructor(private readonly clock: Clock) {}

  wake(): void {
    this.#woken = true;
    this.#abort?.abort();
  }

  async wait(ms: number): Promise<void> {
    if (!this.#woken) {
      this.#abort = new AbortController();
      await this.clock.sleep(ms, this.#abort.signal);
      this.#abort = undefined;
    }
    this.#woken = false;
  }
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      }
    }),
};
