/**
 * The steps in an update's payload, whichever way it was written: ours, or LDK's own bytes, which name
 * their channel and number once more. What LDK leaves out of a splice stands in the channel's state.
 */
import { parseUpdatePayload } from "@farwatch/protocol/convert/update";
import type { UpdateHeader } from "@farwatch/protocol/envelope/update";
import { readLdkUpdate } from "@farwatch/protocol/ldk/convert/read-update";
import type { Current } from "@farwatch/protocol/ldk/convert/update-steps";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { UpdateStep } from "@farwatch/protocol/update";

/** `current`: the channel before the update, asked for only when LDK's bytes have a splice in them. */
export function readPayload(
  { payloadType, updateId, channelId }: UpdateHeader,
  payload: Uint8Array,
  current: Current,
): Result<readonly UpdateStep[], Refusal> {
  if (payloadType === "typedSteps") return parseUpdatePayload(payload);
  const read = readLdkUpdate(payload, current);
  if (!read.ok) return read;
  const { value } = read;
  if (value.updateId !== updateId) return differs("update_id");
  if (value.channelId !== undefined && value.channelId !== channelId) return differs("channel_id");
  return ok(value.steps);
}

const differs = (name: string): Result<never, Refusal> =>
  err(
    refuse("malformed", "header and LDK's bytes name different ones", {
      field: `ldk_bytes.${name}`,
    }),
  );
