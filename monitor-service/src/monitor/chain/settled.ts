/**
 * What is over but not beyond doubt (onchain-engine 5.4, 12): six blocks deep it leaves the lists that
 * work is done on, and is kept apart until it is 100 deep, so that a reorganisation of any depth we
 * follow can put it back. Then it is forgotten.
 */
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { keyOfInput } from "../claims/claim-inputs.js";
import { IRREVOCABLE_DEPTH } from "../constants.js";
import type { Claim, MonitorState, TrackedOutput, WaitingFact } from "../state.js";
import { change, withoutKeys, type Work } from "../work.js";
import { matureHeight } from "./waiting.js";

type Spends = MonitorState["outputSpends"];

/** The output's spend is six deep: nothing of ours spends it unless the chain changes its mind. */
export function settleOutput(work: Work, outpoint: Outpoint): void {
  const { tracked, settled } = work.state;
  const key = outpointKey(outpoint);
  change(work, {
    tracked: tracked.filter((output) => outpointKey(output.outpoint) !== key),
    settled: {
      ...settled,
      tracked: [
        ...settled.tracked,
        ...tracked.filter((output) => outpointKey(output.outpoint) === key),
      ],
    },
  });
  settleClaims(work);
}

/** Sets claims aside all of whose inputs are spent for good. */
export function settleClaims(work: Work): void {
  const { claims, settled, outputSpends, best } = work.state;
  const over = claims.filter((claim) => isOver(claim, outputSpends, best.height));
  if (over.length === 0) return;
  change(work, {
    claims: claims.filter((claim) => !over.includes(claim)),
    settled: { ...settled, claims: [...settled.claims, ...over] },
  });
}

const isFinal = (key: string, spends: Spends, height: number): boolean => {
  const spend = spends.get(key);
  return spend !== undefined && matureHeight(spend.height) <= height;
};

const isOver = (claim: Claim, spends: Spends, height: number): boolean =>
  claim.inputs.every((input) => isFinal(keyOfInput(input), spends, height));

export function settleFact(work: Work, fact: WaitingFact): void {
  const { settled } = work.state;
  change(work, { settled: { ...settled, facts: [...settled.facts, fact] } });
}

/** The lists as they are at a lower height `height`, with the spends of the chain that is left. */
export function unsettled(
  { tracked, claims, waiting, settled }: MonitorState,
  spends: Spends,
  height: number,
): Pick<MonitorState, "tracked" | "claims" | "waiting" | "settled"> {
  const outputs = [...tracked, ...settled.tracked].filter(({ createdAt }) => createdAt <= height);
  const isDone = ({ outpoint }: TrackedOutput): boolean =>
    isFinal(outpointKey(outpoint), spends, height);
  const below = ({ block }: WaitingFact): boolean => block.height <= height;
  const facts = settled.facts.filter(below);
  const open = (claim: Claim): boolean => !isOver(claim, spends, height);
  return {
    tracked: outputs.filter((output) => !isDone(output)),
    claims: [...claims, ...settled.claims.filter(open)],
    waiting: [...waiting.filter(below), ...facts.filter(({ matureAt }) => matureAt > height)],
    settled: {
      tracked: outputs.filter(isDone),
      claims: settled.claims.filter((claim) => !open(claim)),
      facts: facts.filter(({ matureAt }) => matureAt <= height),
    },
  };
}

/** Forgets what no reorganisation we follow can undo. */
export function forgetIrrevocable(work: Work): void {
  const { state } = work;
  const isGone = (height: number): boolean => height + IRREVOCABLE_DEPTH <= state.best.height;
  const { settled, outputSpends } = state;
  const facts = settled.facts.filter(({ block }) => !isGone(block.height));
  if (facts.length !== settled.facts.length) change(work, { settled: { ...settled, facts } });
  const gone = new Set(
    [...outputSpends].flatMap(([key, { height }]) => (isGone(height) ? [key] : [])),
  );
  if (gone.size > 0) forgetOutputs(work, gone);
  const { spend, formerClaims, seenSpend } = work.state;
  if (spend === undefined || !isGone(spend.block.height)) return;
  if (formerClaims.length > 0) change(work, { formerClaims: [] });
  if (seenSpend !== undefined) change(work, { seenSpend: undefined });
}

function forgetOutputs(work: Work, gone: ReadonlySet<string>): void {
  const { settled, outputSpends, claims, holderHtlcClaims } = work.state;
  const stays = (outpoint: Outpoint): boolean => !gone.has(outpointKey(outpoint));
  change(work, {
    outputSpends: withoutKeys(outputSpends, (key) => !gone.has(key)),
    claims: withoutInputs(claims, gone),
    holderHtlcClaims: holderHtlcClaims.filter(({ commitmentTxid, outputIndex }) =>
      stays({ txid: commitmentTxid, vout: outputIndex }),
    ),
    settled: {
      ...settled,
      tracked: settled.tracked.filter(({ outpoint }) => stays(outpoint)),
      claims: withoutInputs(settled.claims, gone),
    },
  });
}

function withoutInputs(claims: readonly Claim[], gone: ReadonlySet<string>): readonly Claim[] {
  return claims
    .map((claim) =>
      claim.inputs.some((input) => gone.has(keyOfInput(input)))
        ? {
            ...claim,
            inputs: claim.inputs.filter((input) => !gone.has(keyOfInput(input))),
            leftOut: claim.leftOut.filter((key) => !gone.has(key)),
          }
        : claim,
    )
    .filter(({ inputs }) => inputs.length > 0);
}
