/**
 * Archived channels: kept on disk for ever, answered when asked, never stepped or watched
 * (onchain-engine 16). Memory holds what an answer without a read needs: a few hundred bytes each.
 */
import type { ChannelId, ManagerKey, PaymentHash } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ArchivedRow } from "../store/store.js";
import type { AnyEntry } from "./monitors.js";

export interface ArchivedChannel {
  row: ArchivedRow;
  /** Taken since this process started: the same one again makes no second row. */
  readonly preimages: Set<PaymentHash>;
  /** Until the move is on disk: what others see is the channel as it was. */
  leaving: AnyEntry | undefined;
}

export class Archive {
  readonly #byId = new Map<ChannelId, ArchivedChannel>();
  /** Channel ids in order; undefined after an addition. */
  #sorted: readonly ChannelId[] | undefined;

  get size(): number {
    return this.#byId.size;
  }

  get(id: ChannelId): ArchivedChannel | undefined {
    return this.#byId.get(id);
  }

  add(row: ArchivedRow, leaving: AnyEntry | undefined): void {
    this.#byId.set(row.channelId, { row, preimages: new Set(), leaving });
    this.#sorted = undefined;
  }

  /** The move is on disk. */
  settled({ channelId }: AnyEntry): void {
    const archived = this.#byId.get(channelId);
    if (archived !== undefined) archived.leaving = undefined;
  }

  /** Channels of one manager in channel id order, strictly after `after`. */
  ofManager(manager: ManagerKey, after: ChannelId | undefined, limit: number): ArchivedChannel[] {
    this.#sorted ??= [...this.#byId.keys()].sort();
    const found: ArchivedChannel[] = [];
    for (const id of this.#sorted) {
      if (found.length >= limit) break;
      if (after !== undefined && id <= after) continue;
      const archived = this.#byId.get(id);
      if (archived?.row.managerKey === manager) found.push(archived);
    }
    return found;
  }
}

export const archivedRefusal = ({ row }: ArchivedChannel): Refusal =>
  refuse("channelArchived", "nothing is left to claim: the channel is archived", {
    channel_id: row.channelId,
    height: String(row.height),
  });
