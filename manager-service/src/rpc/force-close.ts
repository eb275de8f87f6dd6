/** ForceClose: a command to every monitor; answered with the commitment transactions they named. */
import { fixedHex } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, txidToInternal } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { shortText } from "./text.js";
import { unary, type Rpc } from "./unary.js";

export const forceClose = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.forceClose,
    async serve(who, request) {
      const closed = await context.host.forceClose(who, {
        channelId: channelId(fixedHex(request.channelId, 32, "channel_id")),
        reason: shortText(request.reason, "reason"),
        overrideStale: request.overrideStale,
      });
      if (!closed.ok) return closed;
      return ok({ commitmentTxids: closed.value.map((id) => Buffer.from(txidToInternal(id))) });
    },
  });
