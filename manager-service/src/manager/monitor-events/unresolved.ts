/**
 * Outbound HTLCs whose outcome no monitor has told: those that stand in a counterparty commitment that is not
 * revoked, without an event that claims or fails them. An LDK node needs the ChannelMonitor of a closed channel
 * as long as there are any (restart rule R7).
 */
import type { ManagerView } from "../draft.js";
import { isOver } from "../inbound/inbound-htlcs.js";
import type { ChannelRow } from "../rows.js";

/** 0 while the channel is open. */
export function unresolvedHtlcs(
  view: Pick<ManagerView, "part" | "leg">,
  channel: ChannelRow,
): number {
  if (!isOver(channel)) return 0;
  const { counterparty, counterpartyPrevious } = channel;
  const outbound = [...counterparty.outbound, ...(counterpartyPrevious?.outbound ?? [])];
  const keys = new Set(outbound.map(({ sourceKey }) => sourceKey));
  return [...keys].filter((key) => {
    const { state = "alive" } = view.part.get(key) ?? view.leg.get(key) ?? {};
    return state === "alive";
  }).length;
}
