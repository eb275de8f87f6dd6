/**
 * The chain lost its blocks above the fork point: forget what only they said. Emits nothing (R6); events
 * already told stay told (a preimage is proof; failures waited 6 blocks). Claims on outputs that still
 * exist live on and are published again.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { FLOOR_FEERATES } from "../constants.js";
import type { Claim } from "../state.js";
import { change, type Work } from "../work.js";

export function disconnectBlocks(work: Work, fork: BlockPoint): void {
  const { state } = work;
  const stays = (height: number): boolean => height <= fork.height;
  // Also one that was final: without it, the same commitment confirming again would not be claimed again.
  const spendStays = state.spend === undefined || stays(state.spend.block.height);
  const spends = new Map([...state.outputSpends].filter(([, spend]) => stays(spend.height)));
  const spendsChanged = spends.size !== state.outputSpends.size;
  change(work, {
    best: fork,
    feerates: FLOOR_FEERATES,
    waiting: kept(state.waiting, ({ block }) => stays(block.height)),
    unidentifiedSpends: kept(state.unidentifiedSpends, ({ block }) => stays(block.height)),
    tracked: kept(state.tracked, ({ createdAt }) => stays(createdAt)),
    claims: claimsAfter(state.claims, stays, spendsChanged),
  });
  if (spendsChanged) change(work, { outputSpends: spends });
  if (!spendStays)
    change(work, { spend: undefined, confirmedHolder: undefined, holderHtlcClaims: [] });
  const { fundingConfirmedAt } = state;
  if (fundingConfirmedAt !== undefined && !stays(fundingConfirmedAt)) {
    change(work, { fundingConfirmedAt: undefined });
  }
}

/**
 * Inputs whose output is gone leave their claim; inputs whose spend is gone come back. Either way the
 * claim has another size, so its fee is chosen anew at the next block.
 */
function claimsAfter(
  claims: readonly Claim[],
  stays: (height: number) => boolean,
  spendsChanged: boolean,
): readonly Claim[] {
  const inputStays = ({ createdAt }: Claim["inputs"][number]): boolean => stays(createdAt);
  if (!spendsChanged && claims.every(({ inputs }) => inputs.every(inputStays))) return claims;
  return claims
    .map((claim) => ({
      ...claim,
      inputs: claim.inputs.filter(inputStays),
      feeSat: undefined,
    }))
    .filter(({ inputs }) => inputs.length > 0);
}

const kept = <T>(items: readonly T[], keep: (item: T) => boolean): readonly T[] =>
  items.every(keep) ? items : items.filter(keep);
