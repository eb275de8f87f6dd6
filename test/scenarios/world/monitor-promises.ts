/**
 * What a monitor promises with each answer, held against its disk at the moment the answer arrives: a
 * receipt only for what is durable, an event only when it is. Links heal much of what a broken promise
 * would lose, so the end of a run alone would not show it.
 */
import { sealedFromWire } from "@farwatch/protocol/convert/event";
import { receiptBatchFromWire } from "@farwatch/protocol/convert/receipt";
import {
  StreamEventsResponse,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type { MonitorDisk } from "./monitor-disk.js";

/** Why the answer says more than the disk holds; empty when it does not. */
export function brokenPromises(
  disk: MonitorDisk,
  path: string,
  bytes: Uint8Array,
): readonly string[] {
  switch (path.slice(path.lastIndexOf("/") + 1)) {
    case "UpdateChannel":
      return brokenReceipts(disk, UpdateChannelResponse.decode(bytes));
    case "StreamEvents":
      return brokenEvents(disk, StreamEventsResponse.decode(bytes));
    default:
      return [];
  }
}

function brokenReceipts(disk: MonitorDisk, { receipts }: UpdateChannelResponse): readonly string[] {
  if (receipts === undefined) return [];
  const read = receiptBatchFromWire(receipts);
  if (!read.ok) return [`unreadable receipts: ${read.error.message}`];
  return read.value.receipts
    .filter(({ channelId, updateId }) => updateId > disk.newestUpdate(channelId))
    .map(({ updateId }) => `a receipt for update ${updateId}, which is not durable`);
}

function brokenEvents(disk: MonitorDisk, { item }: StreamEventsResponse): readonly string[] {
  if (item?.$case !== "event") return [];
  const read = sealedFromWire(item.value);
  if (!read.ok) return [`unreadable event: ${read.error.message}`];
  const { channelId, eventId } = read.value;
  if (eventId <= disk.newestEvent(channelId)) return [];
  return [`event ${eventId} was sent, which is not durable`];
}
