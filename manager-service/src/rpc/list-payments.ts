/** ListPayments: pages in payment id order. */
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { paymentId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { nextToken, pageLimit, pageStart } from "./page.js";
import { unary, type Rpc } from "./unary.js";

export const listPayments = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.listPayments,
    async serve(who, request) {
      const limit = pageLimit(request);
      const start = pageStart(request);
      const after = start === undefined ? undefined : paymentId(start);
      const payments = await context.host.payments(who, after, limit);
      return ok({
        payments,
        nextPageToken: nextToken(payments, limit, (payment) => payment.paymentId),
      });
    },
  });
