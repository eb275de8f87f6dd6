/** ListPendingEvents: what is committed and not acked, with its age; for people and for drills. */
import { sealedToWire } from "@farwatch/protocol/convert/event";
import type {
  ListPendingEventsRequest,
  ListPendingEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";

export const listPendingEvents =
  (wallClockMs: () => number): Run<ListPendingEventsRequest, ListPendingEventsResponse> =>
  ({ host, who }, { channelId }) => {
    const id = channelId === undefined ? ok(undefined) : readChannelId(channelId, "channel_id");
    if (!id.ok) return id;
    const now = wallClockMs();
    const events = host.pendingEvents(who, id.value).map((event) => ({
      event: sealedToWire(event),
      ageMs: BigInt(Math.max(0, Math.round(now - event.createdAtMs))),
    }));
    return ok({ events });
  };
