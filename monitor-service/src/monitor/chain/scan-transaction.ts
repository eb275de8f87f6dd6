/**
 * What one confirmed transaction says to one channel (onchain-engine 5.2): a funding confirmed or was
 * spent, an output we track was spent, an output is ours.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { outpointKey } from "@farwatch/protocol/ids";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import type { StoredCommitment } from "../input.js";
import { scopeFundedBy, scopeSpentBy } from "../scopes.js";
import type { Work } from "../work.js";
import { onFundingConfirmed } from "./alternative-funding.js";
import { onFundingSpend } from "./funding-spend.js";
import { recordOwnSpends } from "./own-outputs.js";
import { collectSpendable } from "./spendable.js";
import { noteSuspectSpent } from "./suspects.js";
import { onTrackedSpend } from "./tracked-spend.js";

/** `stored`: from the update log, when the transaction is a counterparty commitment. */
export function scanTransaction(
  work: Work,
  tx: ParsedTx,
  block: BlockPoint,
  stored: StoredCommitment | undefined,
): void {
  const funded = scopeFundedBy(work.state, tx.txid);
  if (funded !== undefined) onFundingConfirmed(work, funded, block);
  let relevant = false;
  // A splice spends the funding before it; that closes nothing.
  const scope = funded === undefined ? scopeSpentBy(work.state, tx) : undefined;
  if (scope !== undefined && work.state.spend === undefined) {
    onFundingSpend(work, { tx, block, scope, stored });
    relevant = true;
  }
  noteSuspectSpent(work, tx, block);
  const tracked = new Map(
    work.state.tracked.map((output) => [outpointKey(output.outpoint), output]),
  );
  for (const [index, input] of tx.inputs.entries()) {
    const output = tracked.get(outpointKey(input.outpoint));
    if (output === undefined || work.state.outputSpends.has(outpointKey(input.outpoint))) continue;
    onTrackedSpend(work, tx, index, output, block);
    relevant = true;
  }
  recordOwnSpends(work, tx, block);
  if (relevant) collectSpendable(work, tx, block);
}
