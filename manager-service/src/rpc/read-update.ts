/** One UpdateChannelRequest, checked; and the answer to one that is refused before the host sees it. */
import { assertNever } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { refusalToDetail } from "@farwatch/protocol/convert/error";
import type {
  UpdateChannelRequest,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, updateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateRequest } from "../runtime/manager-host.js";

const CHANNEL_ID_BYTES = 32;

export function readUpdate(request: UpdateChannelRequest): Result<UpdateRequest, Refusal> {
  const { channelId: id, payload } = request;
  if (id.length !== CHANNEL_ID_BYTES) {
    return err(refuse("wrongLength", "expected 32 bytes", { field: "channel_id" }));
  }
  if (payload === undefined) {
    return err(refuse("malformed", "required", { field: "payload" }));
  }
  const names = { channelId: channelId(toHex(id)), updateId: updateId(request.updateId) };
  switch (payload.$case) {
    case "typed":
      return ok({ ...names, payload: payload.value });
    case "ldkBytes":
      return ok({ ...names, payload: payload.value, payloadType: "ldkBytes" });
    default:
      return assertNever(payload);
  }
}

/** undefined when the request names no channel: then there is nothing to pin the answer to. */
export function refusedUpdate(
  { channelId: id, updateId: refused }: UpdateChannelRequest,
  refusal: Refusal,
): UpdateChannelResponse | undefined {
  if (id.length !== CHANNEL_ID_BYTES) return undefined;
  const error = refusalToDetail(refusal);
  return {
    item: {
      $case: "refused",
      value: { channelId: id, updateId: refused, error, expectedUpdateId: 0n },
    },
  };
}
