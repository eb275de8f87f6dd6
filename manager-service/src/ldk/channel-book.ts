/**
 * The channels a RemoteWatch is responsible for: what LDK calls them, how far it was told, and whether LDK has
 * a ChannelMonitor of them in this life (restart rules R3 and R7).
 */
import { outpointKey, type ChannelId, type Outpoint } from "@farwatch/protocol/ids";
import type { ChannelName } from "./monitor-events.js";
import type { LdkView } from "./event-desk.js";
import type { Told, ToldChannel } from "./told.js";

export interface KnownChannel extends ChannelName {
  readonly counterpartyNodeId: Uint8Array;
}

interface Progress {
  completed: bigint | undefined;
  newest: bigint;
  isSettled: boolean;
}

export class ChannelBook {
  readonly #known = new Map<ChannelId, KnownChannel>();
  readonly #byFunding = new Map<string, KnownChannel>();
  readonly #progress = new Map<ChannelId, Progress>();

  /** What a saved ChannelManager was told; before LDK is given anything. */
  load(told: Told): void {
    for (const [id, { completed, newest, state }] of told) {
      this.#progress.set(id, { completed, newest, isSettled: state === "settled" });
    }
  }

  /** LDK has a ChannelMonitor of the channel: it opened the channel, or was given a replica. */
  add(channel: KnownChannel, newest: bigint): void {
    this.#known.set(channel.channelId, channel);
    this.#byFunding.set(outpointKey(channel.funding), channel);
    if (!this.#progress.has(channel.channelId)) {
      const none = { completed: undefined, isSettled: false };
      this.#progress.set(channel.channelId, { newest, ...none });
    }
  }

  get(id: ChannelId): KnownChannel | undefined {
    return this.#known.get(id);
  }

  knows(id: ChannelId): boolean {
    return this.#known.has(id);
  }

  funded(by: Outpoint): KnownChannel | undefined {
    return this.#byFunding.get(outpointKey(by));
  }

  handed(id: ChannelId, updateId: bigint): void {
    const progress = this.#progress.get(id);
    if (progress !== undefined && updateId > progress.newest) progress.newest = updateId;
  }

  completed(id: ChannelId, updateId: bigint): void {
    const progress = this.#progress.get(id);
    if (progress === undefined) return;
    if (progress.completed === undefined || updateId > progress.completed) {
      progress.completed = updateId;
    }
  }

  /** Highest id that LDK was told. */
  completedOf(id: ChannelId): bigint | undefined {
    return this.#progress.get(id)?.completed;
  }

  /** LDK never funded it, or needs it no more. */
  forget(id: ChannelId): void {
    this.#progress.delete(id);
  }
  revive(id: ChannelId): void {
    const progress = this.#progress.get(id);
    if (progress !== undefined) progress.isSettled = false;
  }
  settle(id: ChannelId): void {
    const progress = this.#progress.get(id);
    if (progress !== undefined) progress.isSettled = true;
  }

  /** For the ChannelManager that is written next. */
  told(view: LdkView): Told {
    const stateOf = (id: ChannelId, isSettled: boolean): ToldChannel["state"] => {
      if (view.listed.has(id)) return "open";
      return isSettled ? "settled" : "closed";
    };
    return new Map(
      [...this.#progress].map(([id, { completed, newest, isSettled }]) => [
        id,
        { completed, newest, state: stateOf(id, isSettled) },
      ]),
    );
  }
}
