/**
 * PURE. A transaction of ours that a wallet completes (onchain-engine 9.9, 9.10): its first inputs and
 * outputs are fixed, coins and change of the wallet follow. Says what the coins must bring, and builds the
 * transaction from the coins that were chosen. Weights of inputs are upper bounds, so it may pay slightly
 * more than its feerate, never less.
 */
import { Transaction } from "bitcoinjs-lib";
import { feeratePerKw, sat, type FeeratePerKw, type Sat } from "@farwatch/protocol/amount";
import { txidToInternal, type Outpoint } from "@farwatch/protocol/ids";
import {
  feeForWeight,
  OUTPUT_BASE_BYTES,
  SEGWIT_HEADER_WEIGHT,
  WALLET_COIN_WEIGHT,
  WALLET_CHANGE_WEIGHT,
  WITNESS_SCALE,
} from "@farwatch/protocol/bolt/weights";
import { RBF_SEQUENCE } from "./claim.js";
import { FEERATE_FLOOR } from "./fee.js";

/** An input that is not the wallet's. */
export interface PlannedInput {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
  readonly scriptPubkey: Uint8Array;
  readonly sequence: number;
  /** With its witness, in weight units. */
  readonly inputWeight: number;
}

export interface PlannedOutput {
  readonly scriptPubkey: Uint8Array;
  readonly valueSat: Sat;
}

/** An unconfirmed transaction that this one pays for too. */
export interface PlannedParent {
  readonly weight: number;
  readonly feeSat: Sat;
}

export interface FundingPlan {
  readonly version: number;
  readonly locktime: number;
  readonly inputs: readonly PlannedInput[];
  /** Stand first; where there is neither one of these nor change, an empty OP_RETURN does. */
  readonly outputs: readonly PlannedOutput[];
  readonly parent: PlannedParent | undefined;
  /** Of this transaction and its parent together. */
  readonly feeratePerKw: FeeratePerKw;
  /** This transaction alone. */
  readonly maxFeeSat: Sat;
  readonly maxWeight: number;
}

export interface WalletInput {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
}

/**
 * OP_RETURN with three zero bytes, as LDK's: with a single input the transaction would else be shorter
 * than the 65 bytes that bitcoind relays (MIN_STANDARD_TX_NONWITNESS_SIZE).
 */
export const NOTHING_SCRIPT = Uint8Array.of(0x6a, 0x03, 0, 0, 0);

const outputWeight = ({ scriptPubkey }: Pick<PlannedOutput, "scriptPubkey">): number =>
  WITNESS_SCALE * (OUTPUT_BASE_BYTES + scriptPubkey.length);

/** Inputs and outputs of the plan, without the frame of the transaction. */
export const plannedWeight = ({
  inputs,
  outputs,
}: Pick<FundingPlan, "inputs" | "outputs">): number =>
  inputs.reduce((sum, { inputWeight }) => sum + inputWeight, 0) +
  outputs.reduce((sum, output) => sum + outputWeight(output), 0);

/** A wallet rarely needs more than two coins for a fee; a third makes the fee limit bind earlier. */
const TYPICAL_COINS = 2;
/** BIP 144: above it a count takes three bytes. */
const MAX_SHORT_COUNT = 252;

/** Weight with two coins and change. */
export function typicalWeight(plan: FundingPlan): number {
  const counts = [plan.inputs.length + TYPICAL_COINS, plan.outputs.length + 1];
  const countBytes = counts.reduce((sum, count) => sum + (count > MAX_SHORT_COUNT ? 3 : 1), 0);
  const frame = WITNESS_SCALE * (4 + 4 + countBytes) + SEGWIT_HEADER_WEIGHT;
  return frame + plannedWeight(plan) + TYPICAL_COINS * WALLET_COIN_WEIGHT + WALLET_CHANGE_WEIGHT;
}

/**
 * The plan's feerate, or the highest that its fee limit allows; undefined when that is less than the
 * network relays or no more than the parent pays by itself.
 */
export function affordableFeerate(plan: FundingPlan): FeeratePerKw | undefined {
  const weight = typicalWeight(plan) + (plan.parent?.weight ?? 0);
  const most = ((plan.maxFeeSat + (plan.parent?.feeSat ?? 0n)) * 1000n) / BigInt(weight);
  const rate = most < BigInt(plan.feeratePerKw) ? feeratePerKw(Number(most)) : plan.feeratePerKw;
  const { parent } = plan;
  const parentRate = parent === undefined ? 0n : (parent.feeSat * 1000n) / BigInt(parent.weight);
  return rate < FEERATE_FLOOR || BigInt(rate) <= parentRate ? undefined : rate;
}

/**
 * What coins must bring besides the fee of their own inputs, of change and of the frame: the wallet
 * chooses them as if it paid this amount to NOTHING_SCRIPT, whose own weight is taken off.
 */
export function coinsMustBring(plan: FundingPlan): Sat {
  const { inputs, outputs, feeratePerKw: rate, parent } = plan;
  const weight = plannedWeight(plan) + (parent?.weight ?? 0);
  const stays = outputs.length === 0; // then it may have to stand in the transaction
  const ghost = stays ? 0 : outputWeight({ scriptPubkey: NOTHING_SCRIPT });
  const fee = feeForWeight(rate, weight) - feeForWeight(rate, ghost) + 1n; // rounded up
  const spent = inputs.reduce((sum, { valueSat }) => sum + valueSat, parent?.feeSat ?? 0n);
  const paid = outputs.reduce((sum, { valueSat }) => sum + valueSat, fee);
  return sat(paid > spent ? paid - spent : 0n);
}

/** Unsigned: the plan's inputs and outputs first, then coins and change. */
export function assemble(
  plan: FundingPlan,
  coins: readonly WalletInput[],
  change: PlannedOutput | undefined,
): Transaction {
  const tx = new Transaction();
  tx.version = plan.version;
  tx.locktime = plan.locktime;
  for (const { outpoint, sequence } of plan.inputs) {
    tx.addInput(txidToInternal(outpoint.txid), outpoint.vout, sequence);
  }
  for (const { outpoint } of coins) {
    tx.addInput(txidToInternal(outpoint.txid), outpoint.vout, RBF_SEQUENCE);
  }
  const outputs = [...plan.outputs, ...(change === undefined ? [] : [change])];
  for (const { scriptPubkey, valueSat } of outputs) tx.addOutput(scriptPubkey, valueSat);
  if (outputs.length === 0) tx.addOutput(NOTHING_SCRIPT, 0n);
  return tx;
}
