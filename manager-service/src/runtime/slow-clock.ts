/** The slow clock: rules with a time limit are looked at again every half minute, one look at a time. */
import type { ManagerDeps, Repeat } from "./deps.js";
import type { RunStep } from "./run-step.js";

/** Ms. A twentieth of the shortest limit it serves (CLAIM_PATIENCE_MS). */
export const SLOW_CLOCK_MS = 30_000;

export const everyInterval: Repeat = (ms, task) => {
  const timer = setInterval(task, ms);
  timer.unref();
  return () => clearInterval(timer);
};

type SlowClockDeps = Pick<ManagerDeps, "onFatal" | "repeat">;

export class SlowClock {
  readonly #run: RunStep;
  readonly #onFatal: (error: unknown) => void;
  readonly #repeat: Repeat;
  #cancel: () => void = () => undefined;
  /** The look under way. */
  #looking: Promise<unknown> | undefined;

  constructor(run: RunStep, { onFatal, repeat = everyInterval }: SlowClockDeps) {
    this.#run = run;
    this.#onFatal = onFatal;
    this.#repeat = repeat;
  }

  start(): void {
    this.#cancel = this.#repeat(SLOW_CLOCK_MS, () => {
      if (this.#looking !== undefined) return;
      const look = this.#run({ kind: "timePassed" }).catch(this.#onFatal);
      this.#looking = look.finally(() => (this.#looking = undefined));
    });
  }

  /** No look begins after this; resolves when the one under way is over. */
  async stop(): Promise<void> {
    this.#cancel();
    await this.#looking;
  }
}
