/**
 * One block, in a fixed order: move the tip, scan its transactions, check deadlines, mature facts, fail
 * back forwards that run out of time, choose fees. Preimages act at once, failures only when deep. The
 * tip moves first, so that claims opened by the block pay what the block's estimate says.
 */
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import { outpointKey, type Txid } from "@farwatch/protocol/ids";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import { scopeFundedBy, scopeSpentBy } from "../scopes.js";
import { refreshClaims } from "../claims/fees.js";
import type { MonitorInput } from "../input.js";
import { change, type Work } from "../work.js";
import { onFundingConfirmed, settleFundings } from "./alternative-funding.js";
import { failBackInTime } from "./early-fail-back.js";
import { onFundingSpend } from "./funding-spend.js";
import { checkDeadlines } from "./holder-broadcast.js";
import { recoverClose } from "./lost-spend.js";
import { matureFacts } from "./maturity.js";
import { forgetIrrevocable } from "./settled.js";
import { onTrackedSpend } from "./tracked-spend.js";
import { collectSpendable } from "./spendable.js";

type Block = Extract<MonitorInput, { kind: "blockConnected" }>;

export function connectBlock(work: Work, input: Block): void {
  change(work, { best: input.block, feerates: input.feerates });
  for (const tx of input.transactions) scan(work, tx, input.block, input.storedCommitments);
  checkDeadlines(work);
  recoverClose(work);
  matureFacts(work);
  settleFundings(work);
  failBackInTime(work);
  forgetIrrevocable(work);
  refreshClaims(work);
}

function scan(
  work: Work,
  tx: ParsedTx,
  block: BlockPoint,
  stored: ReadonlyMap<Txid, CounterpartyCommitment>,
): void {
  const funded = scopeFundedBy(work.state, tx.txid);
  if (funded !== undefined) onFundingConfirmed(work, funded, block);
  let relevant = false;
  // A splice spends the funding before it; that closes nothing.
  const scope = funded === undefined ? scopeSpentBy(work.state, tx) : undefined;
  if (scope !== undefined && work.state.spend === undefined) {
    onFundingSpend(work, { tx, block, scope, stored: stored.get(tx.txid) });
    relevant = true;
  }
  const tracked = new Map(
    work.state.tracked.map((output) => [outpointKey(output.outpoint), output]),
  );
  for (const [index, input] of tx.inputs.entries()) {
    const output = tracked.get(outpointKey(input.outpoint));
    if (output === undefined || work.state.outputSpends.has(outpointKey(input.outpoint))) continue;
    onTrackedSpend(work, tx, index, output, block);
    relevant = true;
  }
  if (relevant) collectSpendable(work, tx, block);
}
