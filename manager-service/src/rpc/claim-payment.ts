/** ClaimPayment: we are the payee and take every part, named by its inbound HTLC (contract section 1). */
import { fail, fixed, fixedHex, present, readMsat } from "@farwatch/protocol/convert/reader";
import type { HtlcLocator } from "@farwatch/protocol/gen/manager/v1/event";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, htlcId, paymentHash, preimage } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { ClaimPart } from "../manager/rows.js";
import type { RpcContext } from "./admission.js";
import { MAX_CLAIM_PARTS } from "./limits.js";
import { unary, type Rpc } from "./unary.js";

export const claimPayment = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.claimPayment,
    async serve(who, request) {
      const claimed = await context.host.claimPayment(who, {
        paymentHash: paymentHash(fixedHex(request.paymentHash, 32, "payment_hash")),
        preimage: preimage(fixed(request.preimage, 32, "preimage")),
        parts: readParts(request.parts),
      });
      return claimed.ok ? ok({}) : claimed;
    },
  });

function readParts(parts: readonly HtlcLocator[]): readonly ClaimPart[] {
  if (parts.length > MAX_CLAIM_PARTS) fail("tooLarge", "parts", `more than ${MAX_CLAIM_PARTS}`);
  const seen = new Set<string>();
  return parts.map((part, index) => {
    const field = `parts[${index}]`;
    const read = {
      channelId: channelId(fixedHex(part.channelId, 32, `${field}.channel_id`)),
      htlcId: htlcId(present(part.htlcId, `${field}.htlc_id`)),
      amountMsat: readMsat(part.amountMsat, `${field}.amount_msat`),
    };
    const name = `${read.channelId}/${read.htlcId}`;
    if (seen.has(name)) fail("malformed", field, "named twice");
    seen.add(name);
    return read;
  });
}
