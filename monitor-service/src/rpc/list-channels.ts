/**
 * ListChannels: the caller's channels in id order; the page token is the last id of the page. A page ends
 * early when it would become too large for one message.
 */
import { GetChannelResponse } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type {
  ListChannelsRequest,
  ListChannelsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import type { ChannelView } from "../runtime/monitor-host.js";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";
import { viewToWire } from "./get-channel.js";
import { MAX_PAGE_SIZE, MAX_RESPONSE_BYTES } from "./limits.js";

export const listChannels: Run<ListChannelsRequest, ListChannelsResponse> = (
  { host, who },
  { pageSize, pageToken },
) => {
  const after = pageToken.length === 0 ? ok(undefined) : readChannelId(pageToken, "page_token");
  if (!after.ok) return after;
  const limit = Math.min(pageSize === 0 ? MAX_PAGE_SIZE : pageSize, MAX_PAGE_SIZE);
  const views = host.channels(who, after.value, limit);
  const channels = thatFit(views);
  const more = views.length === limit || channels.length < views.length;
  const last = more ? channels.at(-1) : undefined;
  return ok({ channels, nextPageToken: last?.channelId ?? Buffer.alloc(0) });
};

/** As many as fit into one answer; one always does. */
function thatFit(views: readonly ChannelView[]): readonly GetChannelResponse[] {
  const fitting: GetChannelResponse[] = [];
  let bytes = 0;
  for (const view of views) {
    const channel = viewToWire(view);
    bytes += GetChannelResponse.encode(channel).finish().length;
    if (bytes > MAX_RESPONSE_BYTES && fitting.length > 0) break;
    fitting.push(channel);
  }
  return fitting;
}
