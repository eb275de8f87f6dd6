/**
 * Groups new inputs into claims. What only we can spend for a while shares transactions; an input the
 * counterparty can also spend now or soon stands alone, so that a contested or pinned one never holds
 * up the others (onchain-engine 9.2).
 */
import { must } from "@farwatch/protocol/assert";
import { blockHeight } from "@farwatch/protocol/block";
import { outpointKey } from "@farwatch/protocol/ids";
import { CONTESTED_SOON_BLOCKS, MAX_CLAIM_INPUTS } from "../constants.js";
import type { Claim, ClaimInput } from "../state.js";
import { change, type Work } from "../work.js";
import { refreshClaims } from "./fees.js";

export function addClaims(work: Work, inputs: readonly ClaimInput[]): void {
  const known = new Set(
    work.state.claims.flatMap((claim) => claim.inputs.map(({ outpoint }) => outpointKey(outpoint))),
  );
  const fresh = inputs.filter(
    ({ outpoint }) =>
      !known.has(outpointKey(outpoint)) && !work.state.outputSpends.has(outpointKey(outpoint)),
  );
  if (fresh.length === 0) return;
  const soon = work.state.best.height + CONTESTED_SOON_BLOCKS;
  const calm = fresh.filter((input) => input.contestedFrom > soon && input.notBefore === 0);
  const alone = fresh.filter((input) => !calm.includes(input));
  const groups = [...chunks(calm, MAX_CLAIM_INPUTS), ...alone.map((input) => [input])];
  change(work, { claims: [...work.state.claims, ...groups.map(newClaim)] });
  refreshClaims(work);
}

function newClaim(inputs: readonly ClaimInput[]): Claim {
  const [first] = inputs;
  return {
    id: outpointKey(must(first, "a claim has inputs").outpoint),
    inputs,
    feeSat: undefined,
    feeratePerKw: undefined,
    locktime: 0,
    nextBumpAt: blockHeight(0),
  };
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
