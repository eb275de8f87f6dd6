/**
 * Chooses each open claim's fee, and raises it when its timer is due (onchain-engine 9.4, 9.5). The
 * chosen fee is state: the same claim is rebuilt and signed to the same bytes after a restart.
 */
import { blockHeight, type BlockHeight } from "@farwatch/protocol/block";
import { claimValueSat, claimWeight } from "../../tx/claim.js";
import {
  bumpFee,
  chooseFirstFee,
  dustLimitSat,
  feeAtFeerate,
  type FeeChoice,
  type FeeQuestion,
} from "../../tx/fee.js";
import type { Claim, ClaimInput, MonitorState } from "../state.js";
import { change, type Work } from "../work.js";
import { bumpDeadline, earliestHeight, liveInputs, toTxInput } from "./claim-inputs.js";

/** Blocks between fee bumps as the deadline nears: LDK's LOW, MIDDLE and HIGH_FREQUENCY_BUMP_INTERVAL. */
const BUMP_INTERVALS = { far: 15, near: 3, now: 1 } as const;

export function refreshClaims(work: Work): void {
  const { state } = work;
  const claims = state.claims.map((claim) => refresh(state, claim));
  if (claims.some((claim, index) => claim !== state.claims[index])) change(work, { claims });
}

function refresh(state: MonitorState, claim: Claim): Claim {
  const inputs = liveInputs(state, claim);
  const height = state.best.height;
  if (inputs.length === 0 || earliestHeight(inputs) > height) return claim;
  const isNew = claim.feeSat === undefined;
  const isDue = isNew || height >= claim.nextBumpAt;
  const choice = chooseFee(question(state, inputs), claim, isDue ? "force" : "highest");
  if (choice === undefined) return claim; // uneconomic for now: asked again at the next block
  // Between timers only a higher estimate counts: a claim opened on a guess must not sit below the floor.
  if (!isDue && choice.feeSat === claim.feeSat) return claim;
  return {
    ...claim,
    ...choice,
    locktime: isNew ? Math.max(height, earliestHeight(inputs)) : claim.locktime,
    nextBumpAt: nextBump(height, bumpDeadline(inputs)),
  };
}

function question(state: MonitorState, inputs: readonly ClaimInput[]): FeeQuestion {
  const { channelType, destinationScript } = state.parameters;
  const txInputs = inputs.map((input) => toTxInput(channelType, input));
  return {
    estimate: state.feerates.urgent,
    weight: claimWeight(txInputs, destinationScript),
    valueSat: claimValueSat(txInputs),
    dustLimitSat: dustLimitSat(destinationScript),
  };
}

function chooseFee(
  asked: FeeQuestion,
  claim: Claim,
  strategy: "force" | "highest",
): FeeChoice | undefined {
  const { feeSat, feeratePerKw } = claim;
  if (feeSat !== undefined && feeratePerKw !== undefined) {
    return bumpFee(asked, { feeSat, feeratePerKw }, strategy);
  }
  const first = chooseFirstFee(asked);
  if (feeratePerKw === undefined || (first?.feeratePerKw ?? 0) >= feeratePerKw) return first;
  // The claim lost or regained inputs: it starts where it was, never from the floor again.
  const carried = feeAtFeerate(feeratePerKw, asked.weight);
  return asked.valueSat - carried.feeSat >= asked.dustLimitSat ? carried : first;
}

/** Height of the next bump of what should confirm by `deadline` (onchain-engine 9.5). */
export function nextBump(height: BlockHeight, deadline: number): BlockHeight {
  if (deadline <= height + BUMP_INTERVALS.near) return blockHeight(height + BUMP_INTERVALS.now);
  return blockHeight(
    height + (deadline <= height + BUMP_INTERVALS.far ? BUMP_INTERVALS.near : BUMP_INTERVALS.far),
  );
}
