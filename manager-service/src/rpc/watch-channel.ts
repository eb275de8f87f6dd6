/** WatchChannel: answered when the first state is stored; `completed` when every monitor has it. */
import { fromHex } from "@farwatch/protocol/bytes";
import { fail } from "@farwatch/protocol/convert/reader";
import { ManagerServiceService as Service } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { updateId } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { RpcContext } from "./admission.js";
import { MAX_STATE_REQUEST_BYTES } from "./limits.js";
import { unary, type Rpc } from "./unary.js";

export const watchChannel = (context: RpcContext): Rpc =>
  unary(context, {
    method: Service.watchChannel,
    maxBytes: MAX_STATE_REQUEST_BYTES,
    async serve(who, { initialState, firstUpdateId }) {
      if (initialState.length === 0) fail("malformed", "initial_state", "required");
      const watched = await context.host.watchChannel(who, initialState, updateId(firstUpdateId));
      if (!watched.ok) return watched;
      const { acceptedId, headHash, completed } = watched.value;
      return ok({ acceptedId, headHash: Buffer.from(fromHex(headHash)), completed });
    },
  });
