/**
 * Delivers items to nodes: un-handled ones first, then open bump requests, then the end of the replay, then
 * live ones, one at a time, in the order of their ids. Only items whose commit is done are sent; the
 * subscriber's promise is the back-pressure. A slow node is sent the newest bump request of a claim only. One
 * subscription per node; a newer one ends the older.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type { ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { Tables } from "../manager/draft.js";
import { rowKeys, type ChannelRow, type Completion, type ItemRow } from "../manager/rows.js";
import { semanticKeys, type ItemContent } from "../manager/user-event.js";
import type { BumpBoard, OpenBump } from "./bump-board.js";
import { itemToWire } from "./item-to-wire.js";
import type { Closable, ItemSubscriber } from "./manager-host.js";

/** Items that a `completed` of their channel may wait for. */
export const precedesCompleted = (
  event: ItemContent,
): event is Extract<ItemContent, { kind: "channelClosed" | "monitorEvent" }> =>
  event.kind === "channelClosed" || event.kind === "monitorEvent";

interface Subscription {
  readonly subscriber: ItemSubscriber;
  /** Bump requests as they were sent last, and not ended since. */
  readonly bumps: Map<string, OpenBump>;
  /** Keys of bump requests that changed. */
  readonly bumpNews: Set<string>;
  /** Id of the newest item that was handed over. */
  handedOver: bigint;
  open: boolean;
  wake: () => void;
}

export class ItemFeed {
  readonly #tables: Tables;
  readonly #bumps: BumpBoard;
  /** Every item up to here is on disk. */
  #committed: bigint;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Called when an item was handed over that `completed` of this channel may wait for. */
  onHandedOver: (channelId: ChannelId) => void = () => undefined;

  constructor(tables: Tables, bumps: BumpBoard, nextItemId: bigint) {
    this.#tables = tables;
    this.#bumps = bumps;
    this.#committed = nextItemId - 1n;
    bumps.onChange = (nodeKey, key) => {
      const subscription = this.#subscriptions.get(nodeKey);
      subscription?.bumpNews.add(key);
      subscription?.wake();
    };
  }

  committed({ itemId, nodeKey }: ItemRow): void {
    if (itemId > this.#committed) this.#committed = itemId;
    this.#subscriptions.get(nodeKey)?.wake();
  }

  /**
   * What `completed` must follow is handed over (contract section 1, "Order, not ack"): in role
   * NODE_RESOLVES every recorded event of the channel; in the others, if the channel is closed, what says so.
   */
  mayComplete({ channelId, role }: ChannelRow, { closed }: Completion): boolean {
    const { item } = this.#tables;
    const relayed = item.select("relayed", channelId);
    switch (role) {
      case "managerResolves": {
        if (!closed) return true;
        const [told] = item.select("semantic", semanticKeys.channelClosed(channelId));
        return told !== undefined && this.#isHandedOver(told);
      }
      case "nodeResolves":
        return relayed.every((row) => this.#isHandedOver(row));
      case "observe":
        return !closed || relayed.every((row) => this.#isHandedOver(row));
      default:
        return assertNever(role);
    }
  }

  /** On the current subscription, or handled already. */
  #isHandedOver({ itemId, nodeKey, handled }: ItemRow): boolean {
    return handled || itemId <= (this.#subscriptions.get(nodeKey)?.handedOver ?? 0n);
  }

  subscribe(nodeKey: string, subscriber: ItemSubscriber): Closable {
    this.end(nodeKey, refuse("streamReplaced", "a newer subscription took over"));
    const subscription: Subscription = {
      subscriber,
      bumps: new Map(),
      bumpNews: new Set(this.#bumps.keysOf(nodeKey)),
      handedOver: 0n,
      open: true,
      wake: () => undefined,
    };
    this.#subscriptions.set(nodeKey, subscription);
    const close = (): void => {
      this.#forget(nodeKey, subscription);
    };
    // A subscriber that fails is gone; its items stay un-handled and are replayed.
    this.#pump(nodeKey, subscription).then(close, close);
    return { close };
  }

  end(nodeKey: string, refusal: Refusal): void {
    const subscription = this.#subscriptions.get(nodeKey);
    if (subscription === undefined) return;
    this.#forget(nodeKey, subscription);
    subscription.subscriber.end(refusal);
  }

  #forget(nodeKey: string, subscription: Subscription): void {
    subscription.open = false;
    if (this.#subscriptions.get(nodeKey) === subscription) this.#subscriptions.delete(nodeKey);
    subscription.wake();
  }

  async #pump(nodeKey: string, subscription: Subscription): Promise<void> {
    let cursor = this.#committed;
    let replayed = 0;
    for (const { itemId } of this.#tables.item.select("unhandled", nodeKey)) {
      if (itemId <= cursor && (await this.#send(nodeKey, subscription, itemId))) replayed += 1;
    }
    const known = this.#bumps.knownOf(); // before: all of theirs are sent by the next line
    await this.#sendBumps(subscription);
    if (subscription.open) await subscription.subscriber.replayDone(replayed, known, cursor);
    while (subscription.open) {
      while (subscription.open && cursor < this.#committed) {
        cursor = this.#next(nodeKey, cursor);
        await this.#send(nodeKey, subscription, cursor);
      }
      await this.#sendBumps(subscription);
      if (subscription.open && cursor === this.#committed && subscription.bumpNews.size === 0) {
        await new Promise<void>((resolve) => (subscription.wake = resolve));
      }
    }
  }

  /**
   * Ids are counted up one by one, but may leap once (restart/channel-compared.ts): then, and only then,
   * a look at all that is not handled is shorter than the way there.
   */
  #next(nodeKey: string, cursor: bigint): bigint {
    const following = cursor + 1n;
    const { item } = this.#tables;
    const isNear = this.#committed - cursor <= BigInt(item.count("unhandled", nodeKey));
    if (isNear || item.get(rowKeys.item(following)) !== undefined) return following;
    const rows = item.select("unhandled", nodeKey);
    const wanted = rows.find(({ itemId }) => itemId > cursor && itemId <= this.#committed);
    return wanted?.itemId ?? this.#committed;
  }

  /** What changed since it was sent last, as it is when it is its turn. */
  async #sendBumps(subscription: Subscription): Promise<void> {
    const { subscriber, bumps, bumpNews } = subscription;
    for (const key of bumpNews) {
      if (!subscription.open) return;
      bumpNews.delete(key);
      const before = bumps.get(key);
      const now = this.#bumps.get(key);
      if (now === before) continue;
      if (now === undefined) bumps.delete(key);
      else bumps.set(key, now);
      const item = now?.item ?? before?.ended;
      if (item !== undefined) await subscriber.item(item);
    }
  }

  /** The row is read when it is its turn: it may have been handled or withdrawn meanwhile. */
  async #send(nodeKey: string, subscription: Subscription, itemId: bigint): Promise<boolean> {
    const row = this.#tables.item.get(rowKeys.item(itemId));
    if (!subscription.open || row?.nodeKey !== nodeKey || row.handled) return false;
    if (this.#wasAnswered(row)) return false;
    const item = this.#write(nodeKey, row);
    if (item === undefined) return false;
    await subscription.subscriber.item(item);
    subscription.handedOver = itemId;
    const { event } = row;
    if (precedesCompleted(event)) this.onHandedOver(event.channelId);
    return true;
  }

  /** A command is wanted until rows say it is done, but one session is asked once. */
  #wasAnswered({ nodeKey, answeredIn }: ItemRow): boolean {
    return answeredIn !== undefined && answeredIn === this.#tables.session.get(nodeKey)?.sessionId;
  }

  /** A row that cannot be written ends the subscription: nothing may overtake it. */
  #write(nodeKey: string, row: ItemRow): Item | undefined {
    try {
      return itemToWire(row);
    } catch {
      const details = { item_id: String(row.itemId) };
      this.end(nodeKey, refuse("storedStateUnreadable", "a stored item is unreadable", details));
      return undefined;
    }
  }
}
