/**
 * One UpdateChannel stream per node: accepted, completed and refused go to whoever is connected. A node
 * that was away misses nothing: completed is cumulative and told again when it connects.
 */
import { fromHex } from "@farwatch/protocol/bytes";
import { refusalToDetail } from "@farwatch/protocol/convert/error";
import type { UpdateChannelResponse } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId, Hash32, UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { must } from "@farwatch/protocol/assert";
import type { Effect } from "../manager/effect.js";
import { rowKeys, type ChannelRow, type Tables } from "../manager/rows.js";
import { completedEffect } from "../manager/updates/receipts.js";
import type { Closable, UpdateSubscriber } from "./manager-host.js";

type CompletedEffect = Extract<Effect, { kind: "completed" }>;
type Accepted = { channelId: ChannelId; updateId: UpdateId; updateHash: Hash32 };

const hex = (id: string): Buffer => Buffer.from(fromHex(id));

export class UpdateStreams {
  readonly #streams = new Map<string, UpdateSubscriber>();

  constructor(private readonly tables: Tables) {}

  open(nodeKey: string, subscriber: UpdateSubscriber): Closable {
    this.#streams
      .get(nodeKey)
      ?.end(refuse("streamReplaced", "a newer UpdateChannel stream of this node took over"));
    this.#streams.set(nodeKey, subscriber);
    for (const channelId of this.tables.channel.keys("node", nodeKey)) {
      this.#repeatCompleted(must(this.tables.channel.get(channelId), "channel row"));
    }
    return {
      close: () => {
        if (this.#streams.get(nodeKey) === subscriber) this.#streams.delete(nodeKey);
      },
    };
  }

  /** Tells the newest completed of a channel again. */
  repeatCompleted(channelId: ChannelId): void {
    const row = this.tables.channel.get(channelId);
    if (row !== undefined) this.#repeatCompleted(row);
  }

  #repeatCompleted(row: ChannelRow): void {
    if (row.completedId === undefined) return;
    const receipts = row.requiredMonitors.flatMap(
      (monitor) => this.tables.receipt.get(rowKeys.receipt(monitor, row.channelId)) ?? [],
    );
    this.completed(completedEffect(row, receipts, row.completedId));
  }

  end(nodeKey: string, refusal: Refusal): void {
    this.#streams.get(nodeKey)?.end(refusal);
    this.#streams.delete(nodeKey);
  }

  accepted(nodeKey: string, { channelId, updateId, updateHash }: Accepted): void {
    const value = { channelId: hex(channelId), updateId, updateHash: hex(updateHash) };
    this.#tell(nodeKey, { item: { $case: "accepted", value } });
  }

  completed({ nodeKey, channelId, updateId, eventWatermark, closed }: CompletedEffect): void {
    const value = { channelId: hex(channelId), updateId, eventWatermark, closed };
    this.#tell(nodeKey, { item: { $case: "completed", value } });
  }

  refused(
    nodeKey: string,
    channelId: ChannelId,
    updateId: UpdateId,
    refusal: Refusal,
    expectedUpdateId: bigint,
  ): void {
    const error = refusalToDetail(refusal);
    const value = { channelId: hex(channelId), updateId, error, expectedUpdateId };
    this.#tell(nodeKey, { item: { $case: "refused", value } });
  }

  #tell(nodeKey: string, response: UpdateChannelResponse): void {
    this.#streams.get(nodeKey)?.tell(response);
  }
}
