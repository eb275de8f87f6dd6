/**
 * PURE. What a wallet made of a second-stage transaction that pays no fee of its own (BOLT 3,
 * "HTLC-Timeout and HTLC-Success Transactions" with option_anchors; onchain-engine 9.10). The
 * counterparty signed input 0 with output 0 alone, so inputs and outputs may follow; we sign all of
 * it, so this decides first whether it is still ours and what it costs.
 */
import { Transaction } from "bitcoinjs-lib";
import { sat, type Sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { equalBytes } from "@farwatch/protocol/bytes";
import { outpointKey, txidFromInternal, type Outpoint } from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";

/** Claiming costs at most 1/2 of the HTLC: the share chooseFirstFee gives an estimate. */
export const MAX_FEE_SHARE = 2n;

export interface WalletInput {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
}

/** A draft with the wallet's inputs, signed by it, and its change. */
export interface FundedTx {
  readonly rawTx: Uint8Array;
  readonly walletInputs: readonly WalletInput[];
}

export type FundingFault =
  /** Not a transaction. */
  | "unreadable"
  /** Version, locktime, input 0 or output 0 is not the draft's. */
  | "changed"
  /** The inputs behind input 0 are not the ones the wallet names. */
  | "otherInputs"
  /** A wallet input has no signature. */
  | "unsigned"
  /** It pays out more than it spends. */
  | "overspent"
  /** The fee is more than 1 / MAX_FEE_SHARE of the HTLC. */
  | "feeTooHigh";

/** The funded transaction, ready for our signature on input 0; `htlcSat` is the value of input 0. */
export function checkFunded(
  draft: Transaction,
  { rawTx, walletInputs }: FundedTx,
  htlcSat: Sat,
): Result<Transaction, FundingFault> {
  const tx = readTx(rawTx);
  if (tx === undefined) return err("unreadable");
  if (!keepsDraft(tx, draft)) return err("changed");
  if (!hasExactly(tx, walletInputs)) return err("otherInputs");
  const unsigned = tx.ins
    .slice(1)
    .some(({ witness, script }) => witness.length === 0 && script.length === 0);
  if (unsigned) return err("unsigned");
  const spent = walletInputs.reduce<bigint>((sum, { valueSat }) => sum + valueSat, htlcSat);
  const paid = tx.outs.reduce((sum, { value }) => sum + value, 0n);
  if (paid > spent) return err("overspent");
  const fee = sat(spent - paid);
  return fee * MAX_FEE_SHARE > htlcSat ? err("feeTooHigh") : ok(tx);
}

function readTx(raw: Uint8Array): Transaction | undefined {
  try {
    return Transaction.fromBuffer(Uint8Array.from(raw));
  } catch {
    return undefined; // the library throws plain errors on bytes that are no transaction
  }
}

function keepsDraft(tx: Transaction, draft: Transaction): boolean {
  const [input, output] = [tx.ins[0], tx.outs[0]];
  const wantedInput = must(draft.ins[0], "HTLC input");
  const wantedOutput = must(draft.outs[0], "delayed output");
  if (input === undefined || output === undefined) return false;
  return (
    tx.version === draft.version &&
    tx.locktime === draft.locktime &&
    equalBytes(input.hash, wantedInput.hash) &&
    input.index === wantedInput.index &&
    input.sequence === wantedInput.sequence &&
    input.script.length === 0 &&
    output.value === wantedOutput.value &&
    equalBytes(output.script, wantedOutput.script)
  );
}

function hasExactly(tx: Transaction, walletInputs: readonly WalletInput[]): boolean {
  const keys = tx.ins.map(({ hash, index }) =>
    outpointKey({ txid: txidFromInternal(hash), vout: index }),
  );
  const named = new Set(walletInputs.map(({ outpoint }) => outpointKey(outpoint)));
  const behind = keys.slice(1);
  return (
    behind.length > 0 &&
    new Set(keys).size === keys.length &&
    named.size === walletInputs.length &&
    named.size === behind.length &&
    behind.every((key) => named.has(key))
  );
}
