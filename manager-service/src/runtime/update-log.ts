/**
 * Reads of the stored updates: what a monitor lacks, and the hash that a receipt must name. Hashes of
 * updates under way are kept in memory, so that the receipts of a busy channel cost no read.
 */
import type { ChannelId, Hash32, UpdateId } from "@farwatch/protocol/ids";
import { decodeUpdateRow } from "../manager/codec.js";
import type { Tables } from "../manager/draft.js";
import { rowKeys, type UpdateRow } from "../manager/rows.js";
import type { ManagerStore } from "../store/store.js";

/** Hashes kept; the oldest go first. Above the updates in flight to a healthy monitor. */
export const MAX_RECENT_HASHES = 8192;

export class UpdateLog {
  readonly #tables: Tables;
  readonly #store: ManagerStore;
  readonly #recent = new Map<string, Hash32>();

  constructor(tables: Tables, store: ManagerStore) {
    this.#tables = tables;
    this.#store = store;
  }

  /** An update that was just committed. */
  committed({ channelId, updateId, updateHash }: UpdateRow): void {
    this.#recent.set(`${channelId}/${updateId}`, updateHash);
    if (this.#recent.size <= MAX_RECENT_HASHES) return;
    const [oldest] = this.#recent.keys();
    if (oldest !== undefined) this.#recent.delete(oldest);
  }

  /** Stored updates with ids in [from, from + limit), in order. */
  async read(channelId: ChannelId, from: bigint, limit: number): Promise<readonly UpdateRow[]> {
    const channel = this.#tables.channel.get(channelId);
    if (channel === undefined) return [];
    const first = rowKeys.update(channel.channelNo, from);
    const end = rowKeys.update(channel.channelNo, from + BigInt(limit));
    const rows = await this.#store.range("update", first, end, limit);
    return rows.map(({ value }) => decodeUpdateRow(value));
  }

  /** The genesis hash for the id before the first update; undefined: nothing is stored there. */
  async hashAt(channelId: ChannelId, id: UpdateId): Promise<Hash32 | undefined> {
    const channel = this.#tables.channel.get(channelId);
    if (channel === undefined) return undefined;
    if (id === channel.firstUpdateId - 1n) return channel.genesisHash;
    const recent = this.#recent.get(`${channelId}/${id}`);
    return recent ?? (await this.read(channelId, id, 1))[0]?.updateHash;
  }
}
