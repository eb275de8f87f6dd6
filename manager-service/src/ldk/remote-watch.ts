/**
 * LDK's `Watch` on top of a manager-service (contract 2.22, 2.23 and section 1 "LDK dialect"; restart rules
 * R1 to R9): the node's ChannelMonitors live on remote hosts, its disk holds its ChannelManager and the small
 * blob of `beginSnapshot`.
 *
 *   const watch = new RemoteWatch(options);
 *   const monitors = await watch.restore(toldFromDisk, readers);   // told undefined: a new node
 *   const manager = ...;            // ChannelManager.constructor_new or read, with watch.asWatch(), monitors
 *   watch.attach(manager);
 *   // process_pending_events of the manager once BEFORE it is given blocks: see `attach`
 *   // in the event loop: watch.tick(); process events; and while watch.needsSnapshot:
 *   const snapshot = watch.beginSnapshot();
 *   const bytes = manager.write();                 // nothing may come between these two lines
 *   await saveAtomically(bytes, snapshot.told);
 *   watch.snapshotSaved(snapshot);
 */
import { assert } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import type { Item, UserEvent } from "@farwatch/protocol/gen/manager/v1/event";
import type {
  Completed,
  OpenNodeSessionResponse,
  SubscribeResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import { handOver, readAdopted, toldOf } from "./adopt.js";
import { FactsOfChannels } from "./channel-facts.js";
import { ChannelBook } from "./channel-book.js";
import { RemoteWatchError, textOf } from "./errors.js";
import { EventDesk, type LdkView, type MonitorItem } from "./event-desk.js";
import { Hold } from "./hold.js";
import { InFlight } from "./in-flight.js";
import { ldkWatch, viewOf } from "./ldk-watch.js";
import type { Ldk } from "./ldk-module.js";
import { systemClock } from "./link-options.js";
import { ManagerLink, type LinkHost } from "./manager-link.js";
import type { ChannelLister, MonitorReaders, RemoteWatchOptions } from "./options.js";
import { readMonitorItem } from "./read-item.js";
import { readBase } from "./replica.js";
import { planRestore, type HeldByManager } from "./restore-plan.js";
import { register, restoreMonitors } from "./restore.js";
import { fromEventHandler, UserEvents, type UserEventHandler } from "./user-events.js";
import { decodeTold, encodeTold, type Told } from "./told.js";

/** Begun before ChannelManager.write; given back when its bytes and `told` are on disk. */
export interface Snapshot {
  /** Opaque. Belongs into the same atomic write as the ChannelManager. */
  readonly told: Uint8Array;
  readonly upTo: number;
  readonly items: readonly bigint[];
}

export class RemoteWatch {
  readonly #options: RemoteWatchOptions;
  readonly #book = new ChannelBook();
  readonly #hold = new Hold();
  readonly #inFlight = new InFlight();
  readonly #desk: EventDesk;
  readonly #link: ManagerLink;
  readonly #userEvents: UserEvents;
  readonly #watch: Ldk.Watch;
  readonly #started: Promise<OpenNodeSessionResponse>;
  #sessionOpened: (session: OpenNodeSessionResponse) => void = () => undefined;
  #cannotStart: (error: Error) => void = () => undefined;
  #session: OpenNodeSessionResponse | undefined;
  #lister: ChannelLister | undefined;
  #failure: Error | undefined;
  #isBegun = false;
  #savedUpTo = 0;

  constructor(options: RemoteWatchOptions) {
    this.#options = options;
    this.#desk = new EventDesk({
      hearsOfConfirmation: !/^v?0\.[01]\b/.test(options.ldkVersion),
      knows: (id) => this.#book.knows(id),
    });
    this.#started = new Promise((resolve, reject) => {
      this.#sessionOpened = resolve;
      this.#cannotStart = reject;
    });
    this.#started.catch(() => undefined); // restore is told; without restore nobody waits
    this.#link = new ManagerLink(
      { ...options, clock: options.clock ?? systemClock },
      this.#linkHost(),
    );
    this.#userEvents = new UserEvents(options.ldk, new FactsOfChannels(this.#link, this.#inFlight));
    this.#watch = ldkWatch({
      ldk: options.ldk,
      book: this.#book,
      desk: this.#desk,
      hold: this.#hold,
      inFlight: this.#inFlight,
      isFailed: () => this.#failure !== undefined,
      failed: (error) => this.#fail(error),
    });
  }

  /** For ChannelManager.constructor_new and for reading one. */
  asWatch(): Ldk.Watch {
    return this.#watch;
  }

  /** Why nothing is handed over any more; undefined: all is well. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Updates wait for a snapshot, or events that LDK was given do. */
  get needsSnapshot(): boolean {
    const { length } = [...this.#desk.handedItems(), ...this.#userEvents.handledItems()];
    return this.#hold.size > 0 || length > 0;
  }

  /** LDK's updates that wait for a snapshot, and those that wait for the manager-service. */
  get backlog(): { readonly held: number; readonly unaccepted: number } {
    return { held: this.#hold.size, unaccepted: this.#link.unaccepted };
  }

  /**
   * Connects, and builds the ChannelMonitors for reading the ChannelManager that was saved with `saved`; for a
   * new node `saved` is undefined and none come. Waits for the manager-service as long as it takes.
   *
   * Throws RemoteWatchError before anything was sent: staleSnapshot, managerLost, toldUnreadable,
   * replicaUnusable, refused, stopped.
   */
  async restore(
    saved: Uint8Array | undefined,
    readers: MonitorReaders,
  ): Promise<Ldk.ChannelMonitor[]> {
    const told: Told = saved === undefined ? new Map() : decodeTold(saved);
    const plan = planRestore(told, await this.#begin(), this.#desk.channelsWithHtlcs());
    this.#book.load(told);
    const parts = { ldk: this.#options.ldk, link: this.#link, book: this.#book, desk: this.#desk };
    const { onAlarm } = this.#options;
    return restoreMonitors({ ...parts, alarm: onAlarm }, told, plan, readers);
  }

  /**
   * Instead of `restore`, for a node that has kept its ChannelMonitors itself: `monitors` are their bytes as its
   * disk has them, every one. Gives them for reading the ChannelManager when all required monitors have them.
   * Throws as `restore` does. After the first saved snapshot the node's own copies are out of date: remove them.
   */
  async adopt(
    monitors: readonly Uint8Array[],
    readers: MonitorReaders,
  ): Promise<Ldk.ChannelMonitor[]> {
    const adopted = monitors.map(readAdopted);
    const told = toldOf(adopted);
    const held = await this.#begin();
    // What was handed over by an attempt before is compared, the rest is new.
    const known = new Map([...told].filter(([id]) => held.has(id)));
    planRestore(known, held, new Set());
    for (const one of adopted) await handOver(this.#link, one);
    this.#book.load(told);
    const { ldk } = this.#options;
    return adopted.map(({ channelId: id, bytes }) => {
      const monitor = readBase({ ldk, readers, channelId: id }, bytes);
      register(this.#book, id, monitor);
      return monitor;
    });
  }

  /** Connects, and says what the manager-service has of each channel. */
  async #begin(): Promise<ReadonlyMap<ChannelId, HeldByManager>> {
    if (this.#isBegun) throw new RemoteWatchError("misused", "restore or adopt is called once");
    this.#isBegun = true;
    this.#link.start();
    const { channels } = await this.#started;
    return new Map(
      channels.map(({ channelId: id, acceptedId }) => [channelId(toHex(id)), { acceptedId }]),
    );
  }

  /**
   * The ChannelManager, new or read. What it lists and its height are looked at from now on. Process its
   * events once before it is given the blocks of the time it was dead: LDK panics when it sees a funding
   * confirmed whose first Completed it was not told.
   */
  attach(lister: ChannelLister): void {
    this.#lister = lister;
    for (const item of this.#desk.stranded()) this.#stranded(item);
    this.#look();
    this.#tellWork();
  }

  /** Looks at LDK again: after blocks and after events, in every turn of the event loop. Not in a callback. */
  tick(): void {
    if (this.#lister !== undefined && !this.#desk.isWaiting) return; // listing every channel is not free
    this.#look();
    if (this.#desk.hasWork) this.#tellWork();
  }

  /** Directly before ChannelManager.write(), with nothing in between. Throws when the watch has failed. */
  beginSnapshot(): Snapshot {
    if (this.#failure !== undefined) throw this.#failure;
    return {
      told: encodeTold(this.#book.told(this.#look())),
      upTo: this.#hold.newest,
      items: [...this.#desk.handedItems(), ...this.#userEvents.handledItems()],
    };
  }

  /** The bytes of that ChannelManager and its `told` are on disk, synced: what it contains may go out. */
  snapshotSaved({ upTo, items }: Snapshot): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (upTo < this.#savedUpTo) {
      throw new RemoteWatchError("snapshotOutOfOrder", "a newer snapshot was saved before");
    }
    this.#savedUpTo = upTo;
    this.#link.send(this.#hold.release(upTo));
    this.#desk.done(items);
    this.#userEvents.done(items);
    this.#link.done(items);
  }

  /**
   * Gives what the node's wallet must do to `handler`, as LDK's events: SpendableOutputs, DiscardFunding, and
   * BumpTransaction for LDK's BumpTransactionEventHandler. What it throws at comes again at the next call;
   * the first error is thrown on when all were tried. True when anything was done.
   */
  async processPendingEvents(handler: UserEventHandler | Ldk.EventHandler): Promise<boolean> {
    const run = typeof handler === "function" ? handler : fromEventHandler(handler);
    const { done, failures } = await this.#userEvents.run(run);
    this.#link.done(done);
    if (failures.length > 0) throw failures[0];
    return done.length > 0;
  }

  /** Ends the connection; nothing more is sent or handed over. */
  async stop(): Promise<void> {
    this.#failure ??= new RemoteWatchError("stopped", "the watch was stopped");
    this.#cannotStart(this.#failure);
    await this.#link.stop();
  }

  #look(): LdkView {
    if (this.#lister === undefined) throw new RemoteWatchError("misused", "attach comes first");
    const view = viewOf(this.#lister);
    this.#desk.look(view);
    return view;
  }

  #linkHost(): LinkHost {
    const safely = <A extends readonly unknown[]>(run: (...args: A) => void) => {
      return (...args: A): void => {
        try {
          run(...args);
        } catch (error) {
          this.#fail(error);
        }
      };
    };
    const { onConnection } = this.#options;
    return {
      connected: safely((session) => {
        this.#session = session;
        for (const { channelId: id, acceptedId } of session.channels) {
          this.#compare(channelId(toHex(id)), acceptedId);
        }
        this.#userEvents.replayBegins();
        onConnection?.(true, "");
      }),
      disconnected: safely((why) => onConnection?.(false, why)),
      received: safely((message) => this.#received(message)),
      completed: safely((completed) => this.#completed(completed)),
      refused: safely((id, updateId, refusal) => this.#refused(id, updateId, refusal)),
      fatal: safely((refusal) => {
        this.#fail(new RemoteWatchError("refused", refusal.message, refusal));
      }),
    };
  }

  /** In a later session: a manager-service restored from a backup would meet a gap with the next update. */
  #compare(id: ChannelId, acceptedId: bigint): void {
    const told = this.#book.completedOf(id);
    if (!this.#book.knows(id) || told === undefined || acceptedId >= told) return;
    const text = `the manager-service has update ${acceptedId}, and had told ${told} durable`;
    this.#options.onAlarm({ code: "managerLost", text, channelId: id });
  }

  #received({ item }: SubscribeResponse): void {
    if (item?.$case === "event") this.#item(item.value);
    else if (item?.$case === "replayDone") {
      this.#desk.reached(item.value.lastItemId);
      this.#userEvents.replayEnds(item.value.bumpsKnownOf);
      assert(this.#session !== undefined, "a session before its items");
      this.#sessionOpened(this.#session);
    }
    this.#tellWork();
  }

  #item({ itemId, item }: Item): void {
    if (item?.$case === "monitorEvent") {
      const event = readMonitorItem(itemId, item.value);
      const { channelId: id, body } = event;
      if (body.kind === "discardFunding") this.#userEvents.discard(itemId, id, body.funding);
      else if (!this.#desk.item(event)) this.#link.done([itemId]);
      else if (body.kind === "htlcEvent" && !this.#book.knows(id)) this.#stranded(event);
    } else if (item?.$case === "userEvent") this.#userEvent(itemId, item.value);
    this.#desk.reached(itemId);
  }

  /** LDK would panic: this event is for an HTLC of a ChannelMonitor that it was not given (R7). */
  #stranded({ itemId, channelId: id }: MonitorItem): void {
    if (this.#lister === undefined) return;
    const text = `item ${itemId} waits for the node's next start, which brings its channel back`;
    this.#options.onAlarm({ code: "htlcEventWaits", text, channelId: id });
  }

  #userEvent(itemId: bigint, { event, channelId: about }: UserEvent): void {
    if (event?.$case === "spendableOutputs") {
      this.#userEvents.spendable(itemId, about, event.value);
    } else if (event?.$case === "bumpTransaction") {
      this.#userEvents.bump(event.value);
    } else if (event?.$case === "alarm") {
      const { code, text, channelId: of } = event.value;
      this.#options.onAlarm({ code, text, channelId: of && toHex(of) });
      this.#link.done([itemId]);
    }
  }

  #completed({ channelId: id, updateId, itemWatermark, closed }: Completed): void {
    this.#desk.completed(channelId(toHex(id)), { updateId, itemWatermark, closed });
    this.#tellWork();
  }

  #refused(id: ChannelId, updateId: bigint, { reason, message }: Refusal): void {
    const text = `update ${updateId} was refused, and nothing of the channel is sent any more: ${message}`;
    this.#options.onAlarm({ code: reason, text, channelId: id });
  }

  #tellWork(): void {
    if (this.#lister === undefined || this.#failure !== undefined) return;
    if (this.#desk.hasWork || this.#userEvents.hasWork) this.#options.onWork();
  }

  /** Loud and for good: better a channel that stands still than a wrong Completed. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    const made = new RemoteWatchError("internal", textOf(error));
    this.#failure = error instanceof RemoteWatchError ? error : made;
    this.#cannotStart(this.#failure);
    const { code, message: text } = error instanceof RemoteWatchError ? error : made;
    // Not here: this may be a callback of LDK, and an alarm may lead to calls into LDK.
    setImmediate(() => this.#options.onAlarm({ code, text }));
  }
}
