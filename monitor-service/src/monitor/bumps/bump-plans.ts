/**
 * Transactions that a wallet completes for a bump request: the child of our commitment (onchain-engine
 * 9.9) and second stages that share a transaction (9.10). Each comes with what it may cost and weigh.
 */
import { feeratePerKw, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { FEERATE_FLOOR } from "../../tx/fee.js";
import { affordableFeerate, plannedWeight, type FundingPlan } from "../../tx/funding-plan.js";
import type { CommitmentBump, HtlcBump, HtlcToBump, OwnInput, PublishRole } from "../effect.js";

/** A plan whose fixed inputs are ours to sign. */
export interface BumpPlan extends FundingPlan {
  readonly role: PublishRole;
  readonly inputs: readonly OwnInput[];
}

/** bitcoind: MAX_STANDARD_TX_WEIGHT. */
export const MAX_STANDARD_TX_WEIGHT = 400_000;
/** BIP 431: a version-3 transaction has at most 10 000 virtual bytes. */
export const TRUC_MAX_WEIGHT = 40_000;
/** BIP 431: the child of an unconfirmed version-3 transaction has at most 1 000 virtual bytes. */
export const TRUC_CHILD_MAX_WEIGHT = 4_000;
/** Left for coins and change in a full batch, as in LDK: three coins and a change output. */
export const COINS_WEIGHT = 1_000;

const TRUC_VERSION = 3;

/** undefined: no anchor of ours, or nothing at stake that is worth a higher feerate than its own. */
export function childPlan(request: CommitmentBump): BumpPlan | undefined {
  const plan = childPlanAtTarget(request);
  return plan && affordable(plan);
}

/** As the request asks, whether that is affordable or not. undefined: no anchor of ours. */
export function childPlanAtTarget(request: CommitmentBump): BumpPlan | undefined {
  const { anchor, version, commitmentWeight: weight, commitmentFeeSat: feeSat } = request;
  if (anchor === undefined) return undefined;
  return {
    role: "anchorChild",
    version,
    locktime: 0,
    inputs: [anchor],
    outputs: [],
    parent: { weight, feeSat },
    feeratePerKw: request.targetFeerate,
    maxFeeSat: request.maxFeeSat,
    maxWeight: maxChildWeight(version),
  };
}

/** undefined: not worth the lowest relayed feerate. */
export const batchPlan = (
  request: HtlcBump,
  members: readonly HtlcToBump[],
): BumpPlan | undefined => affordable(batchPlanAtTarget(request, members));

/** At most what all members together may cost, whatever each of them would bear. */
export function batchPlanAtTarget(
  { version, locktime, targetFeerate }: HtlcBump,
  members: readonly HtlcToBump[],
): BumpPlan {
  return {
    role: must(members[0], "a batch has members").role,
    version,
    locktime,
    inputs: members.map(({ input }) => input),
    outputs: members.map(({ output }) => output),
    parent: undefined,
    feeratePerKw: targetFeerate,
    maxFeeSat: sat(members.reduce<bigint>((sum, { maxFeeSat }) => sum + maxFeeSat, 0n)),
    maxWeight: maxBatchWeight(version),
  };
}

export const maxChildWeight = (version: number): number =>
  version === TRUC_VERSION ? TRUC_CHILD_MAX_WEIGHT : MAX_STANDARD_TX_WEIGHT;

export const maxBatchWeight = (version: number): number =>
  version === TRUC_VERSION ? TRUC_MAX_WEIGHT : MAX_STANDARD_TX_WEIGHT;

function affordable(plan: BumpPlan): BumpPlan | undefined {
  const rate = affordableFeerate(plan);
  return rate === undefined ? undefined : { ...plan, feeratePerKw: rate };
}

/** More than anything can pay: asks for the highest feerate that is affordable. */
const ANY_FEERATE = feeratePerKw(0xffffffff);

/** The plan at the highest feerate that its limit allows. */
export const dearest = (plan: BumpPlan): BumpPlan =>
  affordable({ ...plan, feeratePerKw: ANY_FEERATE }) ?? plan;

/**
 * The members in groups that share a transaction, the most valuable first. Alone stands what could hold
 * up others (`apart`: somebody else has a spend of it in the mempool) and what would pay more than its
 * own limit at the target feerate; below the lowest relayed feerate it is left out.
 */
export function htlcBatches(
  request: HtlcBump,
  members: readonly HtlcToBump[],
  apart: (member: HtlcToBump) => boolean,
): readonly (readonly HtlcToBump[])[] {
  const byValue = [...members].sort((a, b) => Number(b.output.valueSat - a.output.valueSat));
  const bears = byValue.filter((member) => ownLimit(member) >= request.targetFeerate);
  const joint = bears.filter((member) => !apart(member));
  const inJoint = new Set(joint.map(({ input }) => outpointKey(input.outpoint)));
  const alone = byValue.filter(({ input }) => !inJoint.has(outpointKey(input.outpoint)));
  const groups = [...chunks(request.version, joint), ...alone.map((member) => [member])];
  return groups.filter((group) => batchPlan(request, group) !== undefined);
}

/** The feerate at which an HTLC's share of a transaction costs its own limit. */
function ownLimit(member: HtlcToBump): number {
  const limit = (member.maxFeeSat * 1000n) / BigInt(pairWeight(member));
  return limit < BigInt(FEERATE_FLOOR) ? 0 : Number(limit);
}

export const pairWeight = ({ input, output }: HtlcToBump): number =>
  plannedWeight({ inputs: [input], outputs: [output] });

function chunks(version: number, members: readonly HtlcToBump[]): readonly HtlcToBump[][] {
  const room = maxBatchWeight(version) - COINS_WEIGHT;
  const groups: HtlcToBump[][] = [];
  let weight = Infinity;
  for (const member of members) {
    weight += pairWeight(member);
    if (weight > room) {
      groups.push([]);
      weight = pairWeight(member);
    }
    must(groups.at(-1), "opened above").push(member);
  }
  return groups;
}
