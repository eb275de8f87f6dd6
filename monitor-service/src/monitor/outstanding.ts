/**
 * The transactions that should be in the mempool or the chain now, and the outputs to watch: functions
 * of state alone, so a restart publishes exactly what was outstanding (architecture 3.6). Repeating is
 * harmless: the same state gives the same bytes.
 */
import type { Outpoint, Txid } from "@farwatch/protocol/ids";
import { txid as toTxid } from "@farwatch/protocol/ids";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import { addFundingWitness, commitmentSighash } from "../bolt/commitment-tx.js";
import { SIGHASH_ALL } from "@farwatch/protocol/bolt/signature";
import { htlcTxWitness } from "../tx/second-stage.js";
import { must } from "@farwatch/protocol/assert";
import { wantsHolderCommitment } from "./chain/holder-broadcast.js";
import { lostSpend } from "./chain/lost-spend.js";
import { claimTransactions } from "./claims/claim-tx.js";
import { channelFundingScript, holderHtlcTx, rebuildHolder } from "./commitments.js";
import type { MonitorContext } from "./context.js";
import type { Publish } from "./effect.js";
import { readyHolderHtlcs, type ReadyHtlc } from "./ready-htlcs.js";
import { broadcastView, fundingKey, knownScopes } from "./scopes.js";
import type { FundingScope, MonitorState } from "./state.js";

export function outstanding(ctx: MonitorContext, state: MonitorState): readonly Publish[] {
  return [
    ...(wantsHolderCommitment(state) ? [holderCommitment(ctx, state)] : []),
    ...readyHolderHtlcs(state).flatMap((ready) => holderHtlc(ctx, state, ready)),
    ...lostSpend(state),
    ...claimTransactions(state),
  ];
}

export interface Watched {
  readonly outpoints: readonly Outpoint[];
  readonly txids: readonly Txid[];
}

export function watched(state: MonitorState): Watched {
  const { alternativeFunding, fundingConfirmedAt } = state;
  const scopes = state.spend === undefined ? knownScopes(state) : [];
  const isSeen = (scope: FundingScope): boolean =>
    scope === state
      ? fundingConfirmedAt !== undefined
      : scope.parameters.funding.txid === alternativeFunding?.txid;
  const awaited = state.spend === undefined ? scopes : [state];
  return {
    outpoints: [
      ...scopes.map(({ parameters }) => parameters.funding),
      ...state.tracked.map(({ outpoint }) => outpoint),
      ...state.suspects.map(({ outpoint }) => outpoint),
      ...state.ownOutputs
        .filter(({ spend }) => spend === undefined)
        .map(({ output }) => output.outpoint),
    ],
    txids: awaited
      .filter((scope) => !isSeen(scope))
      .map(({ parameters }) => parameters.funding.txid),
  };
}

/** Call only when `wantsHolderCommitment`. */
export function holderCommitment(ctx: MonitorContext, state: MonitorState): Publish {
  const { holderBroadcast } = state;
  const { commitment, funding } = must(holderBroadcast, "a commitment to broadcast");
  const scope = broadcastView(state);
  const { parameters } = scope;
  const { tx, txid } = rebuildHolder(ctx, scope, commitment);
  const digest = commitmentSighash(
    tx,
    channelFundingScript(parameters),
    parameters.channelValueSat,
  );
  const finish = ([signature]: readonly Uint8Array[]): Uint8Array => {
    addFundingWitness(
      tx,
      parameters.holderPubkeys.fundingPubkey,
      must(signature, "funding signature"),
      parameters.counterpartyPubkeys.fundingPubkey,
      commitment.counterpartySignature,
    );
    return tx.toBuffer();
  };
  return {
    role: "holderCommitment",
    txid,
    spends: [funding],
    tasks: [{ key: fundingKey(scope, commitment), digest }],
    finish,
  };
}

/** The transaction carries its own fee; those that do not are in bumps/bump-requests.ts. */
function holderHtlc(
  ctx: MonitorContext,
  { parameters }: MonitorState,
  { claim, commitment, outpoint }: ReadyHtlc,
): readonly Publish[] {
  const { htlc, outputIndex, preimage } = claim;
  const { channelType } = parameters;
  if (!channelTypeRules(channelType).secondStagePaysFee) return [];
  const { tx, script, digest } = holderHtlcTx(ctx, parameters, commitment, htlc, outputIndex);
  const finish = ([signature]: readonly Uint8Array[]): Uint8Array => {
    tx.setWitness(
      0,
      htlcTxWitness({
        channelType,
        counterpartySignature: claim.counterpartySignature,
        broadcasterSignature: must(signature, "HTLC signature"),
        preimage,
        htlcScript: script,
      }),
    );
    return tx.toBuffer();
  };
  return [
    {
      role: htlc.offered ? "holderHtlcTimeout" : "holderHtlcSuccess",
      txid: toTxid(tx.getId()),
      spends: [outpoint],
      tasks: [
        {
          key: { kind: "htlc", perCommitmentPoint: commitment.perCommitmentPoint },
          digest: digest(SIGHASH_ALL),
        },
      ],
      finish,
    },
  ];
}
