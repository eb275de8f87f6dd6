/**
 * The node carries out what the manager commands (contract section 1, "Commands"). A claim replaces a
 * fail that is still in the holding cell, never the other way round.
 */
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { readReason } from "@farwatch/protocol/convert/htlc-failure";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { CommandResult } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, htlcId, preimage, type ChannelId, type HtlcId } from "@farwatch/protocol/ids";
import type { InboundRemoval, Link } from "./link.js";
import type { Command } from "./policy.js";

/** Reasons for which somebody's commitment is on chain already, or the funding is spent otherwise. */
const ON_CHAIN: ReadonlySet<ClosureReason> = new Set([
  ClosureReason.COOPERATIVE,
  ClosureReason.COMMITMENT_TX_CONFIRMED,
  ClosureReason.COUNTERPARTY_REVOKED_STATE,
]);

export function obey(command: Command, linkOf: (id: ChannelId) => Link | undefined): CommandResult {
  const { channelId: id } = command.value;
  const link = linkOf(channelId(toHex(id)));
  if (link === undefined) return CommandResult.NOT_FOUND;
  switch (command.$case) {
    case "claimInbound": {
      const known = preimage(Uint8Array.from(command.value.preimage));
      return removeInbound(link, htlcId(command.value.htlcId), { kind: "claim", preimage: known });
    }
    case "failInbound": {
      const reason = readReason(must(command.value.reason, "reason"), "reason");
      return removeInbound(link, htlcId(command.value.htlcId), { kind: "fail", reason });
    }
    case "channelClosed":
      return close(link, command.value.reason);
  }
}

function removeInbound(link: Link, id: HtlcId, removal: InboundRemoval): CommandResult {
  if (link.isClosed || link.isBehind) return CommandResult.CHANNEL_CLOSED;
  // Asked again: the answer may have been lost, and it says which of two answers the peer has.
  if (link.removedBy(id) === removal.kind) return CommandResult.SENT;
  switch (link.stageOf(id)) {
    case "gone":
      return CommandResult.NOT_FOUND;
    case "removing":
      return CommandResult.ALREADY_REMOVING;
    case "standing":
      break;
  }
  if (link.isConnected) {
    link.remove(id, removal);
    return CommandResult.SENT;
  }
  const claimWaits = link.held.get(id)?.kind === "claim";
  if (claimWaits && removal.kind === "fail") return CommandResult.ALREADY_REMOVING;
  link.held.set(id, removal);
  return CommandResult.QUEUED;
}

/** The node stops using the channel and says so to the monitors, once; it does not wait for them. */
function close(link: Link, reason: ClosureReason): CommandResult {
  if (link.closing !== undefined || link.isBehind) return CommandResult.CHANNEL_CLOSED;
  link.giveUp(!ON_CHAIN.has(reason), "the manager says it is closed");
  return CommandResult.SENT;
}
