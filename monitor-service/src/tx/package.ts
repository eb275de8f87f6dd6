/**
 * PURE. Which inputs may share one claim (onchain-engine 9.2; LDK chain/package.rs, can_merge_with). A
 * joint claim is cheaper, but whoever can spend one of its inputs can hold up all of them: with a
 * conflicting transaction that nobody may replace cheaply ("pinning").
 */
import type { Sat } from "@farwatch/protocol/amount";

/**
 * An output the counterparty can also spend within this many blocks counts as pinnable. LDK
 * `COUNTERPARTY_CLAIMABLE_WITHIN_BLOCKS_PINNABLE` (12): time enough for a claim at an urgent feerate.
 */
export const PINNABLE_WITHIN_BLOCKS = 12;

/** Inputs of one claim: 200 * about 490 weight units stays a quarter of standard weight. */
export const MAX_CLAIM_INPUTS = 200;

/**
 * What pinnable inputs with a deadline may be worth together, in satoshis. A pin is up to 100 000
 * virtual bytes that its maker pays for when it confirms, at 1 sat/vB or more: holding up less than
 * that cannot pay. Above it every input stands alone, for about 170 weight units more each.
 */
export const MAX_JOINT_STAKE_SAT = 100_000n;

/** What decides about sharing. */
export interface PackageInput {
  /** Outputs of a revoked commitment and its second stages, or of one that is not revoked. */
  readonly tree: "revoked" | "counterparty";
  /** Lowest nLockTime of a transaction that spends it; 0 for none. */
  readonly notBefore: number;
  /** The counterparty may spend it at any time. */
  readonly pinnable: boolean;
  /** From this height on the counterparty can spend it too. */
  readonly contestedFrom: number;
  /** A claim that confirms later than some height may be worth nothing. */
  readonly hasDeadline: boolean;
  readonly valueSat: Sat;
}

/** Splits inputs that become claimable together at `height` into claims; every input is in one. */
export function packagesOf<T>(
  inputs: readonly T[],
  height: number,
  factsOf: (input: T) => PackageInput,
): readonly (readonly T[])[] {
  const packages: T[][] = [];
  const open = new Map<string, Package<T>>();
  for (const input of inputs) {
    const facts = factsOf(input);
    const key = keyOf(facts, height);
    const limited = facts.hasDeadline && isPinnable(facts, height);
    const current = open.get(key);
    if (current === undefined || !hasRoom(current, facts, limited)) {
      const started = { inputs: [input], stakeSat: facts.valueSat };
      packages.push(started.inputs);
      open.set(key, started);
    } else {
      current.inputs.push(input);
      open.set(key, { ...current, stakeSat: current.stakeSat + facts.valueSat });
    }
  }
  return packages.map(inMergeOrder);
}

interface Package<T> {
  readonly inputs: T[];
  readonly stakeSat: bigint;
}

const isPinnable = ({ pinnable, contestedFrom }: PackageInput, height: number): boolean =>
  pinnable || contestedFrom <= height + PINNABLE_WITHIN_BLOCKS;

/** Inputs with different keys never share a claim. */
function keyOf(facts: PackageInput, height: number): string {
  const locktime = Math.max(facts.notBefore, height);
  // Something without a deadline may be held up for ever: it must not take a deadline with it.
  const pinnable = isPinnable(facts, height) ? `pinnable:${facts.hasDeadline}` : "calm";
  return `${facts.tree}:${locktime}:${pinnable}`;
}

function hasRoom<T>(current: Package<T>, { valueSat }: PackageInput, limited: boolean): boolean {
  if (current.inputs.length >= MAX_CLAIM_INPUTS) return false;
  return !limited || current.stakeSat + valueSat <= MAX_JOINT_STAKE_SAT;
}

/** LDK merges from the end, so that its inputs stand in this order; ours do too, to be compared. */
function inMergeOrder<T>([first, ...rest]: readonly T[]): readonly T[] {
  return first === undefined ? [] : [first, ...rest.reverse()];
}
