/**
 * An update names a splice whose transaction already confirmed here and was taken for a mutual close.
 * That is undone, and what has spent its outputs meanwhile is looked at again.
 */
import type { FundingScope } from "../state.js";
import { change, type Work } from "../work.js";
import { onFundingConfirmed } from "./alternative-funding.js";
import { scanTransaction } from "./scan-transaction.js";

/** Call when `scope` was just added. */
export function takeLateSplice(work: Work, scope: FundingScope): void {
  const { spend, unidentifiedSpends, waiting, settled } = work.state;
  const { txid } = scope.parameters.funding;
  if (spend?.txid !== txid) return;
  change(work, {
    spend: undefined,
    seenSpend: undefined,
    // The true close is yet to be told.
    spendReported: false,
    suspects: [],
    unidentifiedSpends: [],
    waiting: waiting.filter((fact) => fact.txid !== txid),
    settled: { ...settled, facts: settled.facts.filter((fact) => fact.txid !== txid) },
  });
  onFundingConfirmed(work, scope, spend.block);
  for (const { tx, block } of unidentifiedSpends) scanTransaction(work, tx, block, undefined);
}
