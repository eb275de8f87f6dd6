/**
 * Delivers committed events to managers: first everything un-acked in (channel, event id) order, then
 * what is committed from now on. Nothing is queued per stream but the set of channels with news: the
 * events themselves stay in the outbox until they are acked, so a slow reader costs no memory. One live
 * stream per manager; a newer one replaces it (StreamEvents, monitor_service.proto).
 */
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import { eventId, type ChannelId, type EventId, type ManagerKey } from "@farwatch/protocol/ids";
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

export class EventFeed {
  readonly #outbox: Outbox;
  readonly #streams = new Map<ManagerKey, Stream>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** The caller has checked the epoch. An older stream of this manager ends. */
  subscribe(manager: ManagerKey, epoch: bigint, subscriber: EventSubscriber): Subscription {
    this.#streams
      .get(manager)
      ?.end(refuse("streamReplaced", "a newer stream of this manager has taken over"));
    const stream = new Stream(this.#outbox, epoch, subscriber, () => {
      if (this.#streams.get(manager) === stream) this.#streams.delete(manager);
    });
    this.#streams.set(manager, stream);
    stream.start(() => this.#outbox.channelsWithEvents(manager));
    return { close: () => stream.end(undefined) };
  }

  /** Events of this channel were committed. */
  committed(manager: ManagerKey, channel: ChannelId): void {
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

class Stream {
  readonly epoch: bigint;
  readonly #outbox: Outbox;
  readonly #subscriber: EventSubscriber;
  readonly #ended: () => void;
  /** Channels with news, in order of arrival. */
  readonly #news = new Set<ChannelId>();
  readonly #sent = new Map<ChannelId, EventId>();
  #over = false;
  #pumping = false;

  constructor(outbox: Outbox, epoch: bigint, subscriber: EventSubscriber, ended: () => void) {
    this.#outbox = outbox;
    this.epoch = epoch;
    this.#subscriber = subscriber;
    this.#ended = ended;
  }

  /** The subscriber hears nothing before `subscribe` has returned. */
  start(replay: () => readonly ChannelId[]): void {
    this.#pumping = true;
    void Promise.resolve().then(() => this.#run(replay()));
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
  async #run(replay: readonly ChannelId[] | undefined): Promise<void> {
    try {
      if (replay !== undefined) await this.#replay(replay);
      await this.#pump();
    } catch {
      this.end(undefined); // the reader is gone; a new stream starts with a replay
    } finally {
      this.#pumping = false;
    }
  }

  async #replay(channels: readonly ChannelId[]): Promise<void> {
    let replayed = 0;
    for (const channel of channels) replayed += await this.#send(channel);
    if (!this.#over) await this.#subscriber.endOfReplay(replayed);
  }

  async #pump(): Promise<void> {
    for (;;) {
      const [channel] = this.#news;
      if (channel === undefined || this.#over) return;
      this.#news.delete(channel);
      await this.#send(channel);
    }
  }

  /** Sends what the stream has not sent yet, one at a time; returns how many. */
  async #send(channel: ChannelId): Promise<number> {
    let count = 0;
    const after = this.#sent.get(channel) ?? NONE_SENT;
    for (const event of this.#outbox.committedEvents(channel, after)) {
      if (this.#over) return count;
      this.#sent.set(channel, event.eventId);
      if (!this.#outbox.isPending(channel, event.eventId)) continue; // acked meanwhile
      await this.#subscriber.event(event);
      count++;
    }
    return count;
  }
}
