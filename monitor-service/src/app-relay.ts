/**
 * Asks at the start, and every now and then, whether bitcoind relays what zero_fee_commitments channels
 * need, and says so: an operator whose node does not must know before the first of them has to close.
 */
import { Asking } from "./app-asking.js";
import { ChainUnavailable } from "./chain/chain-source.js";
import {
  probePackageRelay,
  type PackageRelay,
  type RelayProbeDeps,
  type RelayVerdict,
} from "./chain/relay-probe.js";
import type { Clock } from "./chain/waker.js";
import { errorFacts, type Log } from "./observe/log.js";

/** Milliseconds until an unanswered question is put again. */
export const RELAY_RETRY_MS = 30_000;
/** Milliseconds until an answered one is: bitcoind may have been started anew with other policy. */
export const RELAY_AGAIN_MS = 600_000;

export interface RelayTaskDeps extends RelayProbeDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** How many channels depend on it now. */
  zeroFeeChannels(): number;
}

export class RelayTask {
  readonly #deps: RelayTaskDeps;
  readonly #asking: Asking<RelayVerdict | undefined>;
  #relay: PackageRelay = "unknown";
  /** What was last said, so that it is said once. */
  #said = "";

  constructor(deps: RelayTaskDeps) {
    this.#deps = deps;
    this.#asking = new Asking(deps.clock, {
      ask: () => this.#ask(),
      take: (verdict) => this.#take(verdict),
    });
  }

  state(): PackageRelay {
    return this.#relay;
  }

  start(): void {
    this.#asking.start();
  }

  stop(): void {
    this.#asking.stop();
  }

  async #ask(): Promise<RelayVerdict | undefined> {
    try {
      return await probePackageRelay(this.#deps);
    } catch (error) {
      // Nothing but a warning depends on this, so not even a fault of ours ends the process.
      if (!(error instanceof ChainUnavailable)) {
        this.#deps.log.warn(errorFacts(error), "asking bitcoind for its package policy failed");
      }
      return undefined;
    }
  }

  /** An outage does not change what is known of the policy. */
  #take(verdict: RelayVerdict | undefined): number {
    if (verdict === undefined || verdict.relay === "unknown") return RELAY_RETRY_MS;
    this.#tell(verdict);
    return RELAY_AGAIN_MS;
  }

  #tell({ relay, message }: RelayVerdict): void {
    this.#relay = relay;
    const { log } = this.#deps;
    const channels = this.#deps.zeroFeeChannels();
    const urgent = relay === "refused" && channels > 0;
    const saying = `${relay}, ${urgent ? "urgent" : "not urgent"}`;
    if (saying === this.#said) return;
    this.#said = saying;
    if (relay === "relayed") {
      log.info({}, "bitcoind relays packages with a zero-fee parent");
      return;
    }
    const facts = { channels, bitcoind: message };
    const text =
      "bitcoind refuses packages with a zero-fee parent: zero_fee_commitments channels cannot be closed";
    if (urgent) log.error(facts, text);
    else log.warn(facts, text);
  }
}
