/**
 * Delivers items to one node: un-handled ones first, then the end of the replay, then live ones, one at
 * a time. Only items whose commit is done are sent; the subscriber's promise is the back-pressure.
 */
import type { Tables } from "../manager/rows.js";
import { rowKeys } from "../manager/rows.js";
import type { Closable, ItemSubscriber } from "./manager-host.js";
import { itemToWire } from "./item-to-wire.js";

export class ItemFeed {
  /** Every item up to here is on disk. */
  #committed: bigint;
  readonly #wakers = new Set<() => void>();

  constructor(
    private readonly tables: Tables,
    nextItemId: bigint,
  ) {
    this.#committed = nextItemId - 1n;
  }

  committed(itemId: bigint): void {
    if (itemId > this.#committed) this.#committed = itemId;
    for (const wake of this.#wakers) wake();
  }

  subscribe(nodeKey: string, subscriber: ItemSubscriber): Closable {
    let open = true;
    let wake: (() => void) | undefined;
    const waker = (): void => wake?.();
    this.#wakers.add(waker);
    const pump = async (): Promise<void> => {
      let cursor = 0n;
      const replayUntil = this.#committed;
      const unhandled = this.tables.item.keys("unhandled", nodeKey);
      for (const key of [...unhandled].sort()) {
        const row = this.tables.item.get(key);
        if (!open || row === undefined || row.itemId > replayUntil) continue;
        await subscriber.item(itemToWire(row));
      }
      cursor = replayUntil;
      if (open) await subscriber.replayDone(unhandled.length);
      while (open) {
        while (open && cursor < this.#committed) {
          cursor += 1n;
          const row = this.tables.item.get(rowKeys.item(cursor));
          if (row?.nodeKey === nodeKey && !row.handled) await subscriber.item(itemToWire(row));
        }
        if (open) await new Promise<void>((resolve) => (wake = resolve));
      }
    };
    pump().catch(() => {
      open = false; // the subscriber is gone; its items stay un-handled and are replayed
      this.#wakers.delete(waker);
    });
    return {
      close: () => {
        open = false;
        this.#wakers.delete(waker);
        waker();
      },
    };
  }
}
