/**
 * What managers' wallets are asked to pay for now, per channel (contract 2.19): the newest request of each
 * claim. Volatile: it follows from durable state and is put up again after a restart.
 */
import type { BumpItem } from "@farwatch/protocol/bump";
import { toHex } from "@farwatch/protocol/bytes";
import type { ChannelId, ManagerKey } from "@farwatch/protocol/ids";
import type { BumpOutbox } from "../../outbox/event-feed.js";
import type { ChannelEntry } from "../monitors.js";

interface Notice {
  readonly item: BumpItem;
  readonly digest: string;
}

interface Channel {
  readonly managerKey: ManagerKey;
  readonly notices: readonly Notice[];
}

export class BumpBoard implements BumpOutbox {
  readonly #channels = new Map<ChannelId, Channel>();

  /** True when something changed. A request that is as before stays the same object. */
  put({ channelId, managerKey }: ChannelEntry, items: readonly BumpItem[]): boolean {
    const before = this.#channels.get(channelId)?.notices ?? [];
    const notices = items.map((item) => {
      const digest = digestOf(item);
      return before.find((notice) => notice.digest === digest) ?? { item, digest };
    });
    if (notices.length === 0) this.#channels.delete(channelId);
    else this.#channels.set(channelId, { managerKey, notices });
    return (
      notices.length !== before.length || notices.some((notice, index) => notice !== before[index])
    );
  }

  channelsWithBumps(manager: ManagerKey): readonly ChannelId[] {
    return [...this.#channels]
      .filter(([, { managerKey }]) => managerKey === manager)
      .map(([channelId]) => channelId);
  }

  bumpsOf(channel: ChannelId): readonly BumpItem[] {
    return (this.#channels.get(channel)?.notices ?? []).map(({ item }) => item);
  }
}

const digestOf = (item: BumpItem): string =>
  JSON.stringify(item, (_, value: unknown) => {
    if (typeof value === "bigint") return value.toString();
    return value instanceof Uint8Array ? toHex(value) : value;
  });
