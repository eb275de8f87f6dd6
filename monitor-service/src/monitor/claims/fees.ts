/**
 * Chooses each open claim's fee, and raises it when its timer is due, when the estimate rose, or when
 * its deadline is near (onchain-engine 9.4, 9.5). The chosen fee is state: the same claim is rebuilt and
 * signed to the same bytes after a restart. A claim not worth a fee now is asked again at every block.
 */
import { sat, type FeeratePerKw } from "@farwatch/protocol/amount";
import { blockHeight, type BlockHeight } from "@farwatch/protocol/block";
import { claimValueSat, claimWeight } from "../../tx/claim.js";
import {
  FEERATE_FLOOR,
  bumpFee,
  carriedFee,
  chooseFirstFee,
  deadlineFeerate,
  dustLimitSat,
  type BumpStrategy,
  type FeeChoice,
  type FeeQuestion,
} from "../../tx/fee.js";
import { MAX_BLOCKS_FOR_CONF } from "../constants.js";
import { maxFeerateOf, type MonitorContext } from "../context.js";
import { liveHtlcs } from "../htlcs.js";
import type { Claim, ClaimInput, MonitorState } from "../state.js";
import { change, type Work } from "../work.js";
import {
  deadlineOf,
  earliestHeight,
  liveInputs,
  spentInputs,
  timerTarget,
  toTxInput,
} from "./claim-inputs.js";

/** Blocks between fee bumps as the deadline nears: LDK's LOW, MIDDLE and HIGH_FREQUENCY_BUMP_INTERVAL. */
const BUMP_INTERVALS = { far: 15, near: 3, now: 1 } as const;

export function refreshClaims(work: Work): void {
  const { ctx, state } = work;
  const claims = state.claims.map((claim) => refresh(ctx, state, claim));
  if (claims.some((claim, index) => claim !== state.claims[index])) change(work, { claims });
}

/** One claim, its unspent inputs, the keys of the spent ones, and what a fee has to answer. */
interface Subject {
  readonly state: MonitorState;
  readonly claim: Claim;
  readonly inputs: readonly ClaimInput[];
  readonly leftOut: readonly string[];
  readonly asked: FeeQuestion;
}

function refresh(ctx: MonitorContext, state: MonitorState, claim: Claim): Claim {
  const inputs = liveInputs(state, claim);
  // Nothing to spend now: the newest version stays, a reorganisation may make it good again.
  if (inputs.length === 0 || earliestHeight(inputs) > state.best.height) return claim;
  const leftOut = spentInputs(state, claim);
  const subject = { state, claim, inputs, leftOut, asked: question(ctx, state, inputs) };
  const isSame = claim.feeSat !== undefined && sameKeys(leftOut, claim.leftOut);
  return isSame ? nextVersion(subject) : firstVersion(subject);
}

const sameKeys = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((key, index) => key === b[index]);

/** Other inputs than the version before, if there was one: chosen anew, never from the floor again. */
function firstVersion(subject: Subject): Claim {
  const { state, claim, inputs, leftOut, asked } = subject;
  const { feeratePerKw, locktime } = claim;
  const isVoid = leftOut.some((key) => !claim.leftOut.includes(key));
  const standing = claim.feeSat === undefined ? claim.replacesSat : isVoid ? sat(0) : claim.feeSat;
  const choice =
    feeratePerKw === undefined
      ? chooseFirstFee(asked)
      : carriedFee(asked, higher(feeratePerKw, leastFeerate(subject)), standing);
  if (choice === undefined) {
    return isVoid && claim.feeSat !== undefined ? { ...claim, feeSat: undefined } : claim;
  }
  const { height } = state.best;
  return {
    ...claim,
    ...choice,
    leftOut,
    replacesSat: sat(0),
    locktime: locktime === 0 ? Math.max(height, earliestHeight(inputs)) : locktime,
    nextBumpAt: nextBumpOf(state, inputs),
    atLimit: false,
  };
}

const higher = (a: FeeratePerKw, b: FeeratePerKw): FeeratePerKw => (a > b ? a : b);

/** The first block decides by the estimate alone; only what it did not confirm is late. */
function leastFeerate({ state, claim, inputs, asked }: Subject): FeeratePerKw {
  const { height } = state.best;
  return height > claim.locktime
    ? deadlineFeerate(asked, deadlineOf(inputs) - height)
    : FEERATE_FLOOR;
}

function nextVersion(subject: Subject): Claim {
  const { state, claim, inputs, asked } = subject;
  const isDue = state.best.height >= claim.nextBumpAt;
  const strategy = isDue ? "force" : "highest";
  const raised = raisedFee(asked, claim, strategy, leastFeerate(subject));
  if (raised !== undefined) {
    return { ...claim, ...raised, nextBumpAt: nextBumpOf(state, inputs), atLimit: false };
  }
  return isDue && !claim.atLimit ? { ...claim, atLimit: true } : claim;
}

/** undefined: the version that is out stays as it is. */
export function raisedFee(
  asked: FeeQuestion,
  { feeSat, feeratePerKw }: Claim,
  strategy: BumpStrategy,
  least?: FeeratePerKw,
): FeeChoice | undefined {
  if (feeSat === undefined || feeratePerKw === undefined) return undefined;
  const choice = bumpFee(asked, { feeSat, feeratePerKw }, strategy, least);
  return choice === undefined || choice.feeSat === feeSat ? undefined : choice;
}

export function question(
  ctx: MonitorContext,
  state: MonitorState,
  inputs: readonly ClaimInput[],
): FeeQuestion {
  const { channelType, destinationScript } = state.parameters;
  const txInputs = inputs.map((input) => toTxInput(channelType, input));
  return {
    estimate: isUrgent(state, inputs) ? state.feerates.urgent : state.feerates.normal,
    weight: claimWeight(txInputs, destinationScript),
    valueSat: claimValueSat(txInputs),
    dustLimitSat: dustLimitSat(destinationScript),
    highest: maxFeerateOf(ctx),
  };
}

/**
 * LDK `closure_conf_target`: any HTLC, dust included, in a commitment that is not revoked. Ours too: a
 * deadline nearer than an unhurried transaction may take.
 */
function isUrgent(state: MonitorState, inputs: readonly ClaimInput[]): boolean {
  const hasHtlc = liveHtlcs(state).next().done !== true;
  return hasHtlc || deadlineOf(inputs) <= state.best.height + MAX_BLOCKS_FOR_CONF;
}

/** Height of the next bump of these inputs. */
export function nextBumpOf(
  { best, parameters }: MonitorState,
  inputs: readonly ClaimInput[],
): BlockHeight {
  return nextBump(best.height, timerTarget(parameters.constantsProfile, inputs));
}

/** Height of the next bump of what should confirm by `target` (onchain-engine 9.5). */
export function nextBump(height: BlockHeight, target: number): BlockHeight {
  if (target <= height + BUMP_INTERVALS.near) return blockHeight(height + BUMP_INTERVALS.now);
  return blockHeight(
    height + (target <= height + BUMP_INTERVALS.far ? BUMP_INTERVALS.near : BUMP_INTERVALS.far),
  );
}
