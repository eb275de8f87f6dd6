/**
 * ListChannels: the caller's channels in id order; the page token is the last id of the page. A page ends
 * early when it would become too large for one message.
 */
import {
  ChannelFilter,
  GetChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import type {
  ListChannelsRequest,
  ListChannelsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { refuse } from "@farwatch/protocol/reasons";
import { err, ok } from "@farwatch/protocol/result";
import type { AnyView, ChannelQuery } from "../runtime/monitor-host.js";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";
import { anyViewToWire } from "./get-channel.js";
import { MAX_PAGE_SIZE, MAX_RESPONSE_BYTES } from "./limits.js";

const FILTERS: ReadonlyMap<ChannelFilter, ChannelQuery["filter"]> = new Map([
  [ChannelFilter.UNSPECIFIED, "live"],
  [ChannelFilter.ARCHIVED, "archived"],
  [ChannelFilter.ALL, "all"],
]);

export const listChannels: Run<ListChannelsRequest, ListChannelsResponse> = async (
  { host, who },
  { pageSize, pageToken, filter: wanted },
) => {
  const filter = FILTERS.get(wanted);
  if (filter === undefined) {
    return err(refuse("malformed", "an unknown filter", { field: "filter" }));
  }
  const after = pageToken.length === 0 ? ok(undefined) : readChannelId(pageToken, "page_token");
  if (!after.ok) return after;
  const limit = Math.min(pageSize === 0 ? MAX_PAGE_SIZE : pageSize, MAX_PAGE_SIZE);
  const { views, nextAfter } = await host.channels(who, { filter, after: after.value, limit });
  const channels = thatFit(views);
  if (channels.length < views.length) {
    const last = must(channels.at(-1), "one always fits");
    return ok({ channels, nextPageToken: last.channelId });
  }
  const nextPageToken = Buffer.from(nextAfter === undefined ? "" : fromHex(nextAfter));
  return ok({ channels, nextPageToken });
};

/** As many as fit into one answer; one always does. */
function thatFit(views: readonly AnyView[]): readonly GetChannelResponse[] {
  const fitting: GetChannelResponse[] = [];
  let bytes = 0;
  for (const view of views) {
    const channel = anyViewToWire(view);
    bytes += GetChannelResponse.encode(channel).finish().length;
    if (bytes > MAX_RESPONSE_BYTES && fitting.length > 0) break;
    fitting.push(channel);
  }
  return fitting;
}
