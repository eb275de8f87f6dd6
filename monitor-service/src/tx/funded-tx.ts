/**
 * PURE. What a wallet made of a plan (onchain-engine 9.9, 9.10; BOLT 3, "HTLC-Timeout and HTLC-Success
 * Transactions" with option_anchors). We sign all of it, so this decides first whether it is still ours
 * and what it costs.
 */
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, type FeeratePerKw } from "@farwatch/protocol/amount";
import { equalBytes } from "@farwatch/protocol/bytes";
import { outpointKey, txidFromInternal, txidToInternal } from "@farwatch/protocol/ids";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { INPUT_BYTES, WITNESS_SCALE } from "@farwatch/protocol/bolt/weights";
import type { FundingPlan, PlannedInput, PlannedOutput, WalletInput } from "./funding-plan.js";

export type { WalletInput } from "./funding-plan.js";

/** The plan with the wallet's inputs, signed by it, and its change. */
export interface FundedTx {
  readonly rawTx: Uint8Array;
  readonly walletInputs: readonly WalletInput[];
}

export type FundingFault =
  /** Not a transaction. */
  | "unreadable"
  /** Version, locktime, or one of the inputs and outputs that stand first is not the plan's. */
  | "changed"
  /** The inputs behind the plan's are not the ones the wallet names. */
  | "otherInputs"
  /** A wallet input has no signature. */
  | "unsigned"
  /** It pays out more than it spends. */
  | "overspent"
  /** Above the plan's limit. */
  | "feeTooHigh"
  /** Above the plan's limit. */
  | "tooHeavy";

/** The funded transaction, ready for our signatures on the plan's inputs. */
export function checkFunded(
  plan: FundingPlan,
  { rawTx, walletInputs }: FundedTx,
): Result<Transaction, FundingFault> {
  const tx = readTx(rawTx);
  if (tx === undefined) return err("unreadable");
  if (!keepsPlan(tx, plan)) return err("changed");
  if (!hasExactly(tx, plan.inputs.length, walletInputs)) return err("otherInputs");
  const unsigned = tx.ins
    .slice(plan.inputs.length)
    .some(({ witness, script }) => witness.length === 0 && script.length === 0);
  if (unsigned) return err("unsigned");
  for (const index of plan.inputs.keys()) tx.setWitness(index, []); // theirs to leave empty
  const fee = feeSat(tx, plan, walletInputs);
  if (fee < 0n) return err("overspent");
  if (fee > plan.maxFeeSat) return err("feeTooHigh");
  return signedWeight(tx, plan) > plan.maxWeight ? err("tooHeavy") : ok(tx);
}

/** What it pays for its weight and its parent's; undefined: not readable, or it pays out too much. */
export function feerateOfFunded(
  plan: FundingPlan,
  { rawTx, walletInputs }: FundedTx,
): FeeratePerKw | undefined {
  const tx = readTx(rawTx);
  if (tx === undefined) return undefined;
  const { feeSat: parentFee = 0n, weight = 0 } = plan.parent ?? {};
  const fee = feeSat(tx, plan, walletInputs) + parentFee;
  const rate = (fee * 1000n) / BigInt(signedWeight(tx, plan) + weight);
  return rate < 0n || rate > MAX_FEERATE ? undefined : feeratePerKw(Number(rate));
}

const MAX_FEERATE = 0xffffffffn;

const feeSat = (
  tx: Transaction,
  { inputs }: FundingPlan,
  walletInputs: readonly WalletInput[],
): bigint =>
  [...inputs, ...walletInputs].reduce((sum, { valueSat }) => sum + valueSat, 0n) -
  tx.outs.reduce((sum, { value }) => sum + value, 0n);

/** The plan's inputs have no witness yet; what they will weigh is known. */
const signedWeight = (tx: Transaction, { inputs }: FundingPlan): number =>
  inputs.reduce(
    (sum, { inputWeight }) => sum + inputWeight - WITNESS_SCALE * INPUT_BYTES,
    tx.weight(),
  );

function readTx(raw: Uint8Array): Transaction | undefined {
  try {
    return Transaction.fromBuffer(Uint8Array.from(raw));
  } catch {
    return undefined; // the library throws plain errors on bytes that are no transaction
  }
}

const keepsPlan = (tx: Transaction, plan: FundingPlan): boolean =>
  tx.version === plan.version &&
  tx.locktime === plan.locktime &&
  plan.inputs.every((wanted, index) => isInput(tx.ins[index], wanted)) &&
  plan.outputs.every((wanted, index) => isOutput(tx.outs[index], wanted));

const isInput = (
  input: Transaction["ins"][number] | undefined,
  { outpoint, sequence }: PlannedInput,
): boolean =>
  input !== undefined &&
  equalBytes(input.hash, txidToInternal(outpoint.txid)) &&
  input.index === outpoint.vout &&
  input.sequence === sequence &&
  input.script.length === 0;

const isOutput = (
  output: Transaction["outs"][number] | undefined,
  { scriptPubkey, valueSat }: PlannedOutput,
): boolean =>
  output !== undefined && output.value === valueSat && equalBytes(output.script, scriptPubkey);

function hasExactly(tx: Transaction, own: number, walletInputs: readonly WalletInput[]): boolean {
  const keys = tx.ins.map(({ hash, index }) =>
    outpointKey({ txid: txidFromInternal(hash), vout: index }),
  );
  const named = new Set(walletInputs.map(({ outpoint }) => outpointKey(outpoint)));
  const behind = keys.slice(own);
  return (
    behind.length > 0 &&
    new Set(keys).size === keys.length &&
    named.size === walletInputs.length &&
    named.size === behind.length &&
    behind.every((key) => named.has(key))
  );
}
