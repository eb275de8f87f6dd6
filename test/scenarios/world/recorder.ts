/**
 * What happened, in order: what the node was told and handled, what it sent, and what reached monitors.
 * Checks read it after the scenario; nothing of the world depends on it.
 */
import { toHex } from "@farwatch/protocol/bytes";
import { parseEventAck } from "@farwatch/protocol/envelope/event-ack";
import { parsePreimageRecord } from "@farwatch/protocol/envelope/preimage-record";
import { parseUpdate } from "@farwatch/protocol/envelope/update";
import { Item } from "@farwatch/protocol/gen/manager/v1/event";
import {
  AckEventsRequest,
  PutPreimagesRequest,
  UpdateChannelRequest,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { ChannelId } from "@farwatch/protocol/ids";
import type { ProcessName } from "./life.js";

export type UserEventKind = NonNullable<
  NonNullable<Extract<Item["item"], { $case: "userEvent" }>["value"]["event"]>["$case"]
>;
export type CommandKind = NonNullable<
  Extract<Item["item"], { $case: "command" }>["value"]["command"]
>["$case"];

export type Entry =
  /** Delivered to the node. */
  | { readonly kind: "told"; readonly itemId: bigint; readonly key: string; readonly item: Item }
  /** The manager has confirmed the node's Done. */
  | { readonly kind: "handled"; readonly itemId: bigint; readonly key: string }
  /** The node sent an update; again in another life of the node. */
  | { readonly kind: "update"; readonly channelId: ChannelId; readonly updateId: bigint }
  /** Reached a monitor; again after a reconnect. */
  | {
      readonly kind: "stored";
      readonly by: ProcessName;
      readonly channelId: ChannelId;
      readonly updateId: bigint;
    }
  | {
      readonly kind: "preimage";
      readonly by: ProcessName;
      readonly channelId: ChannelId;
      readonly paymentHash: string;
    }
  | {
      readonly kind: "ack";
      readonly by: ProcessName;
      readonly channelId: ChannelId;
      readonly eventId: bigint;
    }
  | { readonly kind: "crash"; readonly by: ProcessName; readonly at: string }
  | { readonly kind: "start"; readonly by: ProcessName };

export class Recorder {
  readonly entries: Entry[] = [];
  /** What a monitor said and was not so. */
  readonly broken: string[] = [];

  add(entry: Entry): void {
    this.entries.push(entry);
  }

  of<K extends Entry["kind"]>(kind: K): readonly Extract<Entry, { kind: K }>[] {
    const found: Extract<Entry, { kind: K }>[] = [];
    for (const entry of this.entries) if (isOf(entry, kind)) found.push(entry);
    return found;
  }

  /** Names of user events in the order first told; redeliveries are not repeated. */
  userEvents(): readonly UserEventKind[] {
    const seen = new Set<bigint>();
    return this.of("told").flatMap(({ item, itemId }) => {
      if (item.item?.$case !== "userEvent" || seen.has(itemId)) return [];
      seen.add(itemId);
      const kind = item.item.value.event?.$case;
      return kind === undefined ? [] : [kind];
    });
  }

  /** Distinct updates that the node sent. */
  updates(channelId?: ChannelId): number {
    const all = this.of("update").filter(
      (entry) => channelId === undefined || entry.channelId === channelId,
    );
    return new Set(all.map((one) => `${one.channelId}/${one.updateId}`)).size;
  }

  /** Distinct (monitor, channel, payment hash) of preimage records that reached monitors. */
  preimages(channelId?: ChannelId): number {
    const all = this.of("preimage").filter(
      (entry) => channelId === undefined || entry.channelId === channelId,
    );
    return new Set(all.map((one) => `${one.by}/${one.channelId}/${one.paymentHash}`)).size;
  }

  toMonitor(by: ProcessName, path: string, bytes: Uint8Array): void {
    const method = path.slice(path.lastIndexOf("/") + 1);
    if (method === "UpdateChannel") {
      for (const { header } of UpdateChannelRequest.decode(bytes).batch?.updates ?? []) {
        const read = parseUpdate(header);
        if (read.ok) this.add({ kind: "stored", by, ...pick(read.value) });
      }
    }
    if (method === "AckEvents") {
      for (const { header } of AckEventsRequest.decode(bytes).acks) {
        const read = parseEventAck(header);
        if (!read.ok) continue;
        const { channelId, eventId } = read.value;
        this.add({ kind: "ack", by, channelId, eventId });
      }
    }
    if (method === "PutPreimages") {
      for (const { header } of PutPreimagesRequest.decode(bytes).records) {
        const read = parsePreimageRecord(header);
        if (!read.ok) continue;
        const { channelId, paymentHash } = read.value;
        this.add({ kind: "preimage", by, channelId, paymentHash });
      }
    }
  }
}

const isOf = <K extends Entry["kind"]>(
  entry: Entry,
  kind: K,
): entry is Extract<Entry, { kind: K }> => entry.kind === kind;

const pick = ({
  channelId,
  updateId,
}: {
  readonly channelId: ChannelId;
  readonly updateId: bigint;
}) => ({
  channelId,
  updateId,
});

/** What the node sees of an item, without what may differ from run to run. */
export function contentOf(item: Item): string {
  const same = { ...item, itemId: 0n, createdAtMs: 0n };
  return toHex(Item.encode(same).finish());
}
