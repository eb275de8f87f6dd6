/** GetChannel: the manager's view of one channel, with each monitor's own answer when it is reachable. */
import { fixedHex } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId } from "@farwatch/protocol/ids";
import type { RpcContext } from "./admission.js";
import { unary, type Rpc } from "./unary.js";

export const getChannel = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.getChannel,
    serve: (who, request) =>
      context.host.channel(who, channelId(fixedHex(request.channelId, 32, "channel_id"))),
  });
