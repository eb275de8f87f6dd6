/** ListChannels: the caller's channels in id order; the page token is the last id of the page. */
import type {
  ListChannelsRequest,
  ListChannelsResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";
import { viewToWire } from "./get-channel.js";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from "./limits.js";

export const listChannels: Run<ListChannelsRequest, ListChannelsResponse> = (
  { host, who },
  { pageSize, pageToken },
) => {
  const after = pageToken.length === 0 ? ok(undefined) : readChannelId(pageToken, "page_token");
  if (!after.ok) return after;
  const limit = Math.min(pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize, MAX_PAGE_SIZE);
  const channels = host.channels(who, after.value, limit).map(viewToWire);
  const last = channels.length === limit ? channels.at(-1) : undefined;
  return ok({ channels, nextPageToken: last?.channelId ?? Buffer.alloc(0) });
};
