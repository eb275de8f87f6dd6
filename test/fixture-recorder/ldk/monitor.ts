/** A ChannelMonitor out of its bytes. */
import type { ChannelMonitor, KeysManager } from "lightningdevkit";
import { ldk } from "./module.js";
import { okOf } from "./result.js";

/** The keys are not checked against the bytes: a wrong seed shows only in the signatures. */
export function readMonitor(keys: KeysManager, bytes: Uint8Array): ChannelMonitor {
  const read = ldk.UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelMonitorZ_read(
    bytes,
    keys.as_EntropySource(),
    keys.as_SignerProvider(),
  );
  const Ok = ldk.Result_C2Tuple_ThirtyTwoBytesChannelMonitorZDecodeErrorZ_OK;
  return okOf(read, Ok, "reading a ChannelMonitor").res.get_b();
}
