/** Bump requests as the node receives them: level-triggered items, named by who asks for what. */
import { claimIdOf, type BumpItem } from "@farwatch/protocol/bump";
import { bumpItemToWire } from "@farwatch/protocol/convert/bump";
import type { BumpTransaction, Item } from "@farwatch/protocol/gen/manager/v1/event";
import type { ChannelId, Hash32 } from "@farwatch/protocol/ids";

/** Of every level-triggered item: it stands in no table, and Done does not name it. */
export const LEVEL_ITEM_ID = 0n;

export const bumpKey = (monitor: string, channelId: ChannelId, claimId: Hash32): string =>
  `bump-transaction/${monitor}/${channelId}/${claimId}`;

export function bumpToWire(monitor: string, item: BumpItem, nowMs: number): Item {
  const value: BumpTransaction = { monitor, ...bumpItemToWire(item) };
  return {
    itemId: LEVEL_ITEM_ID,
    semanticKey: bumpKey(monitor, item.channelId, claimIdOf(item)),
    createdAtMs: BigInt(nowMs),
    item: { $case: "userEvent", value: { event: { $case: "bumpTransaction", value } } },
  };
}
