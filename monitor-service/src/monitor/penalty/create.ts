/** The first state of a penalty-only channel. There is nothing to look for yet, so it starts at our tip. */
import type { BlockPoint } from "@farwatch/protocol/block";
import type { PenaltyOnlyChannel } from "@farwatch/protocol/channel";
import { penaltyOnlyFunding } from "@farwatch/protocol/convert/penalty-only";
import { eventId, type Hash32, type UpdateId } from "@farwatch/protocol/ids";
import type { PenaltyState } from "./state.js";

export interface PenaltyGenesis {
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly best: BlockPoint;
}

export const createPenaltyOnly = (
  channel: PenaltyOnlyChannel,
  { updateId, updateHash, best }: PenaltyGenesis,
): PenaltyState => ({
  channel,
  funding: penaltyOnlyFunding(channel.channelId),
  latestUpdateId: updateId,
  latestUpdateHash: updateHash,
  nextEventId: eventId(1n),
  penaltyCount: 0,
  lookedUpTo: updateId,
  best,
  seen: [],
  closedAt: undefined,
  resolvedSince: undefined,
});
