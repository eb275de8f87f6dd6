/**
 * bitcoind did not take the newest version of a claim (onchain-engine 9.7). A fee that is too low is
 * raised at once, some times for each block. An input that somebody else's unconfirmed transaction
 * spends leaves the joint claim and gets one of its own (M-10), so that it holds up nothing else. What
 * preimages that transaction shows is known at once.
 */
import { hashOfPreimage, outpointKey, type Preimage } from "@farwatch/protocol/ids";
import { REFUSALS_PER_BLOCK } from "../constants.js";
import { asOutbound } from "../htlcs.js";
import type { RefusedClaim } from "../input.js";
import type { Claim, ClaimInput } from "../state.js";
import { change, relayPreimage, type Work } from "../work.js";
import { claimAfter } from "./add-claims.js";
import { deadlineOf, keyOfInput, liveInputs } from "./claim-inputs.js";
import { claimTransaction } from "./claim-tx.js";
import { nextBumpOf, question, raisedFee, refreshClaims } from "./fees.js";

export function onClaimRefused(work: Work, refused: RefusedClaim): void {
  for (const preimage of refused.revealed) relayRevealed(work, preimage);
  const { state } = work;
  const claim = state.claims.find(({ id }) => id === refused.claim);
  // Another version since then: that one's own answer counts.
  if (claim === undefined || claimTransaction(state, claim)?.txid !== refused.txid) return;
  const keys = new Set(refused.contested.map(outpointKey));
  const contested = liveInputs(state, claim).filter((input) => keys.has(keyOfInput(input)));
  const rest = claim.inputs.filter((input) => !contested.includes(input));
  if (contested.length > 0 && rest.length > 0) {
    replace(work, claim, split(claim, rest, contested));
    refreshClaims(work);
  } else if (isWorthRaising(refused, contested)) {
    replace(work, claim, [raisedOnce(work, claim)]);
  }
}

/**
 * A preimage is proof the moment it is seen, also when the transaction that shows it never confirms: the
 * inbound side may claim with it. The HTLC's own outcome waits for the chain (onchain-engine 7.2).
 */
function relayRevealed(work: Work, preimage: Preimage): void {
  const hash = hashOfPreimage(preimage);
  for (const { role } of work.state.tracked) {
    if (role.kind !== "htlc" || role.htlc.paymentHash !== hash) continue;
    const outbound = asOutbound(role.htlc);
    if (outbound !== undefined) relayPreimage(work, outbound.source, preimage);
  }
}

/** Spent by others, an output without a deadline is ours to take behind their transaction too. */
const isWorthRaising = ({ reason }: RefusedClaim, contested: readonly ClaimInput[]): boolean =>
  reason === "insufficientFee" && (contested.length === 0 || deadlineOf(contested) < Infinity);

/**
 * The joint transaction is in no mempool that has the other one, so nothing is to be replaced but that:
 * all go on at the feerate of the joint claim.
 */
function split(
  claim: Claim,
  rest: readonly ClaimInput[],
  contested: readonly ClaimInput[],
): readonly Claim[] {
  const before = { ...claim, feeSat: undefined };
  const { refusals } = claim;
  return [rest, ...contested.map((input) => [input])].map((inputs) => ({
    ...claimAfter(inputs, [before]),
    refusals,
  }));
}

function raisedOnce({ ctx, state }: Work, claim: Claim): Claim {
  const { height } = state.best;
  const count = claim.refusals?.height === height ? claim.refusals.count : 0;
  if (count >= REFUSALS_PER_BLOCK) return claim;
  const inputs = liveInputs(state, claim);
  const raised = raisedFee(question(ctx, state, inputs), claim, "force");
  if (raised === undefined) return claim.atLimit ? claim : { ...claim, atLimit: true };
  const nextBumpAt = nextBumpOf(state, inputs);
  return { ...claim, ...raised, nextBumpAt, refusals: { height, count: count + 1 } };
}

function replace(work: Work, claim: Claim, by: readonly Claim[]): void {
  if (by.length === 1 && by[0] === claim) return;
  const { claims } = work.state;
  change(work, { claims: claims.flatMap((other) => (other === claim ? by : [other])) });
}
