/** What a replayed node did, in the order it did it. */
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import type { Outpoint, Txid } from "@farwatch/protocol/ids";
import { outpointKey } from "@farwatch/protocol/ids";
import type { BumpRequest, PublishRole } from "../monitor/effect.js";
import type { BalanceShape } from "./recording-shape.js";

export interface SeenEvent {
  readonly height: number;
  /** Funding outpoint, `txid:vout`. */
  readonly channel: string;
  readonly event: NewMonitorEvent;
}

export interface SeenBroadcast {
  /** Of the newest block when it was first due. */
  readonly height: number;
  readonly channel: string;
  readonly role: PublishRole;
  readonly txid: Txid;
  readonly spends: readonly Outpoint[];
  readonly raw: Uint8Array;
  /** Every signature of ours opens its digest under the key it was made for. */
  readonly signaturesValid: boolean;
}

export interface SeenBump {
  readonly height: number;
  readonly channel: string;
  readonly kind: BumpRequest["kind"];
  readonly claimId: string;
  readonly commitmentTxid: Txid;
  /** Outputs of ours that the wallet's transaction spends: the anchor, or HTLCs. */
  readonly outpoints: readonly Outpoint[];
  readonly targetFeerate: number;
}

export interface SeenBalances {
  readonly height: number;
  readonly balances: readonly BalanceShape[];
  /** As the recording has them at this point; undefined at a change it does not tell. */
  readonly recorded: readonly BalanceShape[] | undefined;
}

/** From which height to which one we were trying to spend an output. */
export interface Coverage {
  readonly first: number;
  readonly last: number;
}

/** A transaction of ours was due although the chain had spent one of its inputs otherwise. */
export interface FutileBroadcast {
  readonly height: number;
  readonly txid: Txid;
  readonly outpoint: Outpoint;
}

export class Journal {
  readonly events: SeenEvent[] = [];
  readonly broadcasts: SeenBroadcast[] = [];
  readonly bumps: SeenBump[] = [];
  readonly balances: SeenBalances[] = [];
  readonly futile: FutileBroadcast[] = [];
  readonly #coverage = new Map<string, Coverage>();

  cover(outpoint: Outpoint, height: number): void {
    const key = outpointKey(outpoint);
    const first = this.#coverage.get(key)?.first ?? height;
    this.#coverage.set(key, { first, last: height });
  }

  coverageOf(outpoint: string): Coverage | undefined {
    return this.#coverage.get(outpoint);
  }
}
