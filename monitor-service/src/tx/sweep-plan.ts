/**
 * Sweeps of our own mature outputs (onchain-engine 10): which outputs share a transaction, what it pays,
 * when it is replaced. Pure. Nobody else can spend these outputs, so time costs nothing and fees decide:
 * outputs wait for company, and one that would lose more than half of itself waits for lower fees.
 */
import type { Transaction } from "bitcoinjs-lib";
import { sat, type FeeratePerKw, type Sat } from "@farwatch/protocol/amount";
import { outpointKey, txid as toTxid, type Txid } from "@farwatch/protocol/ids";
import { feeForWeight, INPUT_BYTES, WITNESS_SCALE } from "@farwatch/protocol/bolt/weights";
import {
  buildClaimTx,
  claimValueSat,
  claimWeight,
  inputWitnessWeight,
  type ClaimInput,
} from "./claim.js";
import {
  bumpFee,
  carriedFee,
  chooseFirstFee,
  dustLimitSat,
  type FeeChoice,
  type FeeQuestion,
} from "./fee.js";

/**
 * Blocks between two versions of a sweep. The estimate is for confirmation within about 12 blocks: before
 * that a higher fee is given away, much later a fee spike holds the money for days.
 */
export const SWEEP_BUMP_BLOCKS = 12;
/** About 64,000 weight units: relayed without doubt, and one that fails holds up no more than these. */
export const MAX_SWEEP_INPUTS = 200;
/** An output pays at most 1/2 of itself for its own input. */
const MAX_INPUT_SHARE = 2n;

/** Durable: the newest version is built and signed again to the same bytes. */
export interface Sweep {
  readonly id: number;
  /** Outpoint keys of all outputs it was made for, in the order of its inputs. */
  readonly inputs: readonly string[];
  /** Those the newest version spends: the others were spent by somebody else meanwhile. */
  readonly spends: readonly string[];
  readonly destinationScript: Uint8Array;
  readonly feeSat: Sat;
  readonly feeratePerKw: FeeratePerKw;
  readonly locktime: number;
  readonly nextBumpAt: number;
  /** Of every version, the newest last: any of them may confirm. */
  readonly txids: readonly Txid[];
}

/** A mature output that is unspent, in the chain and in the mempool but for versions of its own sweep. */
export interface Candidate {
  readonly input: ClaimInput;
  readonly matureAt: number;
}

export interface SweepMoment {
  readonly height: number;
  /** Confirmation within about 12 blocks. */
  readonly estimate: FeeratePerKw;
  readonly highest: FeeratePerKw | undefined;
}

const keyOf = ({ input }: Candidate): string => outpointKey(input.outpoint);

/** Groups that are to be swept now. They wait until the first of them has waited `everyBlocks`. */
export function dueSweeps(
  free: readonly Candidate[],
  { height, estimate }: SweepMoment,
  everyBlocks: number,
): readonly (readonly Candidate[])[] {
  const worthIt = free.filter(({ input }) => isWorthSweeping(input, estimate));
  if (!worthIt.some(({ matureAt }) => matureAt + everyBlocks <= height + 1)) return [];
  const groups: Candidate[][] = [];
  for (let at = 0; at < worthIt.length; at += MAX_SWEEP_INPUTS) {
    groups.push(worthIt.slice(at, at + MAX_SWEEP_INPUTS));
  }
  return groups;
}

export function isWorthSweeping(input: ClaimInput, feerate: FeeratePerKw): boolean {
  const weight = WITNESS_SCALE * INPUT_BYTES + inputWitnessWeight(input);
  return input.valueSat >= MAX_INPUT_SHARE * feeForWeight(feerate, weight);
}

/** undefined: not worth a transaction at this estimate. */
export function firstVersion(
  id: number,
  destinationScript: Uint8Array,
  group: readonly Candidate[],
  moment: SweepMoment,
): Sweep | undefined {
  const choice = chooseFirstFee(question(destinationScript, group, moment));
  if (choice === undefined) return undefined;
  const inputs = group.map(keyOf);
  return version({ id, inputs, destinationScript, txids: [] }, group, moment, choice);
}

/** The next version for the inputs still `live`; undefined: the newest stays what it is. */
export function nextVersion(
  sweep: Sweep,
  live: readonly Candidate[],
  moment: SweepMoment,
): Sweep | undefined {
  if (live.length === 0) return undefined;
  const { destinationScript, feeSat, feeratePerKw } = sweep;
  const asked = question(destinationScript, live, moment);
  const keys = new Set(live.map(keyOf));
  const same = keys.size === sweep.spends.length && sweep.spends.every((key) => keys.has(key));
  if (same) {
    if (moment.height < sweep.nextBumpAt) return undefined;
    const choice = bumpFee(asked, { feeSat, feeratePerKw }, "force");
    return choice === undefined || choice.feeSat === feeSat
      ? undefined
      : version(sweep, live, moment, choice);
  }
  // One that spends something spent elsewhere left the mempools; one that is part of ours may be there.
  const standing = sweep.spends.every((key) => keys.has(key)) ? feeSat : sat(0);
  const choice = carriedFee(asked, feeratePerKw, standing);
  return choice === undefined ? undefined : version(sweep, live, moment, choice);
}

function question(
  destinationScript: Uint8Array,
  group: readonly Candidate[],
  { estimate, highest }: SweepMoment,
): FeeQuestion {
  const inputs = group.map(({ input }) => input);
  return {
    estimate,
    highest,
    weight: claimWeight(inputs, destinationScript),
    valueSat: claimValueSat(inputs),
    dustLimitSat: dustLimitSat(destinationScript),
  };
}

function version(
  base: Pick<Sweep, "id" | "inputs" | "destinationScript" | "txids">,
  group: readonly Candidate[],
  { height }: SweepMoment,
  { feeSat, feeratePerKw }: FeeChoice,
): Sweep {
  const { id, inputs, destinationScript } = base;
  const next = {
    ...{ id, inputs, destinationScript, feeSat, feeratePerKw },
    spends: group.map(keyOf),
    locktime: height, // as wallets do: nobody gains by taking it out of an older block
    nextBumpAt: height + SWEEP_BUMP_BLOCKS,
    txids: base.txids,
  };
  return { ...next, txids: [...base.txids, toTxid(sweepTx(next, group).getId())] };
}

/** The unsigned newest version; `group` are the outputs it spends, in that order. */
export const sweepTx = (
  { destinationScript, feeSat, locktime }: Pick<Sweep, "destinationScript" | "feeSat" | "locktime">,
  group: readonly Candidate[],
): Transaction =>
  buildClaimTx(
    group.map(({ input }) => input),
    destinationScript,
    feeSat,
    locktime,
  );
