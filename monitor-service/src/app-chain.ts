/**
 * Follows the chain in the background, from the first answer of bitcoind on. A new store takes the tip
 * of that first contact as its start: no channel is older than the store, and the blocks before a
 * channel are looked up when it is watched. Until then, and in every outage, the rest of the service
 * runs and only the chain's health says no.
 */
import { ChainUnavailable, type ChainSource } from "./chain/chain-source.js";
import {
  ChainFollower,
  FIRST_BACKOFF_MS,
  LAST_BACKOFF_MS,
  type ChainSink,
  type FollowerState,
  type UnavailableReason,
} from "./chain/follower.js";
import type { ChainName } from "./chain/proof-of-work.js";
import { Waker, type Clock } from "./chain/waker.js";
import type { Log } from "./observe/log.js";

/** Milliseconds a step under way gets at a stop before its questions to bitcoind are cut off. */
const STOP_GRACE_MS = 2_000;

export interface ChainTaskDeps {
  readonly source: ChainSource;
  readonly chain: ChainName;
  readonly clock: Clock;
  readonly pollIntervalMs: number;
  readonly log: Log;
  /** Brings the host up if it is not yet. Rejects with ChainUnavailable while a new store has no tip. */
  sink(): Promise<ChainSink>;
  /** The sink failed: nothing may follow on it. */
  onFatal(error: unknown): void;
}

export class ChainTask {
  readonly #deps: ChainTaskDeps;
  readonly #waker: Waker;
  #follower: ChainFollower | undefined;
  #running: Promise<void> | undefined;
  #stopping = false;

  constructor(deps: ChainTaskDeps) {
    this.#deps = deps;
    this.#waker = new Waker(deps.clock);
  }

  /** "unavailable" until bitcoind has answered once. */
  state(): FollowerState {
    return this.#follower?.status().state ?? "unavailable";
  }

  /** Why it is unavailable; undefined while it is not, and before the first answer. */
  reason(): UnavailableReason | undefined {
    return this.#follower?.status().reason;
  }

  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => this.#deps.onFatal(error));
  }

  /** Resolves when no step is under way and the source is closed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#waker.wake();
    void this.#follower?.stop();
    const ended = this.#running ?? Promise.resolve();
    await atMost(STOP_GRACE_MS, ended);
    await this.#deps.source.close();
    await ended;
  }

  async #run(): Promise<void> {
    const sink = await this.#firstContact();
    if (sink === undefined) return;
    const { source, chain, clock, pollIntervalMs, log } = this.#deps;
    this.#follower = new ChainFollower({ source, sink, chain, log, clock, pollIntervalMs });
    await this.#follower.run();
  }

  /** undefined: stopped before bitcoind answered. */
  async #firstContact(): Promise<ChainSink | undefined> {
    for (let failures = 0; !this.#stopping; failures++) {
      try {
        const sink = await this.#deps.sink();
        await this.#deps.source.tip();
        return this.#stopping ? undefined : sink;
      } catch (error) {
        if (!(error instanceof ChainUnavailable)) throw error;
        const facts = { error: error.message };
        if (failures === 0) this.#deps.log.warn(facts, "bitcoind does not answer yet");
        await this.#waker.wait(Math.min(FIRST_BACKOFF_MS * 2 ** failures, LAST_BACKOFF_MS));
      }
    }
    return undefined;
  }
}

async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
