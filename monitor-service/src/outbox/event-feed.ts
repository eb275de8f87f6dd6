/**
 * Delivers committed events to managers: first everything un-acked in (channel, event id) order and every
 * open bump request, then what is committed from now on, and the bump requests of a channel as they are
 * then. A request that was open before and is not in the replay is over. Nothing is queued
 * per stream but the set of channels with news: the events themselves stay in the outbox until they are
 * acked, so a slow reader costs no memory. One live stream per manager; a newer one replaces it
 * (StreamEvents, monitor_service.proto).
 */
import { claimIdOf, type BumpItem } from "@farwatch/protocol/bump";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import {
  eventId,
  type ChannelId,
  type EventId,
  type Hash32,
  type ManagerKey,
} from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { EventSubscriber, Subscription } from "../runtime/monitor-host.js";

/** What the feed reads: un-acked events that are on disk. */
export interface Outbox {
  /** Channels of the manager that have such events, in channel id order. */
  channelsWithEvents(manager: ManagerKey): readonly ChannelId[];
  /** In event id order, those above `after`. */
  committedEvents(channel: ChannelId, after: EventId): readonly SealedMonitorEvent[];
  isPending(channel: ChannelId, id: EventId): boolean;
}

/** Level-triggered requests to the managers' wallets (contract 2.19). */
export interface BumpOutbox {
  channelsWithBumps(manager: ManagerKey): readonly ChannelId[];
  /** The newest request of each open claim; the same object as long as nothing about it changed. */
  bumpsOf(channel: ChannelId): readonly BumpItem[];
}

const NO_BUMPS: BumpOutbox = { channelsWithBumps: () => [], bumpsOf: () => [] };

/** What a stream reads from. */
interface Outboxes {
  readonly events: Outbox;
  readonly bumps: BumpOutbox;
}

export class EventFeed {
  readonly #outboxes: Outboxes;
  readonly #streams = new Map<ManagerKey, Stream>();

  constructor(events: Outbox, bumps: BumpOutbox = NO_BUMPS) {
    this.#outboxes = { events, bumps };
  }

  /** The caller has checked the epoch. An older stream of this manager ends. */
  subscribe(manager: ManagerKey, epoch: bigint, subscriber: EventSubscriber): Subscription {
    this.#streams
      .get(manager)
      ?.end(refuse("streamReplaced", "a newer stream of this manager has taken over"));
    const stream = new Stream(this.#outboxes, epoch, subscriber, () => {
      if (this.#streams.get(manager) === stream) this.#streams.delete(manager);
    });
    this.#streams.set(manager, stream);
    const { events, bumps } = this.#outboxes;
    stream.start(
      () => events.channelsWithEvents(manager),
      () => bumps.channelsWithBumps(manager),
    );
    return { close: () => stream.end(undefined) };
  }

  /** Events of this channel were committed, or its bump requests changed. */
  news(manager: ManagerKey, channel: ChannelId): void {
    this.#streams.get(manager)?.wake(channel);
  }

  /** Ends a stream of an older epoch. */
  fence(manager: ManagerKey, epoch: bigint): void {
    const stream = this.#streams.get(manager);
    if (stream === undefined || stream.epoch >= epoch) return;
    const details = { current_epoch: String(epoch) };
    stream.end(refuse("fenced", `epoch ${stream.epoch} is over`, details));
  }

  /** Ends every stream. */
  stop(): void {
    for (const stream of [...this.#streams.values()]) {
      stream.end(refuse("stopping", "the monitor stops"));
    }
  }
}

const NONE_SENT = eventId(0n);

/** Channels with something to send to a new stream. */
interface Replay {
  readonly events: readonly ChannelId[];
  readonly bumps: readonly ChannelId[];
}

class Stream {
  readonly epoch: bigint;
  readonly #outboxes: Outboxes;
  readonly #subscriber: EventSubscriber;
  readonly #ended: () => void;
  /** Channels with news, in order of arrival. */
  readonly #news = new Set<ChannelId>();
  readonly #sent = new Map<ChannelId, EventId>();
  /** Requests as they were sent last, and not ended since. */
  readonly #bumps = new Map<ChannelId, ReadonlyMap<Hash32, BumpItem>>();
  #over = false;
  #pumping = false;

  constructor(outboxes: Outboxes, epoch: bigint, subscriber: EventSubscriber, ended: () => void) {
    this.#outboxes = outboxes;
    this.epoch = epoch;
    this.#subscriber = subscriber;
    this.#ended = ended;
  }

  /** The subscriber hears nothing before `subscribe` has returned. */
  start(replay: () => readonly ChannelId[], bumps: () => readonly ChannelId[]): void {
    this.#pumping = true;
    void Promise.resolve().then(() => this.#run({ events: replay(), bumps: bumps() }));
  }

  wake(channel: ChannelId): void {
    this.#news.add(channel);
    if (this.#pumping || this.#over) return;
    this.#pumping = true;
    void this.#run(undefined);
  }

  end(refusal: Refusal | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended();
    this.#subscriber.end(refusal);
  }

  /** Never rejects: a subscriber that fails ends its own stream only. */
  async #run(replay: Replay | undefined): Promise<void> {
    try {
      if (replay !== undefined) await this.#replay(replay);
      await this.#pump();
    } catch {
      this.end(undefined); // the reader is gone; a new stream starts with a replay
    } finally {
      this.#pumping = false;
    }
  }

  async #replay({ events, bumps }: Replay): Promise<void> {
    let replayed = 0;
    for (const channel of events) replayed += await this.#send(channel);
    for (const channel of bumps) await this.#sendBumps(channel);
    if (!this.#over) await this.#subscriber.endOfReplay(replayed);
  }

  async #pump(): Promise<void> {
    for (;;) {
      const [channel] = this.#news;
      if (channel === undefined || this.#over) return;
      this.#news.delete(channel);
      await this.#send(channel);
      await this.#sendBumps(channel);
    }
  }

  /** Sends what the stream has not sent yet, one at a time; returns how many. */
  async #send(channel: ChannelId): Promise<number> {
    let count = 0;
    const after = this.#sent.get(channel) ?? NONE_SENT;
    const { events } = this.#outboxes;
    for (const event of events.committedEvents(channel, after)) {
      if (this.#over) return count;
      this.#sent.set(channel, event.eventId);
      if (!events.isPending(channel, event.eventId)) continue; // acked meanwhile
      await this.#subscriber.event(event);
      count++;
    }
    return count;
  }

  /** What changed since it was sent last, and what has ended since. */
  async #sendBumps(channel: ChannelId): Promise<void> {
    const before = this.#bumps.get(channel) ?? new Map<Hash32, BumpItem>();
    const now = new Map(
      this.#outboxes.bumps.bumpsOf(channel).map((item) => [claimIdOf(item), item]),
    );
    if (now.size === 0) this.#bumps.delete(channel);
    else this.#bumps.set(channel, now);
    for (const [claimId, item] of now) {
      if (this.#over) return;
      if (before.get(claimId) !== item) await this.#subscriber.bump(item);
    }
    for (const ended of before.keys()) {
      if (this.#over) return;
      if (!now.has(ended)) await this.#subscriber.bump({ channelId: channel, ended });
    }
  }
}
