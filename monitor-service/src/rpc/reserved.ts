/** Names reserved in the schema: answered with `unimplemented` until they exist. */
import type { handleServerStreamingCall } from "@grpc/grpc-js";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err } from "@farwatch/protocol/result";
import { enter, logEnd, type RpcDeps, type Run } from "./call.js";
import type { Incoming } from "./incoming.js";
import { toStatus } from "./to-status.js";

const notYet = (rpc: string): Refusal => refuse("unimplemented", `${rpc} is reserved for later`);

export const reserved =
  <Request, Response>(rpc: string): Run<Request, Response> =>
  () =>
    err(notYet(rpc));

export const reservedStream =
  <Request, Response>(
    deps: RpcDeps,
    rpc: string,
  ): handleServerStreamingCall<Incoming<Request>, Response> =>
  (call) => {
    const scope = enter(deps, call);
    const refusal = scope.ok ? notYet(rpc) : scope.error;
    logEnd(deps, rpc, call.getPeer(), deps.nowMs(), refusal);
    call.emit("error", toStatus(refusal));
  };
