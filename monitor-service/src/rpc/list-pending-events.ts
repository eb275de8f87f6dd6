/** ListPendingEvents: what is committed and not acked, with its age; for people and for drills. */
import { sealedToWire } from "@farwatch/protocol/convert/event";
import type {
  ListPendingEventsRequest,
  ListPendingEventsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { refuse } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";
import { MAX_RESPONSE_BYTES } from "./limits.js";

/** Header, hashes, signature and framing of one event: at most this many bytes. */
const ENVELOPE_BYTES = 640;

export const listPendingEvents =
  (wallClockMs: () => number): Run<ListPendingEventsRequest, ListPendingEventsResponse> =>
  ({ host, who }, { channelId }) => {
    const id = channelId === undefined ? ok(undefined) : readChannelId(channelId, "channel_id");
    if (!id.ok) return id;
    const now = wallClockMs();
    const pending = host.pendingEvents(who, id.value);
    const bytes = pending.reduce((sum, { payload }) => sum + payload.length + ENVELOPE_BYTES, 0);
    if (bytes > MAX_RESPONSE_BYTES) {
      const details = { limit: String(MAX_RESPONSE_BYTES), events: String(pending.length) };
      return err(refuse("tooLarge", "too many events for one answer; name a channel", details));
    }
    const events = pending.map((event) => ({
      event: sealedToWire(event),
      ageMs: BigInt(Math.max(0, Math.round(now - event.createdAtMs))),
    }));
    return ok({ events });
  };
