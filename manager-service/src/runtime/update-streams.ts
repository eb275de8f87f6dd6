/**
 * One UpdateChannel stream per node: accepted, completed and refused go to whoever is connected. A node
 * that was away misses nothing: completed is cumulative and told again when it connects. A completed
 * waits until what it must follow was handed over (ItemFeed.mayComplete), so that no node releases what it
 * should not.
 */
import { fromHex } from "@farwatch/protocol/bytes";
import { refusalToDetail } from "@farwatch/protocol/convert/error";
import type { UpdateChannelResponse } from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { ChannelId, Hash32, UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { Tables } from "../manager/draft.js";
import type { ChannelRow, Completion } from "../manager/rows.js";
import type { Closable, UpdateSubscriber } from "./manager-host.js";

const hex = (id: string): Buffer => Buffer.from(fromHex(id));

export class UpdateStreams {
  readonly #streams = new Map<string, UpdateSubscriber>();
  /** Newest completion of each channel that is on disk. */
  readonly #completed = new Map<ChannelId, { nodeKey: string; completion: Completion }>();
  /** Channels whose newest completion waits. */
  readonly #withheld = new Set<ChannelId>();
  readonly #tables: Pick<Tables, "channel">;
  readonly #mayComplete: (channel: ChannelRow, completion: Completion) => boolean;

  constructor(
    tables: Pick<Tables, "channel">,
    mayComplete: (channel: ChannelRow, completion: Completion) => boolean,
  ) {
    this.#tables = tables;
    this.#mayComplete = mayComplete;
    for (const { channelId, nodeKey, completed } of tables.channel.values()) {
      if (completed !== undefined) {
        this.#completed.set(channelId, { nodeKey, completion: completed });
      }
    }
  }

  open(nodeKey: string, subscriber: UpdateSubscriber): Closable {
    this.end(nodeKey, refuse("streamReplaced", "a newer UpdateChannel stream took over"));
    this.#streams.set(nodeKey, subscriber);
    for (const [channelId, told] of this.#completed) {
      if (told.nodeKey === nodeKey) this.repeatCompleted(channelId);
    }
    return {
      close: () => {
        if (this.#streams.get(nodeKey) === subscriber) this.#streams.delete(nodeKey);
      },
    };
  }

  end(nodeKey: string, refusal: Refusal): void {
    const stream = this.#streams.get(nodeKey);
    this.#streams.delete(nodeKey);
    stream?.end(refusal);
  }

  accepted(nodeKey: string, channelId: ChannelId, updateId: UpdateId, hash: Hash32): void {
    const value = { channelId: hex(channelId), updateId, updateHash: hex(hash) };
    this.#tell(nodeKey, { item: { $case: "accepted", value } });
  }

  completed(nodeKey: string, channelId: ChannelId, completion: Completion): void {
    this.#completed.set(channelId, { nodeKey, completion });
    this.repeatCompleted(channelId);
  }

  /** Tells the newest completed of a channel again, if it may be told. */
  repeatCompleted(channelId: ChannelId): void {
    const told = this.#completed.get(channelId);
    const channel = this.#tables.channel.get(channelId);
    if (told === undefined || channel === undefined) return;
    if (!this.#mayComplete(channel, told.completion)) {
      this.#withheld.add(channelId);
      return;
    }
    this.#withheld.delete(channelId);
    const { updateId, eventWatermark, closed, itemWatermark = 0n } = told.completion;
    const value = {
      channelId: hex(channelId),
      updateId,
      eventWatermark,
      closed,
      itemWatermark,
    };
    this.#tell(told.nodeKey, { item: { $case: "completed", value } });
  }

  /** Something that a completed may wait for was handed over or handled. */
  release(channelId: ChannelId): void {
    if (this.#withheld.has(channelId)) this.repeatCompleted(channelId);
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
