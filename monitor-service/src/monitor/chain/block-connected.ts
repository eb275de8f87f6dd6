/**
 * One block, in a fixed order: move the tip, scan its transactions, check deadlines, mature facts, fail
 * back forwards that run out of time, choose fees. Preimages act at once, failures only when deep. The
 * tip moves first, so that claims opened by the block pay what the block's estimate says.
 */
import { refreshClaims } from "../claims/fees.js";
import type { MonitorInput } from "../input.js";
import { change, type Work } from "../work.js";
import { settleFundings } from "./alternative-funding.js";
import { failBackInTime } from "./early-fail-back.js";
import { checkDeadlines } from "./holder-broadcast.js";
import { recoverClose } from "./lost-spend.js";
import { matureFacts } from "./maturity.js";
import { forgetOwnOutputs } from "./own-outputs.js";
import { scanTransaction } from "./scan-transaction.js";
import { forgetIrrevocable } from "./settled.js";

type Block = Extract<MonitorInput, { kind: "blockConnected" }>;

export function connectBlock(work: Work, input: Block): void {
  change(work, { best: input.block, feerates: input.feerates });
  for (const tx of input.transactions) {
    scanTransaction(work, tx, input.block, input.storedCommitments.get(tx.txid));
  }
  checkDeadlines(work);
  recoverClose(work);
  matureFacts(work);
  settleFundings(work);
  failBackInTime(work);
  forgetIrrevocable(work);
  forgetOwnOutputs(work);
  refreshClaims(work);
}
