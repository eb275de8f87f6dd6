/**
 * One run of a process in the world, from its start to its crash, and the points at which a sweep may
 * crash it. Whatever a process may do to the world asks its life first: after the end nothing of it is
 * sent, stored or told, and what it waits for never comes, as for a process that was killed.
 */

/** "manager", or the name of a monitor. */
export type ProcessName = string;

export class Life {
  #alive = true;
  readonly #onEnd: (() => void)[] = [];

  /** Whoever is not `mortal` is never crashed by a sweep. */
  constructor(
    readonly owner: ProcessName,
    readonly mortal = true,
  ) {}

  get alive(): boolean {
    return this.#alive;
  }

  /** Runs when this life ends. */
  atEnd(run: () => void): void {
    this.#onEnd.push(run);
  }

  end(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const run of this.#onEnd.splice(0)) run();
  }

  /** The result while alive; for ever pending after. */
  async guard<T>(work: Promise<T>): Promise<T> {
    const outcome = await work.then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    return this.alive ? outcome() : never<T>();
  }
}

/** What a dead process waits for. */
export const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

export interface CrashPoint {
  readonly index: number;
  readonly name: string;
  readonly victim: ProcessName;
}

export class CrashPoints {
  readonly passed: CrashPoint[] = [];
  /** Kills that a scenario itself asked for. */
  readonly #due: { readonly victim: ProcessName; readonly name: RegExp }[] = [];
  readonly #crashAt: number | undefined;
  readonly #crash: (point: CrashPoint) => void;
  readonly #watch: (point: CrashPoint) => void;

  /** `crash` must end the victim's life before it returns; `watch` sees every point. */
  constructor(
    crashAt: number | undefined,
    crash: (point: CrashPoint) => void,
    watch: (point: CrashPoint) => void = () => undefined,
  ) {
    this.#crashAt = crashAt;
    this.#crash = crash;
    this.#watch = watch;
  }

  /** The victim dies at its next point of such a name. */
  killNext(victim: ProcessName, name: RegExp): void {
    this.#due.push({ victim, name });
  }
  /** Kills that have not happened. */
  get stillDue(): number {
    return this.#due.length;
  }

  /** Counts one point for each of these that is alive. */
  pass(name: string, ...lives: readonly Life[]): void {
    for (const { alive, owner, mortal } of lives) {
      if (!alive || !mortal) continue;
      const point = { index: this.passed.length, name, victim: owner };
      this.passed.push(point);
      this.#watch(point);
      if (point.index === this.#crashAt || this.#takeDue(point)) this.#crash(point);
    }
  }

  #takeDue({ victim, name }: CrashPoint): boolean {
    const found = this.#due.findIndex((due) => due.victim === victim && due.name.test(name));
    if (found !== -1) this.#due.splice(found, 1);
    return found !== -1;
  }
}
