/** SignBump: the node's wallet has funded what a BumpTransaction asks for; its monitor judges it. */
import { fixedHex, present } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, hash32, txidToInternal } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { MAX_BUMP_REQUEST_BYTES } from "./limits.js";
import { shortText } from "./text.js";
import { unary, type Rpc } from "./unary.js";

export const signBump = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.signBump,
    maxBytes: MAX_BUMP_REQUEST_BYTES,
    async serve(who, request) {
      const funded = present(request.funded, "funded");
      const signed = await context.host.signBump(who, shortText(request.monitor, "monitor"), {
        channelId: channelId(fixedHex(request.channelId, 32, "channel_id")),
        claimId: hash32(fixedHex(request.claimId, 32, "claim_id")),
        funded: { kind: funded.$case, bytes: Uint8Array.from(funded.value) },
      });
      return signed.ok ? ok({ txid: Buffer.from(txidToInternal(signed.value)) }) : signed;
    },
  });
