/**
 * LDK's updates that are not completed yet. The manager-service gives out what is durable on every monitor;
 * one monitor alone acts on what it has, and what it asks a fee for may come from here: a preimage that never
 * becomes durable because another monitor is lost.
 */
import type { ChannelId } from "@farwatch/protocol/ids";

export class InFlight {
  readonly #updates = new Map<ChannelId, ReadonlyMap<bigint, Uint8Array>>();

  /** The same id again is the same bytes (R5). */
  add(id: ChannelId, updateId: bigint, bytes: Uint8Array): void {
    this.#updates.set(id, new Map([...(this.#updates.get(id) ?? []), [updateId, bytes]]));
  }

  /** Cumulative. */
  completed(id: ChannelId, upTo: bigint): void {
    const left = [...(this.#updates.get(id) ?? [])].filter(([updateId]) => updateId > upTo);
    if (left.length === 0) this.#updates.delete(id);
    else this.#updates.set(id, new Map(left));
  }

  /** In order. */
  after(id: ChannelId, updateId: bigint): Uint8Array[] {
    return [...(this.#updates.get(id) ?? [])]
      .filter(([one]) => one > updateId)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, bytes]) => bytes);
  }
}
