/**
 * The channels in memory: state, log head, event chain and un-acked events of each, and the index of
 * what the block scanner looks for. The store is the truth; this is its image after the newest decision.
 */
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type { ChannelId, EventId, Hash32, ManagerKey, PaymentHash } from "@farwatch/protocol/ids";
import { assert } from "@farwatch/protocol/assert";
import type { Watch } from "../chain/scan-block.js";
import { watched, type Watched } from "../monitor/outstanding.js";
import { watchedPenaltyOutputs } from "../monitor/penalty/outstanding.js";
import type { PenaltyState } from "../monitor/penalty/state.js";
import type { MonitorState } from "../monitor/state.js";
import type { Outbox } from "../outbox/event-feed.js";
import { pendingAbove } from "./pending-above.js";
import { WatchIndex } from "./watch-index.js";

export interface PendingEvent {
  readonly rowId: number;
  readonly event: SealedMonitorEvent;
  /** On disk; only then may it leave. */
  committed: boolean;
}

/** updates: no further update is taken. all: blocks are not processed either. */
export interface Halt {
  readonly scope: "updates" | "all";
  readonly incident: string;
}

export interface EntryBase {
  readonly channelNo: number;
  readonly channelId: ChannelId;
  readonly managerKey: ManagerKey;
  readonly watchHash: Hash32;
  headRowId: number;
  rowsSinceSnapshot: number;
  lastEventHash: Hash32 | undefined;
  /** Un-acked, in event id order. */
  readonly pending: Map<EventId, PendingEvent>;
  halt: Halt | undefined;
}

export interface ChannelEntry extends EntryBase {
  readonly kind: "full";
  /** One for each funding it was watched with. Not in the update log: justice looks them up here. */
  readonly firstCounterpartyCommitments: readonly CounterpartyCommitment[];
  /** After the newest decision; may be ahead of the disk. */
  state: MonitorState;
  /** As of the newest commit: the only state that others may see or that is published from. */
  durable: MonitorState;
  /** Put in the log of a halted channel since this process started: the same one again makes no second row. */
  readonly keptPreimages: Set<PaymentHash>;
}

/** A channel of which only penalty transactions are held (ADR M-18). */
export interface PenaltyEntry extends EntryBase {
  readonly kind: "penaltyOnly";
  state: PenaltyState;
  durable: PenaltyState;
}

export type AnyEntry = ChannelEntry | PenaltyEntry;

/** A stored channel that cannot be read: kept on disk, answered with storedStateUnreadable. */
export interface UnreadableChannel {
  readonly managerKey: ManagerKey;
  readonly incident: string;
}

export class Monitors implements Outbox {
  readonly #byId = new Map<ChannelId, AnyEntry>();
  readonly #byNo = new Map<number, AnyEntry>();
  readonly #penaltyOnly = new Set<PenaltyEntry>();
  readonly #perManager = new Map<ManagerKey, number>();
  readonly unreadable = new Map<ChannelId, UnreadableChannel>();
  readonly #index: WatchIndex;
  /** Channel ids in order; undefined after an addition. */
  #sorted: readonly ChannelId[] | undefined;

  /** `seed`: 32 random bits. */
  constructor(seed: number) {
    this.#index = new WatchIndex(seed);
  }

  get watch(): Watch {
    return this.#index.watch;
  }

  get size(): number {
    return this.#byId.size;
  }
  get(id: ChannelId): AnyEntry | undefined {
    return this.#byId.get(id);
  }
  byNo(channelNo: number): AnyEntry | undefined {
    return this.#byNo.get(channelNo);
  }
  all(): Iterable<AnyEntry> {
    return this.#byId.values();
  }
  /** Those with keys. */
  *full(): Iterable<ChannelEntry> {
    for (const entry of this.#byId.values()) if (entry.kind === "full") yield entry;
  }
  penaltyOnly(): Iterable<PenaltyEntry> {
    return this.#penaltyOnly;
  }
  countOf(manager: ManagerKey): number {
    return this.#perManager.get(manager) ?? 0;
  }

  add(entry: AnyEntry): void {
    assert(!this.#byId.has(entry.channelId), "a channel is added once");
    this.#byId.set(entry.channelId, entry);
    this.#byNo.set(entry.channelNo, entry);
    this.#perManager.set(entry.managerKey, this.countOf(entry.managerKey) + 1);
    this.#sorted = undefined;
    if (entry.kind === "penaltyOnly") this.#penaltyOnly.add(entry);
    this.#index.watchAll(entry.channelNo, watchedBy(entry));
  }

  /** It leaves memory and is looked for in no block any more. */
  remove(entry: AnyEntry): void {
    assert(this.#byId.delete(entry.channelId), "a channel is removed once");
    this.#byNo.delete(entry.channelNo);
    this.#perManager.set(entry.managerKey, this.countOf(entry.managerKey) - 1);
    this.#sorted = undefined;
    if (entry.kind === "penaltyOnly") this.#penaltyOnly.delete(entry);
    this.#index.forgetAll(entry.channelNo, watchedBy(entry));
  }

  /** As setState. */
  setPenaltyState(entry: PenaltyEntry, state: PenaltyState): void {
    const before = entry.state;
    entry.state = state;
    if (before.seen === state.seen) return;
    this.#index.exchange(entry.channelNo, watchedIn(before), watchedIn(state));
  }

  /** The only place where a channel's state in memory changes; keeps the watch index in step. */
  setState(entry: ChannelEntry, state: MonitorState): void {
    const before = entry.state;
    entry.state = state;
    this.#index.move(entry.channelNo, before, state);
  }

  /** Channels of one manager in channel id order, strictly after `after`. */
  ofManager(manager: ManagerKey, after: ChannelId | undefined, limit: number): AnyEntry[] {
    this.#sorted ??= [...this.#byId.keys()].sort();
    const found: AnyEntry[] = [];
    for (const id of this.#sorted) {
      if (found.length >= limit) break;
      if (after !== undefined && id <= after) continue;
      const entry = this.#byId.get(id);
      if (entry?.managerKey === manager) found.push(entry);
    }
    return found;
  }

  channelsWithEvents(manager: ManagerKey): readonly ChannelId[] {
    return this.ofManager(manager, undefined, Infinity)
      .filter(({ pending }) => pending.size > 0)
      .map(({ channelId }) => channelId);
  }

  committedEvents(channel: ChannelId, after: EventId): readonly SealedMonitorEvent[] {
    const entry = this.#byId.get(channel);
    if (entry === undefined) return [];
    // A state halted while it was loaded may be older than the channel's events.
    const next = entry.halt === undefined ? entry.state.nextEventId : undefined;
    return pendingAbove(entry.pending, after, next)
      .filter(({ committed }) => committed)
      .map(({ event }) => event);
  }

  isPending(channel: ChannelId, id: EventId): boolean {
    return this.#byId.get(channel)?.pending.has(id) ?? false;
  }
}

const watchedIn = (state: PenaltyState): Watched => ({
  outpoints: watchedPenaltyOutputs(state),
  txids: [],
});

const watchedBy = (entry: AnyEntry): Watched =>
  entry.kind === "full" ? watched(entry.state) : watchedIn(entry.state);
