/**
 * Compares the wallet's confirmed coins with what anchor channels may need (monitor/bumps/fee-reserve.ts), at
 * the start and every now and then, and says so when they do not suffice: an operator must know before
 * a channel closes into a busy mempool. Nothing is refused for lack of coins.
 */
import type { Sat } from "@farwatch/protocol/amount";
import { Asking } from "./app-asking.js";
import { ChainUnavailable } from "./chain/chain-source.js";
import type { FeeWallet } from "./chain/fee-wallet.js";
import type { Clock } from "./chain/waker.js";
import { errorFacts, type Log } from "./observe/log.js";

/** Milliseconds until an unanswered question is put again. */
export const RESERVE_RETRY_MS = 30_000;
/** Milliseconds until an answered one is: about one block, and coins confirm no sooner. */
export const RESERVE_AGAIN_MS = 600_000;

export interface ReserveTaskDeps {
  readonly wallet: Pick<FeeWallet, "confirmedSat">;
  readonly clock: Clock;
  readonly log: Log;
  /** What the channels need now. */
  feeReserveSat(): Sat;
}

export class ReserveTask {
  readonly #deps: ReserveTaskDeps;
  readonly #asking: Asking<Sat | undefined>;
  #confirmed: Sat | undefined;
  /** What the last answer was, so that only a change is told. Outlives outages. */
  #short = false;
  /** A wallet that is not loaded refuses every time; told once until it answers. */
  #refused = false;

  constructor(deps: ReserveTaskDeps) {
    this.#deps = deps;
    this.#asking = new Asking(deps.clock, {
      ask: () => this.#ask(),
      take: (confirmed) => this.#take(confirmed),
    });
  }

  /** As the wallet last said; undefined before it has, and once it does not answer. Never waits. */
  confirmedSat(): Sat | undefined {
    return this.#confirmed;
  }

  start(): void {
    this.#asking.start();
  }

  stop(): void {
    this.#asking.stop();
  }

  async #ask(): Promise<Sat | undefined> {
    try {
      const confirmed = await this.#deps.wallet.confirmedSat();
      this.#refused = false;
      return confirmed;
    } catch (error) {
      // Nothing but a warning depends on this, so not even a fault of ours ends the process.
      if (!(error instanceof ChainUnavailable) && !this.#refused) {
        this.#refused = true;
        this.#deps.log.warn(errorFacts(error), "asking the wallet for its coins failed");
      }
      return undefined;
    }
  }

  #take(confirmed: Sat | undefined): number {
    this.#confirmed = confirmed;
    if (confirmed === undefined) return RESERVE_RETRY_MS;
    this.#compare(confirmed);
    return RESERVE_AGAIN_MS;
  }

  #compare(confirmed: Sat): void {
    const reserve = this.#deps.feeReserveSat();
    const short = confirmed < reserve;
    if (short === this.#short) return;
    this.#short = short;
    const facts = { walletConfirmedSat: String(confirmed), feeReserveSat: String(reserve) };
    if (short) {
      this.#deps.log.warn(facts, "wallet holds less than the fee reserve of anchor channels");
    } else {
      this.#deps.log.info(facts, "wallet holds the fee reserve of anchor channels again");
    }
  }
}
