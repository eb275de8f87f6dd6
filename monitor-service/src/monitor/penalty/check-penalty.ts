/**
 * What a penalty transaction must be before it is held: complete, and dependent on the commitment alone.
 * Whether its signatures are good cannot be told here: they cover the amounts of outputs that nobody has
 * shown us. bitcoind judges them when the commitment is in the chain.
 */
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { equalBytes } from "@farwatch/protocol/bytes";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import { parseTx, serializeTx, type ParsedTx } from "../../tx/parsed-tx.js";
import type { Penalty } from "./state.js";

/**
 * Penalty transactions of one channel: three years of one each second, 60 GB. A node that revokes more has
 * lost count, and a host must not fill its disk for it.
 */
export const MAX_PENALTIES_PER_CHANNEL = 100_000_000;

const malformed = (message: string): Refusal =>
  refuse("malformed", message, { field: "penalty_transaction.transaction" });

/** Errors: malformed. */
export function readPenaltyTx(step: PenaltyTransactionStep): Result<Penalty, Refusal> {
  const { transaction, commitmentTxid } = step;
  const tx = parsed(transaction);
  if (tx === undefined) return err(malformed("not a transaction without scriptSig"));
  for (const { outpoint, witness } of tx.inputs) {
    if (outpoint.txid !== commitmentTxid) {
      return err(malformed("an input spends another transaction than the commitment"));
    }
    if (witness.length === 0) return err(malformed("an input is not signed"));
  }
  const spent = new Set(tx.inputs.map(({ outpoint }) => outpoint.vout));
  if (spent.size !== tx.inputs.length) return err(malformed("two inputs spend one output"));
  if (tx.outputs.length === 0) return err(malformed("no output"));
  return ok({ tx, rawTx: transaction });
}

function parsed(transaction: Uint8Array): ParsedTx | undefined {
  try {
    const tx = parseTx(transaction);
    if (tx.inputs.length === 0) return undefined;
    const again = serializeTx(tx);
    return again !== undefined && equalBytes(again, transaction) ? tx : undefined;
  } catch {
    return undefined;
  }
}
