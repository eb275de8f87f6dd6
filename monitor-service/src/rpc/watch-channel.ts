/** WatchChannel: the first state of a channel. `signature` is over the batch header (one hash). */
import { receiptBatchToWire } from "@farwatch/protocol/convert/receipt";
import type {
  WatchChannelRequest,
  WatchChannelResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { ok } from "@farwatch/protocol/result";
import type { Run } from "./call.js";

export const watchChannel: Run<WatchChannelRequest, WatchChannelResponse> = async (
  { host, who },
  { header, signature, payload, batchHeader },
) => {
  const batch = { header: batchHeader, signature };
  const watched = await host.watchChannel(who, { batch, header, payload });
  return watched.ok ? ok({ receipts: receiptBatchToWire(watched.value) }) : watched;
};
