/**
 * The only clock of the world. Time stands still while anything moves; when nothing does, the earliest
 * timer fires and time jumps to it. So a run is the same every time, and a wait of ten seconds costs
 * nothing. A world in which nothing will ever move again fails loudly instead of hanging.
 */
import type { LinkClock, LinkTimer } from "@farwatch/manager-service/monitors/link-options";

/** Turns of the event loop without a move after which everything stands still. */
const IDLE_TURNS = 8;
/**
 * Ms of the clock without progress: longer than the longest wait of a link, so that every retry gets its
 * chance; shorter than its patience with a receipt, so that what is held does not make it start over for ever.
 */
const HORIZON_MS = 25_000;
/** Ms of the clock without a word from the test: something repeats itself for ever. */
const ENDLESS_MS = 3_600_000;
/** Ms of real time in which a test that is not waiting for the world has to ask it something. */
const STALL_MS = 5_000;
const START_MS = 1_700_000_000_000;

/** Nothing moves and nothing will, but the test waits. */
export class Stalled extends Error {
  override readonly name = "Stalled";
}

interface Timer extends LinkTimer {
  readonly at: number;
  readonly run: () => void;
}

export class Pump implements LinkClock {
  #nowMs = START_MS;
  #timers: Timer[] = [];
  #moves = 0;
  #outside = 0;
  #progressAt = START_MS;
  #askedAt = START_MS;
  #waiting: (() => void)[] = [];
  #wake: () => void = () => undefined;
  #ended = false;
  #fail: (error: Error) => void = () => undefined;
  /** Rejects when the world can no longer come to rest, or rests while the test waits for it. */
  readonly stalled: Promise<never>;
  /** What to say about a stall. */
  explain: () => string = () => "";

  constructor() {
    this.stalled = new Promise((_, reject) => (this.#fail = reject));
    this.stalled.catch(() => undefined); // whoever runs a scenario looks at it
    void this.#run();
  }

  nowMs(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): LinkTimer {
    const timer: Timer = {
      at: this.#nowMs + ms,
      run,
      cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)),
    };
    const later = this.#timers.findIndex(({ at }) => at > timer.at);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    this.#wake();
    return timer;
  }

  /** Something was sent, stored or answered. */
  moved(): void {
    this.#moves += 1;
    this.#progressAt = this.#nowMs;
    this.#wake();
  }

  /** The test did something. */
  asked(): void {
    this.#askedAt = this.#nowMs;
    this.moved();
  }

  /** Work that another thread does: the world is not at rest until it is done. */
  async outside<T>(work: Promise<T>): Promise<T> {
    this.#outside += 1;
    this.#wake();
    try {
      return await work;
    } finally {
      this.#outside -= 1;
      this.moved();
    }
  }

  /** Resolves when nothing moves and no timer is near. */
  quiet(): Promise<void> {
    this.asked();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(): void {
    this.#ended = true;
    this.#timers = [];
    this.#wake();
  }

  async #run(): Promise<void> {
    let idle = 0;
    let seen = -1;
    while (!this.#ended) {
      await (this.#outside > 0 ? pause(1) : turn());
      if (this.#moves !== seen || this.#outside > 0) {
        seen = this.#moves;
        idle = 0;
      } else if (++idle >= IDLE_TURNS) {
        idle = 0;
        if (!this.#fireNext() && !this.#release()) await this.#sleep();
      }
    }
    this.#release();
  }

  #fireNext(): boolean {
    const [next] = this.#timers;
    if (next === undefined || next.at > this.#progressAt + HORIZON_MS) return false;
    this.#timers.shift();
    this.#nowMs = Math.max(this.#nowMs, next.at);
    if (this.#nowMs - this.#askedAt > ENDLESS_MS) this.#stall("the world never comes to rest");
    next.run();
    return true;
  }

  #release(): boolean {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    return waiting.length > 0;
  }

  async #sleep(): Promise<void> {
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#stall("nothing moves any more, but the test waits");
        resolve();
      }, STALL_MS);
    });
    await Promise.race([woken, late]);
    clearTimeout(timer);
    this.#wake = () => undefined;
  }

  /** The scenario is over, and failed. */
  fail(error: Error): void {
    this.#fail(error);
    this.end();
  }

  #stall(what: string): void {
    this.fail(new Stalled(`${what}\n${this.explain()}`));
  }
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
