/**
 * A splice, or a fee bump of one, was negotiated (LDK `renegotiated_funding`; onchain-engine 4.2). The
 * channel goes on under the current commitments, signed once more for the new funding. Nothing but the
 * funding, its value and its keys may differ: claims are built from parameters common to all scopes.
 */
import { equalBytes } from "@farwatch/protocol/bytes";
import type {
  ChannelParameters,
  ChannelPubkeys,
  NegotiatedFunding,
} from "@farwatch/protocol/channel";
import { MAX_PENDING_FUNDINGS } from "@farwatch/protocol/convert/limits";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { takeLateSplice } from "../chain/late-splice.js";
import { checkCounterpartyCommitment, checkHolderCommitment } from "../commitments.js";
import { knownScopes, scopeView } from "../scopes.js";
import type { MonitorState, PendingFunding } from "../state.js";
import { change, type Work } from "../work.js";
import { checkSame, within } from "./on-every-funding.js";

export function renegotiateFunding(
  work: Work,
  negotiated: NegotiatedFunding,
  verifySignatures: boolean,
): Result<void, Refusal> {
  const { state } = work;
  const { parameters } = negotiated;
  const refusal = checkPlace(state, parameters) ?? checkUnchanged(state.parameters, parameters);
  if (refusal !== undefined) return err(refusal);
  const keys = [parameters.holderPubkeys, parameters.counterpartyPubkeys];
  if (!keys.every(({ fundingPubkey }) => work.ctx.curve.isPoint(fundingPubkey))) {
    return err(refuse("malformed", "not a point on the curve", { field: "funding_pubkey" }));
  }
  const holder = checkSame(state.holder, negotiated.holderCommitment);
  if (!holder.ok) return err(within("holder_commitment", holder.error));
  const counterparty = checkSame(state.counterparty, negotiated.counterpartyCommitment);
  if (!counterparty.ok) return err(within("counterparty_commitment", counterparty.error));
  const scope: PendingFunding = {
    parameters,
    holder: holder.value,
    holderPrevious: undefined,
    counterparty: counterparty.value,
    counterpartyPrevious: undefined,
    discarded: false,
  };
  if (verifySignatures) {
    const checked = checkCommitments(work, scope);
    if (!checked.ok) return checked;
  }
  change(work, { pendingFundings: [...state.pendingFundings, scope] });
  takeLateSplice(work, scope);
  return ok(undefined);
}

function checkCommitments(work: Work, scope: PendingFunding): Result<void, Refusal> {
  const basis = scopeView(work.state, scope);
  const holder = checkHolderCommitment(work.ctx, basis, scope.holder);
  if (!holder.ok) return err(within("holder_commitment", holder.error));
  const counterparty = checkCounterpartyCommitment(work.ctx, basis, scope.counterparty);
  if (!counterparty.ok) return err(within("counterparty_commitment", counterparty.error));
  return ok(undefined);
}

/** A new funding of this channel that replaces the locked one, in competition with those pending. */
function checkPlace(state: MonitorState, next: ChannelParameters): Refusal | undefined {
  const { pendingFundings } = state;
  const problem = (field: string, message: string): Refusal =>
    refuse("malformed", message, { field: `parameters.${field}` });
  if (pendingFundings.length >= MAX_PENDING_FUNDINGS) {
    const details = { field: "parameters.funding", limit: String(MAX_PENDING_FUNDINGS) };
    return refuse("tooLarge", "too many fundings are pending", details);
  }
  const { txid } = next.funding;
  if (knownScopes(state).some(({ parameters }) => parameters.funding.txid === txid)) {
    return problem("funding", "this funding transaction is known already");
  }
  const parent = next.spliceParentFundingTxid;
  if (parent !== undefined && parent !== state.parameters.funding.txid) {
    return problem("splice_parent_funding_txid", "does not splice the locked funding");
  }
  // Without a parent it is another funding transaction for a channel that just opens.
  if (parent === undefined && state.parameters.spliceParentFundingTxid !== undefined) {
    return problem("splice_parent_funding_txid", "required: the channel was spliced before");
  }
  return pendingFundings.every(({ parameters }) => parameters.spliceParentFundingTxid === parent)
    ? undefined
    : problem("splice_parent_funding_txid", "does not compete with the pending fundings");
}

/** What a splice has no say in: everything else, also what later versions add. */
function checkUnchanged(now: ChannelParameters, next: ChannelParameters): Refusal | undefined {
  const expected: ChannelParameters = {
    ...now,
    funding: next.funding,
    channelValueSat: next.channelValueSat,
    spliceParentFundingTxid: next.spliceParentFundingTxid,
    holderPubkeys: withFundingKey(now.holderPubkeys, next.holderPubkeys),
    counterpartyPubkeys: withFundingKey(now.counterpartyPubkeys, next.counterpartyPubkeys),
  };
  const given = new Map(Object.entries(next));
  const changed = Object.entries(expected).find(
    ([name, value]) => !isEqual(value, given.get(name)),
  );
  if (changed === undefined) return undefined;
  const name = changed[0].replace(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
  return refuse("malformed", "a splice cannot change this", { field: `parameters.${name}` });
}

const withFundingKey = (
  now: ChannelPubkeys,
  { fundingPubkey }: Pick<ChannelPubkeys, "fundingPubkey">,
): ChannelPubkeys => ({ ...now, fundingPubkey });

function isEqual(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return equalBytes(a, b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  const other = new Map(Object.entries(b));
  const entries = Object.entries(a);
  return (
    entries.length === other.size && entries.every(([key, value]) => isEqual(value, other.get(key)))
  );
}
