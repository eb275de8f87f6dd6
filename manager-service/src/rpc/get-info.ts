/** GetInfo: what a caller needs before it opens a session, and what an operator asks first. */
import { fromHex } from "@farwatch/protocol/bytes";
import {
  ManagerServiceService as Service,
  Role,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { unary, type Rpc } from "./unary.js";

export const getInfo = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.getInfo,
    needsSession: false,
    async serve() {
      const info = await context.host.info();
      const oldest = info.oldestPendingEventAtMs;
      return ok({
        version: context.version,
        managerKey: Buffer.from(fromHex(info.managerKey)),
        epoch: info.epoch,
        supportedRoles: [Role.MANAGER_RESOLVES, Role.NODE_RESOLVES, Role.OBSERVE],
        curveBackend: info.curveBackend,
        channels: BigInt(info.channels),
        unhandledItems: BigInt(info.unhandledItems),
        pendingAcks: BigInt(info.pendingAcks),
        pendingEvents: BigInt(info.pendingEvents),
        oldestPendingEventAtMs: oldest === undefined ? undefined : BigInt(oldest),
        replayDone: info.replayDone,
      });
    },
  });
