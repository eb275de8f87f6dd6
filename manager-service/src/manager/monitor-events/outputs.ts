/** Facts the node's wallet must know; the event stays with the monitor until the node handled them. */
import type { InboxRow } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { channelOf, tell, type Work } from "../work.js";

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
