/**
 * A checkpoint: LDK's ChannelMonitor as its node rebuilt it, so that the next start replays fewer updates
 * (contract 2.22). Nothing else follows from it; the log of updates stays what counts, and no monitor sees it.
 */
import type { UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ManagerInput } from "../input.js";
import { changeChannel, type Work } from "../work.js";

/**
 * The newest serves a node that was told everything, the one before it a node whose ChannelManager was saved
 * a little earlier.
 */
export const KEPT_CHECKPOINTS = 2;

/** Errors: channelUnknown, notYourChannel, malformed, rangeExceeded. */
export function acceptCheckpoint(
  work: Work,
  offered: Extract<ManagerInput, { kind: "checkpointOffered" }>,
): Refusal | undefined {
  const { channelId, updateId, named, monitor } = offered;
  const details = { channel_id: channelId };
  const channel = work.draft.channel.get(channelId);
  if (channel === undefined) return refuse("channelUnknown", "no such channel", details);
  if (channel.nodeKey !== offered.nodeKey) {
    return refuse("notYourChannel", "another node's channel", details);
  }
  if (channel.dialect !== "ldk") return notOfLdk(channelId);
  const field = { ...details, field: "monitor" };
  if (named.channelId !== channelId) return refuse("malformed", "of another channel", field);
  if (named.updateId !== updateId) return refuse("malformed", "at another update", field);
  const { acceptedId, firstUpdateId, channelNo, checkpoints = [] } = channel;
  if (updateId > acceptedId || updateId < firstUpdateId - 1n) {
    const limits = { first: String(firstUpdateId - 1n), last: String(acceptedId) };
    const range = { ...details, field: "update_id", ...limits };
    return refuse("rangeExceeded", "not between the first state and accepted_id", range);
  }
  const known = [...new Set([updateId, ...checkpoints])].sort(byFalling);
  const kept = known.slice(0, KEPT_CHECKPOINTS);
  if (!kept.includes(updateId)) return undefined;
  work.draft.putCheckpoint(channelNo, updateId, monitor);
  for (const id of known.slice(KEPT_CHECKPOINTS)) work.draft.dropCheckpoint(channelNo, id);
  changeChannel(work, channelId, { checkpoints: kept });
  return undefined;
}

const byFalling = (one: UpdateId, other: UpdateId): number => (one > other ? -1 : 1);

export const notOfLdk = (channelId: string): Refusal =>
  refuse("malformed", "the channel was not watched with ldk_monitor", {
    channel_id: channelId,
    field: "channel_id",
  });
