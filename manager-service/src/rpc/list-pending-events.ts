/** ListPendingEvents: monitor events that are not acknowledged yet, and what each ack waits for. */
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { unary, type Rpc } from "./unary.js";

export const listPendingEvents = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.listPendingEvents,
    serve: async (who) => ok({ events: await context.host.pendingEvents(who) }),
  });
