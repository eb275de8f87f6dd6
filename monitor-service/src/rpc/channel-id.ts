/** Channel ids in requests. */
import { toHex } from "@farwatch/protocol/bytes";
import { channelId, type ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";

const CHANNEL_ID_BYTES = 32;

/** Errors: wrongLength. */
export function readChannelId(bytes: Uint8Array, field: string): Result<ChannelId, Refusal> {
  if (bytes.length === CHANNEL_ID_BYTES) return ok(channelId(toHex(bytes)));
  const message = `expected ${CHANNEL_ID_BYTES} bytes, got ${bytes.length}`;
  return err(refuse("wrongLength", message, { field }));
}
