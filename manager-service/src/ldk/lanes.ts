/**
 * What was released to the manager-service and is not accepted by it, per channel and in order. A channel's
 * updates wait for its first state; a channel that was refused is stopped, and no other one waits for it.
 */
import type { ChannelId } from "@farwatch/protocol/ids";
import type { Outgoing } from "./hold.js";

interface Lane {
  /** The first ChannelMonitor, until it is accepted. */
  watch: Outgoing | undefined;
  readonly updates: Outgoing[];
  isStopped: boolean;
}

export class Lanes {
  readonly #lanes = new Map<ChannelId, Lane>();

  /** True when the message may be written now, if there is a connection. */
  add(message: Outgoing): boolean {
    const lane = this.#lane(message.channelId);
    if (lane.isStopped) return false;
    if (message.kind === "watch") {
      lane.watch = message;
      return true;
    }
    lane.updates.push(message);
    return lane.watch === undefined;
  }

  /** First states that are not accepted. */
  watches(): Outgoing[] {
    return [...this.#lanes.values()].flatMap(({ watch, isStopped }) =>
      watch === undefined || isStopped ? [] : [watch],
    );
  }

  /** Updates that may be written now: what a new connection begins with. */
  updates(): Outgoing[] {
    return [...this.#lanes.values()].flatMap(({ watch, updates, isStopped }) =>
      watch !== undefined || isStopped ? [] : updates,
    );
  }

  /** The first state was accepted: the updates that waited for it. */
  watched(id: ChannelId): readonly Outgoing[] {
    const lane = this.#lane(id);
    lane.watch = undefined;
    return lane.isStopped ? [] : lane.updates;
  }

  accepted(id: ChannelId, updateId: bigint): void {
    const { updates } = this.#lane(id);
    const after = updates.findIndex((update) => update.updateId > updateId);
    updates.splice(0, after === -1 ? updates.length : after);
  }

  /** False: it was stopped before. */
  stop(id: ChannelId): boolean {
    const lane = this.#lane(id);
    if (lane.isStopped) return false;
    this.#lanes.set(id, { watch: undefined, updates: [], isStopped: true });
    return true;
  }

  isStopped(id: ChannelId): boolean {
    return this.#lanes.get(id)?.isStopped ?? false;
  }

  get size(): number {
    let size = 0;
    for (const { watch, updates } of this.#lanes.values()) {
      size += updates.length + (watch === undefined ? 0 : 1);
    }
    return size;
  }

  #lane(id: ChannelId): Lane {
    const known = this.#lanes.get(id);
    if (known !== undefined) return known;
    const lane: Lane = { watch: undefined, updates: [], isStopped: false };
    this.#lanes.set(id, lane);
    return lane;
  }
}
