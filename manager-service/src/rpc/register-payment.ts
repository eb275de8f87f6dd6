/** RegisterPayment: durable before it is answered, so that it is there before the first part. */
import { fixedHex, readMsat } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { paymentHash, paymentId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { unary, type Rpc } from "./unary.js";

export const registerPayment = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.registerPayment,
    async serve(who, request) {
      const registered = await context.host.registerPayment(who, {
        paymentId: paymentId(fixedHex(request.paymentId, 32, "payment_id")),
        paymentHash: paymentHash(fixedHex(request.paymentHash, 32, "payment_hash")),
        totalMsat: readMsat(request.totalMsat, "total_msat"),
        isProbe: request.isProbe,
      });
      return registered.ok ? ok({}) : registered;
    },
  });
