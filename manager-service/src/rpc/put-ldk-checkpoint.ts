/** PutLdkCheckpoint: answered when the checkpoint is on disk. */
import { fixedHex } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, updateId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { MAX_STATE_REQUEST_BYTES } from "./limits.js";
import { unary, type Rpc } from "./unary.js";

export const putLdkCheckpoint = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.putLdkCheckpoint,
    maxBytes: MAX_STATE_REQUEST_BYTES,
    async serve(who, request) {
      const stored = await context.host.putLdkCheckpoint(who, {
        channelId: channelId(fixedHex(request.channelId, 32, "channel_id")),
        updateId: updateId(request.updateId),
        monitor: request.monitor,
      });
      return stored.ok ? ok({}) : stored;
    },
  });
