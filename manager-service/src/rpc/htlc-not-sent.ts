/**
 * HtlcNotSent: the node says that an HTLC never entered a counterparty commitment (contract section 1). Its
 * reason is for whoever reads the call: the sender is told of a temporary channel failure.
 */
import { fixedHex, present } from "@farwatch/protocol/convert/reader";
import { readSource } from "@farwatch/protocol/convert/source";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, paymentHash } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { shortText } from "./text.js";
import { unary, type Rpc } from "./unary.js";

export const htlcNotSent = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.htlcNotSent,
    async serve(who, request) {
      shortText(request.reason, "reason");
      const told = await context.host.htlcNotSent(who, {
        channelId: channelId(fixedHex(request.channelId, 32, "channel_id")),
        source: readSource(present(request.source, "source"), "source"),
        paymentHash: paymentHash(fixedHex(request.paymentHash, 32, "payment_hash")),
      });
      return told.ok ? ok({}) : told;
    },
  });
