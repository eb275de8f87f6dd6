/**
 * Who may go on: a configured certificate, and (except for OpenNodeSession and GetInfo) a session that
 * this node opened and that was not replaced since. Checked before a request is looked at.
 */
import type { Metadata, ServerUnaryCall } from "@grpc/grpc-js";
import { isHex } from "@farwatch/protocol/bytes";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { Log } from "../observe/log.js";
import type { ManagerHost, NodePrincipal, SessionId } from "../runtime/manager-host.js";
import { principalOf, type Principals } from "./principals.js";

/** Lowercase hex of OpenNodeSessionResponse.session_id. */
export const SESSION_METADATA = "farwatch-session";
const SESSION_ID_BYTES = 16;

export interface RpcContext {
  readonly host: ManagerHost;
  readonly principals: Principals;
  readonly log: Log;
  readonly version: string;
  /** Streams register how to end them, so that a stop can. The returned function forgets it. */
  readonly track: (end: (refusal: Refusal) => void) => () => void;
}

export interface Caller {
  readonly who: NodePrincipal;
}
export interface SessionCaller extends Caller {
  readonly session: SessionId;
}

type Call = Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext" | "metadata">;

export function admit(context: RpcContext, call: Call): Result<Caller, Refusal> {
  const who = principalOf(call.getAuthContext(), context.principals);
  return who.ok ? ok({ who: who.value }) : who;
}

export function admitSession(context: RpcContext, call: Call): Result<SessionCaller, Refusal> {
  const caller = admit(context, call);
  if (!caller.ok) return caller;
  const { who } = caller.value;
  const session = sessionOf(call.metadata);
  if (!session.ok) return session;
  const refusal = context.host.checkSession(who, session.value);
  return refusal === undefined ? ok({ who, session: session.value }) : err(refusal);
}

function sessionOf(metadata: Metadata): Result<SessionId, Refusal> {
  const [value, ...more] = metadata.get(SESSION_METADATA);
  if (value === undefined) {
    return err(refuse("sessionNotOpen", `metadata ${SESSION_METADATA} is required`));
  }
  if (typeof value !== "string" || more.length > 0 || !isHex(value, SESSION_ID_BYTES)) {
    return err(
      refuse("malformed", `expected ${SESSION_ID_BYTES} bytes of lowercase hex`, {
        field: SESSION_METADATA,
      }),
    );
  }
  return ok(value);
}
