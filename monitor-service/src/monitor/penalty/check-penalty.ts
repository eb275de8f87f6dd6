/** A penalty transaction as the core holds it, and how many one channel may have. */
import { checkPenaltyTransaction } from "@farwatch/protocol/penalty-transaction";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import { parseTx } from "../../tx/parsed-tx.js";
import type { Penalty } from "./state.js";

/**
 * Penalty transactions of one channel: three years of one each second, 60 GB. A node that revokes more has
 * lost count, and a host must not fill its disk for it.
 */
export const MAX_PENALTIES_PER_CHANNEL = 100_000_000;

/**
 * Penalties for one commitment that are looked at and sent, the newest: a node signs one, and perhaps a few
 * more at higher fees. A host serves others too, and must not send without end for one.
 */
export const MAX_PENALTIES_PER_COMMITMENT = 16;

/** Errors: malformed. */
export function readPenaltyTx(step: PenaltyTransactionStep): Result<Penalty, Refusal> {
  const { transaction, commitmentTxid } = step;
  const refusal = checkPenaltyTransaction(transaction, commitmentTxid);
  return refusal === undefined
    ? ok({ tx: parseTx(transaction), rawTx: transaction })
    : err(refusal);
}
