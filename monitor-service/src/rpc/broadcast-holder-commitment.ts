/** BroadcastHolderCommitment: an admin closes a channel through this monitor. */
import type {
  BroadcastHolderCommitmentRequest,
  BroadcastHolderCommitmentResponse,
} from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { txidToInternal } from "@farwatch/protocol/ids";
import { ok } from "@farwatch/protocol/result";
import type { Run } from "./call.js";
import { readChannelId } from "./channel-id.js";

export const broadcastHolderCommitment: Run<
  BroadcastHolderCommitmentRequest,
  BroadcastHolderCommitmentResponse
> = async ({ host, who }, request) => {
  const { channelId, reason, overrideStale, epoch } = request;
  const id = readChannelId(channelId, "channel_id");
  if (!id.ok) return id;
  const sent = await host.broadcastHolder(who, {
    channelId: id.value,
    reason,
    overrideStale,
    epoch,
  });
  return sent.ok ? ok({ commitmentTxid: Buffer.from(txidToInternal(sent.value)) }) : sent;
};
