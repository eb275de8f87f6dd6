/** ListChannels: pages in channel id order. */
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { nextToken, pageLimit, pageStart } from "./page.js";
import { unary, type Rpc } from "./unary.js";

export const listChannels = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.listChannels,
    async serve(who, request) {
      const limit = pageLimit(request);
      const start = pageStart(request);
      const after = start === undefined ? undefined : channelId(start);
      const channels = await context.host.channels(who, after, limit);
      return ok({
        channels,
        nextPageToken: nextToken(channels, limit, (channel) => channel.channelId),
      });
    },
  });
