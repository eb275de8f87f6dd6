/**
 * What LDK gave to its watch and no saved ChannelManager is known to contain (restart rules R1 and R2).
 * Nothing of it may reach the manager-service: a ChannelManager that does not know of an update which the
 * monitors have is out of date, and LDK closes its channel at the next start.
 */
import type { ChannelId } from "@farwatch/protocol/ids";

export type Outgoing =
  | {
      readonly kind: "watch";
      readonly channelId: ChannelId;
      /** latest_update_id of the monitor. */
      readonly updateId: bigint;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: "update";
      readonly channelId: ChannelId;
      readonly updateId: bigint;
      readonly bytes: Uint8Array;
    };

export class Hold {
  readonly #held: { readonly number: number; readonly message: Outgoing }[] = [];
  #newest = 0;

  get size(): number {
    return this.#held.length;
  }

  /** Number of the newest message: a snapshot that begins now contains all up to it. */
  get newest(): number {
    return this.#newest;
  }

  push(message: Outgoing): void {
    this.#newest += 1;
    this.#held.push({ number: this.#newest, message });
  }

  /** Everything up to this number, in the order it came; it is not held any more. */
  release(upTo: number): Outgoing[] {
    const kept = this.#held.findIndex(({ number }) => number > upTo);
    const count = kept === -1 ? this.#held.length : kept;
    return this.#held.splice(0, count).map(({ message }) => message);
  }
}
