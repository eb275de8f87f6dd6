/**
 * Roles NODE_RESOLVES and OBSERVE (contract section 1): the event itself goes to the node, once per fact. In
 * the first the node's Done acks it; in the second the record does. What the manager notes of payments
 * and forwards is for its lists and for the relay of preimages (contract 2.7): it tells nothing of them.
 */
import type { InboxRow, Role } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { channelOf, tell, type Work } from "../work.js";

/** Returns what the ack waits for. */
export function relay(work: Work, row: InboxRow, role: Role): readonly string[] {
  const { channelId, eventId, eventHash, body, origin, createdAtMs } = row;
  const key = semanticKeys.monitorEvent(row.subjectKey, factOf(row));
  const { nodeKey } = channelOf(work, channelId);
  const event = { kind: "monitorEvent", channelId, eventId, eventHash } as const;
  tell(work, nodeKey, key, { ...event, body, origin, createdAtMs });
  return role === "observe" ? [] : [key];
}

/** A claim may follow a fail of the same HTLC, and a chain event an off-chain one (contract 2.10). */
function factOf({ body, origin }: InboxRow): string {
  if (body.kind !== "htlcEvent") return body.kind;
  const where = origin.kind === "update" ? "off-chain" : "on-chain";
  return `${body.resolution.kind}/${where}`;
}
