/** ClosePayment: no more parts will follow, or the node gives the payment up. */
import { assertNever } from "@farwatch/protocol/assert";
import { fixedHex, present } from "@farwatch/protocol/convert/reader";
import {
  ManagerServiceService as Service,
  type ClosePaymentRequest,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { paymentId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { ManagerHost } from "../runtime/manager-host.js";
import type { RpcContext } from "./admission.js";
import { shortText } from "./text.js";
import { unary, type Rpc } from "./unary.js";

type Outcome = Parameters<ManagerHost["closePayment"]>[2];

export const closePayment = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.closePayment,
    async serve(who, request) {
      const id = paymentId(fixedHex(request.paymentId, 32, "payment_id"));
      const closed = await context.host.closePayment(who, id, readOutcome(request));
      return closed.ok ? ok({}) : closed;
    },
  });

function readOutcome(request: ClosePaymentRequest): Outcome {
  const outcome = present(request.outcome, "outcome");
  switch (outcome.$case) {
    case "noMoreParts":
      return { kind: "noMoreParts" };
    case "abandon":
      return { kind: "abandon", reason: shortText(outcome.value.reason, "abandon.reason") };
    default:
      return assertNever(outcome);
  }
}
