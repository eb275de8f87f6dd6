/**
 * Opens claims on outputs that became ours to take, grouped as tx/package.ts allows. Grouping is decided
 * once, from the height at which the inputs are added, and not undone by time alone (M-10): an input is
 * split off when somebody spends it, in a block (it drops out) or in a mempool (claim-refused.ts).
 */
import { must } from "@farwatch/protocol/assert";
import { sat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import { packagesOf } from "../../tx/package.js";
import type { Claim, ClaimInput } from "../state.js";
import { settleClaims } from "../chain/settled.js";
import { change, type Work } from "../work.js";
import { keyOfInput, packageInput } from "./claim-inputs.js";
import { refreshClaims } from "./fees.js";

/** Outputs spent already are claimed too: a reorganisation may give them back. */
export function addClaims(work: Work, inputs: readonly ClaimInput[]): void {
  const { claims, settled, best } = work.state;
  const known = new Set(
    [...claims, ...settled.claims].flatMap((claim) => claim.inputs.map(keyOfInput)),
  );
  const fresh = inputs.filter((input) => !known.has(keyOfInput(input)));
  if (fresh.length === 0) return;
  const packages = packagesOf(fresh, best.height, packageInput);
  const before = work.state.formerClaims;
  const keys = new Set(fresh.map(keyOfInput));
  change(work, {
    claims: [...claims, ...packages.map((group) => openClaim(group, overlapping(before, group)))],
    formerClaims: before.filter(
      ({ inputs: old }) => !old.some((input) => keys.has(keyOfInput(input))),
    ),
  });
  settleClaims(work);
  refreshClaims(work);
}

function overlapping(claims: readonly Claim[], inputs: readonly ClaimInput[]): readonly Claim[] {
  const keys = new Set(inputs.map(keyOfInput));
  return claims.filter((claim) => claim.inputs.some((input) => keys.has(keyOfInput(input))));
}

/** Takes up what claims on the same outputs paid before, if there were any. */
function openClaim(inputs: readonly ClaimInput[], former: readonly Claim[]): Claim {
  const [only] = former;
  const isSame = former.length === 1 && only !== undefined && sameInputs(only.inputs, inputs);
  return isSame ? { ...only, inputs } : claimAfter(inputs, former);
}

/** The same outputs spent in the same way: the transaction made before is good again. */
const sameInputs = (before: readonly ClaimInput[], now: readonly ClaimInput[]): boolean =>
  before.length === now.length &&
  before.every((input, index) => {
    const other = now[index];
    return other?.kind === input.kind && keyOfInput(other) === keyOfInput(input);
  });
/** A claim without a version yet, that pays no lower feerate than `before` and can replace them. */
export function claimAfter(inputs: readonly ClaimInput[], before: readonly Claim[]): Claim {
  const rates = before.flatMap(({ feeratePerKw }) => feeratePerKw ?? []);
  const paid = before.reduce((sum, { feeSat }) => sum + (feeSat ?? 0n), 0n);
  return {
    id: keyOfInput(must(inputs[0], "a claim has inputs")),
    inputs,
    feeSat: undefined,
    feeratePerKw: rates.reduce<Claim["feeratePerKw"]>(
      (highest, rate) => (highest === undefined || rate > highest ? rate : highest),
      undefined,
    ),
    leftOut: [],
    replacesSat: sat(paid),
    locktime: 0,
    nextBumpAt: blockHeight(0),
    refusals: undefined,
    atLimit: false,
  };
}
