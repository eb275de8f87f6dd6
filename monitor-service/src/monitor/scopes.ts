/**
 * Funding scopes: the locked funding and every pending splice of it, each with its own commitments
 * (onchain-engine 3; LDK FundingScope). HTLC data, points, secrets and numbers are common to all, so the
 * state's own fields answer for every scope; what differs is asked of one scope here.
 */
import type { HolderCommitment } from "@farwatch/protocol/channel";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import type { SigningKey } from "./effect.js";
import type { FundingScope, MonitorState } from "./state.js";

/** The locked one first. */
export const fundingScopes = (state: MonitorState): readonly FundingScope[] => [
  state,
  ...state.pendingFundings,
];

export const spendsFunding = ({ parameters }: FundingScope, funding: Outpoint): boolean =>
  outpointKey(parameters.funding) === outpointKey(funding);

export const scopeOf = (state: MonitorState, funding: Outpoint): FundingScope | undefined =>
  fundingScopes(state).find((scope) => spendsFunding(scope, funding));

/** The scope whose funding transaction is in the chain; the locked one unless a pending one confirmed. */
export function confirmedScope(state: MonitorState): FundingScope {
  const { alternativeFunding, pendingFundings } = state;
  const found = pendingFundings.find(
    ({ parameters }) => parameters.funding.txid === alternativeFunding?.txid,
  );
  return found ?? state;
}

/** The commitments of one scope alone. */
export const scopeFields = (scope: FundingScope): FundingScope => ({
  parameters: scope.parameters,
  holder: scope.holder,
  holderPrevious: scope.holderPrevious,
  counterparty: scope.counterparty,
  counterpartyPrevious: scope.counterpartyPrevious,
});

/** The state as if `scope` were the locked one. */
export const scopeView = (state: MonitorState, scope: FundingScope): MonitorState => ({
  ...state,
  ...scopeFields(scope),
});

type Parameters = Pick<FundingScope, "parameters">;

/** Names the holder's key of a scope's funding output, for this commitment of ours and no other. */
export const fundingKey = (
  { parameters }: Parameters,
  { commitmentNumber }: Pick<HolderCommitment, "commitmentNumber">,
): SigningKey => ({
  kind: "funding",
  channelId: parameters.channelId,
  commitmentNumber,
  spliceParent: parameters.spliceParentFundingTxid,
});

/** Names the same key for our keyed anchor on a commitment of the scope. */
export const anchorKey = ({ parameters }: Parameters): SigningKey => ({
  kind: "anchor",
  spliceParent: parameters.spliceParentFundingTxid,
});
