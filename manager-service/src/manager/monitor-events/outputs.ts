/** Facts the node's wallet must know; the event stays with the monitor until the node handled them. */
import type { InboxRow } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { alarm, channelOf, tell, type Work } from "../work.js";

/** Returns the item the ack waits for. */
export function processSpendable(
  work: Work,
  row: InboxRow,
  body: Extract<InboxRow["body"], { kind: "spendableOutputs" }>,
): readonly string[] {
  const { channelId } = row;
  const key = semanticKeys.spendable(row.subjectKey);
  tell(work, channelOf(work, channelId).nodeKey, key, {
    kind: "spendableOutputs",
    channelId,
    outputs: body.outputs,
  });
  return [key];
}

/** Returns the item the ack waits for. */
export function processDiscard(
  work: Work,
  row: InboxRow,
  body: Extract<InboxRow["body"], { kind: "discardFunding" }>,
): readonly string[] {
  const { channelId } = row;
  const key = semanticKeys.discard(row.subjectKey);
  tell(work, channelOf(work, channelId).nodeKey, key, {
    kind: "discardFunding",
    channelId,
    funding: body.funding,
  });
  return [key];
}

/**
 * An output of a revoked commitment that a penalty was to take went elsewhere. To the node's own wallet: nothing
 * to tell. To the counterparty: an alarm. Returns the items the ack waits for.
 */
export function processOvertaken(
  work: Work,
  row: InboxRow,
  body: Extract<InboxRow["body"], { kind: "penaltyOvertaken" }>,
): readonly string[] {
  if (body.byRevocationKey) return [];
  const { channelId } = row;
  const { commitmentTxid, outpoint, spentBy } = body;
  const text =
    `output ${outpoint.vout} of revoked commitment ${commitmentTxid} of channel ${channelId} was taken by ` +
    `${spentBy} before a penalty transaction confirmed: the counterparty has it`;
  const about = row.subjectKey;
  alarm(work, channelOf(work, channelId).nodeKey, "penaltyOvertaken", about, text, channelId);
  return [semanticKeys.alarm("penaltyOvertaken", about)];
}
