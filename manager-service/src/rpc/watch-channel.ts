/** WatchChannel: answered when the first state is stored; `completed` when every monitor has it. */
import { fromHex } from "@farwatch/protocol/bytes";
import { fail, present } from "@farwatch/protocol/convert/reader";
import {
  ManagerServiceService as Service,
  type WatchChannelRequest,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { updateId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { FirstState } from "../runtime/manager-host.js";
import type { RpcContext } from "./admission.js";
import { MAX_STATE_REQUEST_BYTES } from "./limits.js";
import { unary, type Rpc } from "./unary.js";

export const watchChannel = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.watchChannel,
    maxBytes: MAX_STATE_REQUEST_BYTES,
    async serve(who, request) {
      const firstUpdateId = updateId(request.firstUpdateId);
      const watched = await context.host.watchChannel(who, firstStateOf(request), firstUpdateId);
      if (!watched.ok) return watched;
      const { acceptedId, headHash, completed } = watched.value;
      return ok({ acceptedId, headHash: Buffer.from(fromHex(headHash)), completed });
    },
  });

function firstStateOf({ initialState, ldkMonitor }: WatchChannelRequest): FirstState {
  if (initialState.length > 0) {
    if (ldkMonitor !== undefined) fail("malformed", "ldk_monitor", "not beside initial_state");
    return { kind: "initialState", bytes: initialState };
  }
  const bytes = present(ldkMonitor, "initial_state or ldk_monitor");
  return { kind: "ldkMonitor", bytes };
}
