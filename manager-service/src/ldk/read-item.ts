/** Items of Subscribe, checked and in domain words. */
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import { fixedHex, present, readWith } from "@farwatch/protocol/convert/reader";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type { MonitorEvent } from "@farwatch/protocol/gen/monitor/v1/event";
import { channelId } from "@farwatch/protocol/ids";
import { RemoteWatchError } from "./errors.js";
import type { MonitorItem } from "./event-desk.js";

/** Throws RemoteWatchError internal: nothing may overtake what cannot be read. */
export function readMonitorItem(itemId: bigint, event: MonitorEvent): MonitorItem {
  const payload = decodeEventPayload(event.payload);
  const id = readWith(() => channelId(fixedHex(event.channelId, 32, "channel_id")));
  if (!payload.ok || !id.ok) {
    const why = payload.ok ? "channel_id" : payload.error.message;
    throw new RemoteWatchError("internal", `item ${itemId} cannot be read: ${why}`);
  }
  return { itemId, channelId: id.value, ...payload.value };
}

/** An item that must be a monitor's event. */
export function monitorItemOf({ itemId, item }: Item): MonitorItem {
  const event = item?.$case === "monitorEvent" ? item.value : undefined;
  return readMonitorItem(itemId, present(event, "monitor_event"));
}
