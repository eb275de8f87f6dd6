/** Wakes an event loop that waits: like a condition variable, a call before the wait is not lost. */
export class Work {
  #isReady = false;
  #wake: (() => void) | undefined;

  ready(): void {
    this.#isReady = true;
    this.#wake?.();
  }

  /** True: it was called. False: the time ran out. */
  async wait(ms: number): Promise<boolean> {
    if (!this.#isReady) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    const isReady = this.#isReady;
    this.#isReady = false;
    return isReady;
  }
}
