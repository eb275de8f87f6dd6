/**
 * An outbound HTLC of ours is resolved. A claim acts at once. A failure whose origin is an off-chain
 * update acts only when that update is durable on every required monitor (contract 2.6): before that
 * the counterparty could still turn it into a claim.
 */
import { settle } from "../acks.js";
import { partClaimed, partFailed } from "../payments/outbound.js";
import { rowKeys, type ChannelRow, type InboxRow } from "../rows.js";
import { isDurable } from "../updates/receipts.js";
import { semanticKeys } from "../user-event.js";
import { tell, type Work } from "../work.js";

type HtlcBody = Extract<InboxRow["body"], { kind: "htlcEvent" }>;

export function processHtlcEvent(work: Work, channel: ChannelRow, row: InboxRow): void {
  if (row.body.kind !== "htlcEvent") return;
  const { resolution } = row.body;
  const { origin } = row;
  const mustWait =
    resolution.kind === "failed" &&
    origin.kind === "update" &&
    !isDurable(work, channel, origin.updateId);
  if (mustWait) work.draft.inbox.put(rowKeys.inbox(row), { ...row, state: "held" });
  else settle(work, row, act(work, channel, row.body));
}

/** What the ack of the event then waits for. */
function act(work: Work, channel: ChannelRow, body: HtlcBody): readonly string[] {
  const part = work.draft.part.get(body.source.sourceKey);
  if (part === undefined) {
    // We accepted every source, so this is a monitor of another history: keep the event and alarm.
    const key = semanticKeys.alarm("unknownHtlc", body.source.sourceKey);
    tell(work, channel.nodeKey, key, {
      kind: "alarm",
      code: "unknownHtlc",
      text: "a monitor resolved an outbound HTLC that no accepted update contains",
      channelId: channel.channelId,
    });
    return [key];
  }
  return body.resolution.kind === "claimed"
    ? partClaimed(work, part, body.resolution.preimage)
    : partFailed(work, part, body.resolution.reason);
}

/** Held failures whose update has become durable everywhere. */
export function releaseHeld(work: Work, channel: ChannelRow): void {
  for (const row of work.draft.inbox.select("held", channel.channelId)) {
    processHtlcEvent(work, channel, row);
  }
}
