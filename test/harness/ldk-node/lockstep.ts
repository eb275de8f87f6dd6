/**
 * Several scenarios at once on one chain: each runs by itself until it wants what concerns all of them, such
 * as a block or the death of a process. Then it waits for the others, and the thing happens once.
 */
import { must } from "@farwatch/protocol/assert";

interface Waiting {
  /** Undefined: blocks are wanted. */
  readonly what: string | undefined;
  readonly blocks: number;
  readonly act: () => Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

export class Lockstep {
  #active = 0;
  #waiting: Waiting[] = [];

  constructor(private readonly mineBlocks: (blocks: number) => Promise<void>) {}

  /** Runs all to their ends; one that fails leaves the others running. */
  run<R>(runners: readonly (() => Promise<R>)[]): Promise<PromiseSettledResult<R>[]> {
    this.#active += runners.length;
    return Promise.allSettled(
      runners.map(async (runner) => {
        try {
          return await runner();
        } finally {
          this.#active--;
          this.#proceed();
        }
      }),
    );
  }

  /** When as many blocks are mined as this runner wants; others may want more or fewer. */
  async mine(blocks: number): Promise<void> {
    for (let left = blocks; left > 0;) {
      const before = this.#mined;
      await this.#wait({ what: undefined, blocks: left, act: async () => undefined });
      left -= this.#mined - before;
    }
  }
  #mined = 0;

  /**
   * Done once for all who ask for it, when every runner that is not finished waits and none for blocks.
   * Where they wait for different things, these are done one after the other.
   */
  together(what: string, act: () => Promise<void>): Promise<void> {
    return this.#wait({ what, blocks: 0, act });
  }

  #wait(want: Omit<Waiting, "resolve" | "reject">): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...want, resolve, reject });
      this.#proceed();
    });
  }

  #proceed(): void {
    if (this.#waiting.length === 0 || this.#waiting.length < this.#active) return;
    const miners = this.#waiting.filter(({ what }) => what === undefined);
    if (miners.length > 0) {
      const blocks = Math.min(...miners.map((one) => one.blocks));
      this.#perform(miners, async () => {
        await this.mineBlocks(blocks);
        this.#mined += blocks;
      });
      return;
    }
    const [first] = this.#waiting;
    const { what, act } = must(first, "somebody waits");
    this.#perform(
      this.#waiting.filter((one) => one.what === what),
      act,
    );
  }

  /** Those served leave the list first: what they do next may be to wait again. */
  #perform(served: readonly Waiting[], act: () => Promise<void>): void {
    this.#waiting = this.#waiting.filter((one) => !served.includes(one));
    act().then(
      () => served.forEach((one) => one.resolve()),
      (error: unknown) => served.forEach((one) => one.reject(error)),
    );
  }
}
