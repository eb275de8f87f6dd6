/**
 * Calls whose schema is fixed but which are not served: a typed refusal, so that a caller sees at once
 * that nothing was done. An empty answer could be taken for "there is nothing".
 */
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err } from "@farwatch/protocol/result";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { RpcContext } from "./admission.js";
import { toStatus } from "./to-status.js";
import { unary, type Rpc } from "./unary.js";

const refusal = (): Refusal =>
  refuse("unimplemented", "this call is not served; nothing was changed");
const notServed = (): { readonly ok: false; readonly error: Refusal } => err(refusal());

export const putLdkCheckpoint = (context: RpcContext): Rpc =>
  unary(context, { method: Service.putLdkCheckpoint, serve: notServed });

export const getLdkMonitor = (): Rpc => ({
  definition: Service.getLdkMonitor,
  handler(call: ServerWritableStream<unknown, unknown>): void {
    call.emit("error", toStatus(refusal()));
  },
});
