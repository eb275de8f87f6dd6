/** ListMonitors: how each monitor is doing, as far as the manager knows. */
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { unary, type Rpc } from "./unary.js";

export const listMonitors = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.listMonitors,
    serve: async () => ok({ monitors: await context.host.monitors() }),
  });
