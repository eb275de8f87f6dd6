/**
 * Decides what LDK is handed, and when (contract section 1 "LDK dialect", 2.23; restart rules R4, R7, R8).
 *
 * - Completed: once Subscribe has come as far as its item_watermark, so after every event up to there; one
 *   that was applied after the close only once LDK has closed the channel itself.
 * - An HtlcEvent of the chain: once LDK does not list the channel any more and has seen the event's block.
 *   An earlier fail loses the HTLC's amount, an earlier claim panics LDK 0.1.6 to 0.3.
 * - An HtlcEvent of an update: never. LDK up to 0.3 acts on the revocation itself.
 * - HolderForceClosed: at once; it is what makes LDK close.
 *
 * Pure: it is told what happened and asked what is ready.
 */
import type { CloseReason, EventOrigin, MonitorEventBody } from "@farwatch/protocol/event";
import type { ChannelId } from "@farwatch/protocol/ids";

/** What LDK knows, looked up outside its callbacks. */
export interface LdkView {
  readonly listed: ReadonlySet<ChannelId>;
  readonly height: number;
}

export type HtlcEventBody = Extract<MonitorEventBody, { kind: "htlcEvent" }>;
export type EventForLdk =
  | HtlcEventBody
  | { readonly kind: "holderForceClosed"; readonly reason: CloseReason }
  | { readonly kind: "commitmentTxConfirmed" };

/** What one channel's monitor has to say, in this order. */
export interface Handover {
  readonly channelId: ChannelId;
  readonly events: readonly EventForLdk[];
  readonly completed: bigint | undefined;
}

export interface Completion {
  readonly updateId: bigint;
  readonly itemWatermark: bigint;
  readonly closed: boolean;
}

export interface MonitorItem {
  readonly itemId: bigint;
  readonly channelId: ChannelId;
  readonly body: MonitorEventBody;
  readonly origin: EventOrigin;
}

export interface DeskOptions {
  /** LDK before 0.2 has no CommitmentTxConfirmed: it finds the spend itself. */
  readonly hearsOfConfirmation: boolean;
  /** False: LDK has no ChannelMonitor of this channel, and events of it must not be handed over (R7). */
  readonly knows: (id: ChannelId) => boolean;
}

interface Entry {
  readonly item: MonitorItem;
  /** Its Done was sent before this process started: only LDK wants it again. */
  readonly isRepeat: boolean;
  isHanded: boolean;
}

export class EventDesk {
  readonly #entries = new Map<bigint, Entry>();
  /** Oldest first. */
  readonly #completions = new Map<ChannelId, readonly Completion[]>();
  readonly #announced = new Map<ChannelId, bigint>();
  /** Told again by a replay that overtook the Done. */
  readonly #done = new Set<bigint>();
  readonly #options: DeskOptions;
  #reached = 0n;
  #view: LdkView | undefined;
  readonly #openedSince = new Set<ChannelId>();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** False: nothing to hand over, the item can be marked done. */
  item(item: MonitorItem): boolean {
    const { itemId, body, origin } = item;
    if (this.#entries.has(itemId)) return true;
    if (body.kind === "htlcEvent" && origin.kind === "update") return false;
    if (this.#done.has(itemId)) return false;
    this.#entries.set(itemId, { item, isRepeat: false, isHanded: false });
    return true;
  }

  /** An event that was done with in an earlier life of the node (R7). */
  repeat(item: MonitorItem): void {
    if (this.#entries.has(item.itemId)) return;
    this.#entries.set(item.itemId, { item, isRepeat: true, isHanded: false });
  }

  /** Subscribe has come this far. */
  reached(itemId: bigint): void {
    if (itemId > this.#reached) this.#reached = itemId;
  }

  completed(id: ChannelId, completion: Completion): void {
    const waiting = this.#completions.get(id) ?? [];
    const newest = waiting.at(-1)?.updateId ?? this.#announced.get(id);
    if (newest !== undefined && completion.updateId <= newest) return;
    this.#completions.set(id, [...waiting, completion]);
  }

  look(view: LdkView): void {
    this.#view = view;
    this.#openedSince.clear();
  }

  /** LDK opened a channel that the last look could not see. */
  opened(id: ChannelId): void {
    this.#openedSince.add(id);
  }

  /** Something may become ready by what LDK does: it must be looked at. */
  get isWaiting(): boolean {
    for (const { isHanded } of this.#entries.values()) if (!isHanded) return true;
    for (const waiting of this.#completions.values()) {
      if (waiting.some(({ closed }) => closed)) return true;
    }
    return false;
  }

  /** Channels with an event of an HTLC that is not done. */
  channelsWithHtlcs(): ReadonlySet<ChannelId> {
    const ids = [...this.#entries.values()]
      .filter(({ item, isRepeat }) => item.body.kind === "htlcEvent" && !isRepeat)
      .map(({ item }) => item.channelId);
    return new Set(ids);
  }

  /** HTLC events that cannot be handed over before the node is started again. */
  stranded(): MonitorItem[] {
    return [...this.#entries.values()]
      .map(({ item }) => item)
      .filter(
        ({ body, channelId }) => body.kind === "htlcEvent" && !this.#options.knows(channelId),
      );
  }

  get hasWork(): boolean {
    for (const entry of this.#entries.values()) if (this.#isReady(entry)) return true;
    for (const [id, [next]] of this.#completions) {
      if (next !== undefined && this.#mayComplete(id, next)) return true;
    }
    return false;
  }

  /** Hands over everything that is ready, each thing once. */
  release(): Handover[] {
    const events = new Map<ChannelId, EventForLdk[]>();
    const ready = [...this.#entries.values()].filter((entry) => this.#isReady(entry));
    ready.sort((a, b) => (a.item.itemId < b.item.itemId ? -1 : 1));
    for (const entry of ready) {
      entry.isHanded = true;
      const event = this.#forLdk(entry.item);
      if (event === undefined) continue;
      const { channelId } = entry.item;
      events.set(channelId, [...(events.get(channelId) ?? []), event]);
    }
    const completed = this.#takeCompletions();
    return [...new Set([...events.keys(), ...completed.keys()])].map((channelId) => ({
      channelId,
      events: events.get(channelId) ?? [],
      completed: completed.get(channelId),
    }));
  }

  /** Handed over and not done: a snapshot that begins now contains what became of them (R9). */
  handedItems(): bigint[] {
    return [...this.#entries.values()]
      .filter(({ isHanded, isRepeat }) => isHanded && !isRepeat)
      .map(({ item }) => item.itemId);
  }

  done(items: readonly bigint[]): void {
    for (const id of items) if (this.#entries.delete(id)) this.#done.add(id);
  }

  /** Cumulative: the newest that may be told speaks for those before it. */
  #takeCompletions(): Map<ChannelId, bigint> {
    const taken = new Map<ChannelId, bigint>();
    for (const [id, waiting] of this.#completions) {
      const held = waiting.findIndex((completion) => !this.#mayComplete(id, completion));
      const ready = held === -1 ? waiting : waiting.slice(0, held);
      const newest = ready.at(-1);
      if (newest === undefined) continue;
      if (held === -1) this.#completions.delete(id);
      else this.#completions.set(id, waiting.slice(held));
      this.#announced.set(id, newest.updateId);
      taken.set(id, newest.updateId);
    }
    return taken;
  }

  #mayComplete(id: ChannelId, { itemWatermark, closed }: Completion): boolean {
    if (!this.#options.knows(id) || itemWatermark > this.#reached) return false;
    return !closed || this.#hasClosed(id);
  }

  /** LDK itself. */
  #hasClosed(id: ChannelId): boolean {
    return this.#view !== undefined && !this.#view.listed.has(id) && !this.#openedSince.has(id);
  }

  #isReady({ item: { channelId, body, origin }, isHanded }: Entry): boolean {
    if (isHanded) return false;
    const isKnown = this.#options.knows(channelId);
    switch (body.kind) {
      case "htlcEvent":
        return (
          isKnown && this.#hasClosed(channelId) && heightOf(origin) <= (this.#view?.height ?? -1)
        );
      case "commitmentTxConfirmed":
        return !isKnown || this.#options.hearsOfConfirmation || this.#hasClosed(channelId);
      case "holderForceClosed":
        return true;
      default:
        return false;
    }
  }

  /** undefined: LDK learns it otherwise, or has nothing to do. */
  #forLdk({ body, channelId }: MonitorItem): EventForLdk | undefined {
    if (!this.#options.knows(channelId)) return undefined;
    if (body.kind === "htlcEvent") return body;
    if (body.kind === "holderForceClosed") return { kind: body.kind, reason: body.reason };
    if (body.kind !== "commitmentTxConfirmed" || !this.#options.hearsOfConfirmation)
      return undefined;
    return { kind: body.kind };
  }
}

function heightOf(origin: EventOrigin): number {
  return origin.kind === "chain" || origin.kind === "block" ? origin.block.height : 0;
}
