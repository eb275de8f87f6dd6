/**
 * The frame of every unary call: admission, size, parse, host, reply. A handler returns a refusal, or
 * throws WireError from a reader; anything else it throws is a bug and ends in the backstop.
 */
import type {
  sendUnaryData,
  ServerUnaryCall,
  ServiceDefinition,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { NodePrincipal } from "../runtime/manager-host.js";
import { admit, admitSession, type RpcContext } from "./admission.js";
import { refusalOf } from "./backstop.js";
import { MAX_REQUEST_BYTES } from "./limits.js";
import { bounded, type Method, type Received } from "./received.js";
import { toStatus } from "./to-status.js";

/** A method and what serves it. */
export interface Rpc {
  readonly definition: ServiceDefinition[string];
  readonly handler: UntypedHandleCall;
}

type Reply<A> = Promise<Result<A, Refusal>> | Result<A, Refusal>;

export interface UnaryRpc<Q, A> {
  readonly method: Method<Q, A>;
  readonly maxBytes?: number;
  /** False only for calls that come before a session. */
  readonly needsSession?: boolean;
  readonly serve: (who: NodePrincipal, request: Q) => Reply<A>;
}

export function unary<Q, A>(context: RpcContext, rpc: UnaryRpc<Q, A>): Rpc {
  const { method, maxBytes = MAX_REQUEST_BYTES } = rpc;
  const handler = (call: ServerUnaryCall<Received<Q>, A>, reply: sendUnaryData<A>): void => {
    answer(context, rpc, call).then(
      (result) => (result.ok ? reply(null, result.value) : reply(toStatus(result.error))),
      (error: unknown) => reply(toStatus(refusalOf(error, method.path, context.log))),
    );
  };
  return { definition: bounded(method, maxBytes), handler };
}

async function answer<Q, A>(
  context: RpcContext,
  { needsSession = true, serve }: UnaryRpc<Q, A>,
  call: ServerUnaryCall<Received<Q>, A>,
): Promise<Result<A, Refusal>> {
  const admitted = needsSession ? admitSession(context, call) : admit(context, call);
  if (!admitted.ok) return admitted;
  if (!call.request.ok) return call.request;
  return serve(admitted.value.who, call.request.value);
}
