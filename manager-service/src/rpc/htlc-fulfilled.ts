/** HtlcFulfilled: the fast path of a claim, before any commitment removes the HTLC (R14). */
import { MAX_REASON_BYTES } from "@farwatch/protocol/convert/limits";
import { atMost, fixed, fixedHex, optional, readMsat } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, preimage, sourceKey } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { unary, type Rpc } from "./unary.js";

export const htlcFulfilled = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.htlcFulfilled,
    async serve(who, request) {
      const told = await context.host.htlcFulfilled(who, {
        channelId: channelId(fixedHex(request.channelId, 32, "channel_id")),
        sourceKey: sourceKey(fixedHex(request.sourceKey, 32, "source_key")),
        preimage: preimage(fixed(request.preimage, 32, "preimage")),
        skimmedFeeMsat: optional(request.skimmedFeeMsat, (fee) =>
          readMsat(fee, "skimmed_fee_msat"),
        ),
        attributionData: optional(request.attributionData, (data) =>
          atMost(data, MAX_REASON_BYTES, "attribution_data"),
        ),
      });
      return told.ok ? ok({}) : told;
    },
  });
