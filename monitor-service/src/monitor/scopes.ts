/**
 * Funding scopes: the locked funding and every pending splice of it, each with its own commitments
 * (onchain-engine 3; LDK FundingScope). HTLC data, points, secrets and numbers are common to all, so the
 * state's own fields answer for every scope; what differs is asked of one scope here.
 */
import type {
  CounterpartyCommitment,
  HolderCommitment,
  PendingCommitment,
} from "@farwatch/protocol/channel";
import { outpointKey, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import type { ParsedTx } from "../tx/parsed-tx.js";
import type { SigningKey } from "./effect.js";
import type { FundingScope, MonitorState } from "./state.js";

/** Those that every new commitment is signed for, the locked one first. */
export const fundingScopes = (state: MonitorState): readonly FundingScope[] => [
  state,
  ...state.pendingFundings,
];

/** Those that the chain may hold. */
export const knownScopes = (state: MonitorState): readonly FundingScope[] => [
  ...fundingScopes(state),
  ...state.retiredFundings,
];

export const isOn = ({ parameters }: Pick<FundingScope, "parameters">, funding: Outpoint) =>
  outpointKey(parameters.funding) === outpointKey(funding);

export const scopeOf = (state: MonitorState, funding: Outpoint): FundingScope | undefined =>
  knownScopes(state).find((scope) => isOn(scope, funding));

/** The scope whose funding transaction this is. */
export const scopeFundedBy = (state: MonitorState, txid: Txid): FundingScope | undefined =>
  knownScopes(state).find(({ parameters }) => parameters.funding.txid === txid);

/** The scope whose funding output the transaction spends. */
export const scopeSpentBy = (state: MonitorState, tx: ParsedTx): FundingScope | undefined =>
  knownScopes(state).find((scope) => tx.inputs.some(({ outpoint }) => isOn(scope, outpoint)));

/** The scope whose funding is in the chain; the locked one unless another confirmed instead. */
export const confirmedScope = (state: MonitorState): FundingScope =>
  (state.alternativeFunding === undefined
    ? undefined
    : scopeFundedBy(state, state.alternativeFunding.txid)) ?? state;

/** The commitments of one scope alone. */
export const scopeFields = (scope: FundingScope): FundingScope => ({
  parameters: scope.parameters,
  holder: scope.holder,
  holderPrevious: scope.holderPrevious,
  counterparty: scope.counterparty,
  counterpartyPrevious: scope.counterpartyPrevious,
});

/** The state as if `scope` were the locked one. */
export const scopeView = (state: MonitorState, scope: FundingScope): MonitorState =>
  scope === state ? state : { ...state, ...scopeFields(scope) };

/** Our commitments on this funding that could confirm or did. */
export function holdersOn(
  state: MonitorState,
  { parameters, holder, holderPrevious }: FundingScope,
): readonly HolderCommitment[] {
  const { holderBroadcast, confirmedHolder } = state;
  const chosen =
    holderBroadcast === undefined
      ? []
      : [holderBroadcast, ...holderBroadcast.elsewhere].filter((each) =>
          isOn({ parameters }, each.funding),
        );
  return [
    holder,
    ...(holderPrevious === undefined ? [] : [holderPrevious]),
    ...chosen.map(({ commitment }) => commitment),
    ...(confirmedHolder === undefined ? [] : [confirmedHolder]),
  ];
}

/** Our current commitment on a funding. */
export const holderOn = ({
  parameters,
  holder,
}: FundingScope): PendingCommitment<HolderCommitment> => ({
  funding: parameters.funding,
  commitment: holder,
});

/** The state as seen from the funding that our broadcast commitment spends. */
export function broadcastView(state: MonitorState): MonitorState {
  const { holderBroadcast } = state;
  const scope = holderBroadcast && scopeOf(state, holderBroadcast.funding);
  return scopeView(state, scope ?? state);
}

/** The state as seen from the funding that is spent. */
export function spendView(state: MonitorState): MonitorState {
  const scope = state.spend && scopeOf(state, state.spend.funding);
  return scopeView(state, scope ?? state);
}

/** A current or previous counterparty commitment on any funding, by its txid. */
export const counterpartyCommitmentOf = (
  state: MonitorState,
  txid: Txid,
): CounterpartyCommitment | undefined =>
  knownScopes(state)
    .flatMap(({ counterparty, counterpartyPrevious }) => [counterparty, counterpartyPrevious])
    .find((commitment) => commitment?.txid === txid);

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
