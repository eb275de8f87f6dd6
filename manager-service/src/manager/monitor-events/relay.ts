/**
 * Roles NODE_RESOLVES and OBSERVE (contract section 1): the event itself goes to the node, once per fact. In
 * the first the node's Done acks it; in the second the record does. What the manager notes of payments
 * and forwards is for its lists and for the relay of preimages (contract 2.7): it tells nothing of them.
 */
import type { ChannelId } from "@farwatch/protocol/ids";
import type { InboxRow, Role } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { changeChannel, channelOf, tell, type Work } from "../work.js";

/** Returns what the ack waits for. */
export function relay(work: Work, row: InboxRow, role: Role): readonly string[] {
  const { channelId, eventId, eventHash, body, origin, createdAtMs } = row;
  const key = semanticKeys.monitorEvent(row.subjectKey, factOf(row));
  const { nodeKey } = channelOf(work, channelId);
  const event = { kind: "monitorEvent", channelId, eventId, eventHash } as const;
  tell(work, nodeKey, key, { ...event, body, origin, createdAtMs });
  noteRelayed(work, channelId, key);
  return role === "observe" ? [] : [key];
}

/** What becomes durable from here on is told after this item (`Completed.item_watermark`). */
function noteRelayed(work: Work, channelId: ChannelId, key: string): void {
  const { nodeKey, relayedUpTo = 0n } = channelOf(work, channelId);
  for (const { itemId, nodeKey: owner } of work.draft.item.select("semantic", key)) {
    if (owner === nodeKey && itemId > relayedUpTo) {
      changeChannel(work, channelId, { relayedUpTo: itemId });
    }
  }
}

/** A claim may follow a fail of the same HTLC, and a chain event an off-chain one (contract 2.10). */
function factOf({ body, origin }: InboxRow): string {
  if (body.kind !== "htlcEvent") return body.kind;
  const where = origin.kind === "update" ? "off-chain" : "on-chain";
  return `${body.resolution.kind}/${where}`;
}
