/**
 * The chain lost its blocks above the fork point: forget what only they said, put back what they had
 * settled (onchain-engine 12). Emits nothing (R6); events already told stay told (a preimage is proof;
 * failures waited 6 blocks). Claims on outputs that still exist live on and are published again.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { keyOfInput } from "../claims/claim-inputs.js";
import { FLOOR_FEERATES } from "../constants.js";
import type { Claim } from "../state.js";
import { change, withoutKeys, type Work } from "../work.js";
import { onFundingsDisconnected } from "./alternative-funding.js";
import { ownOutputsAt } from "./own-outputs.js";
import { unsettled } from "./settled.js";

export function disconnectBlocks(work: Work, fork: BlockPoint): void {
  const stays = (height: number): boolean => height <= fork.height;
  const { outputSpends } = work.state;
  const spends = withoutKeys(outputSpends, (key) => stays(outputSpends.get(key)?.height ?? 0));
  const { claims, ...lists } = unsettled(work.state, spends, fork.height);
  change(work, {
    best: fork,
    feerates: FLOOR_FEERATES,
    outputSpends: spends,
    ...lists,
    suspects: work.state.suspects.filter(({ createdAt }) => stays(createdAt)),
    ownOutputs: ownOutputsAt(work.state, fork.height),
    unidentifiedSpends: work.state.unidentifiedSpends.filter(({ block }) => stays(block.height)),
  });
  keepClaims(work, claims, stays);
  disconnectSpend(work, fork);
  const { fundingConfirmedAt, neverFundedAt, resolvedSince } = work.state;
  onFundingsDisconnected(work, fork.height);
  if (resolvedSince !== undefined && !stays(resolvedSince)) {
    change(work, { resolvedSince: undefined });
  }
  if (neverFundedAt !== undefined && fundingConfirmedAt !== work.state.fundingConfirmedAt) {
    // The wait for a funding that never comes starts anew.
    change(work, { neverFundedAt: fork.height });
  }
}

/** Also one that was final: without it, the same commitment confirming again would not be claimed again. */
function disconnectSpend(work: Work, fork: BlockPoint): void {
  const { spend, seenSpend } = work.state;
  if (spend === undefined) return;
  if (spend.block.height > fork.height) {
    change(work, { spend: undefined, confirmedHolder: undefined, holderHtlcClaims: [] });
    if (seenSpend !== undefined) {
      change(work, { seenSpend: { ...seenSpend, lostAt: fork.height } });
    }
    return;
  }
  // Irrevocable once, it stays final: nothing would make it so again.
  const waits = work.state.waiting.some(({ fact }) => fact.kind === "fundingSpend");
  if (spend.final && waits) change(work, { spend: { ...spend, final: false } });
}

/**
 * Inputs whose output is gone leave their claim. What it paid is remembered: the transaction may come
 * back from a mempool together with its parent.
 */
function keepClaims(
  work: Work,
  claims: readonly Claim[],
  stays: (height: number) => boolean,
): void {
  const kept: Claim[] = [];
  const former: Claim[] = [];
  for (const claim of claims) {
    const inputs = claim.inputs.filter(({ createdAt }) => stays(createdAt));
    if (inputs.length === claim.inputs.length) {
      kept.push(claim);
      continue;
    }
    former.push(claim);
    if (inputs.length === 0) continue;
    const keys = new Set(inputs.map(keyOfInput));
    const leftOut = claim.leftOut.filter((key) => keys.has(key));
    kept.push({ ...claim, inputs, leftOut, feeSat: undefined });
  }
  const ids = new Set(former.map(({ id }) => id));
  const older = work.state.formerClaims.filter(({ id }) => !ids.has(id));
  change(work, { claims: kept, formerClaims: [...older, ...former] });
}
