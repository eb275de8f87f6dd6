/**
 * HTLC-success and HTLC-timeout of our own commitment on channel types whose second stages pay no fee
 * (BOLT 3, "option_anchors"; onchain-engine 9.10): functions of state alone, as `outstanding`. One
 * HTLC a transaction; the fee comes from a wallet and never takes more than half of the HTLC.
 */
import { feeratePerKw, msatToSatFloor, sat, type FeeratePerKw } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { HolderCommitment } from "@farwatch/protocol/channel";
import { txid as toTxid, type Outpoint } from "@farwatch/protocol/ids";
import { err, ok } from "@farwatch/protocol/result";
import { channelTypeRules } from "../bolt/channel-type.js";
import { SIGHASH_ALL } from "../bolt/signature.js";
import { secondStageInputWeight, walletFundedWeight } from "../bolt/weights.js";
import { chooseFirstFee, type FeeChoice } from "../tx/fee.js";
import { checkFunded } from "../tx/funded-htlc.js";
import { htlcTxSighash, htlcTxWitness } from "../tx/second-stage.js";
import { toParsedTx } from "../tx/parsed-tx.js";
import { holderHtlcTx } from "./commitments.js";
import type { MonitorContext } from "./context.js";
import type { FeelessClaim } from "./effect.js";
import { isSpent } from "./htlcs.js";
import { claimsOn } from "./second-stages.js";
import type { HolderHtlcClaim, MonitorState } from "./state.js";

/** The second stage of this HTLC could be in the next block and no confirmed spend forestalls it. */
export interface ReadyHtlc {
  readonly claim: HolderHtlcClaim;
  readonly commitment: HolderCommitment;
  readonly outpoint: Outpoint;
}

export function readyHolderHtlcs(state: MonitorState): readonly ReadyHtlc[] {
  const { confirmedHolder: commitment = unconfirmed(state), best } = state;
  if (commitment === undefined) return [];
  const claims =
    commitment === state.confirmedHolder
      ? state.holderHtlcClaims
      : claimsOn(commitment, state.preimages);
  return claims.flatMap((claim) => {
    const { htlc, preimage } = claim;
    const outpoint = { txid: claim.commitmentTxid, vout: claim.outputIndex };
    const ready = htlc.offered ? htlc.cltvExpiry <= best.height : preimage !== undefined;
    return ready && !isSpent(state, outpoint) ? [{ claim, commitment, outpoint }] : [];
  });
}

/**
 * Our commitment while it waits for confirmation: second stages that carry their own fee go out with it
 * and can be in the same block (onchain-engine 8). On the other types their script makes them wait.
 */
function unconfirmed(state: MonitorState): HolderCommitment | undefined {
  const { holderBroadcast, spend, parameters } = state;
  const together = channelTypeRules(parameters.channelType).secondStagePaysFee;
  return together && spend === undefined ? holderBroadcast?.commitment : undefined;
}

/** More than any HTLC can pay: asks for the highest feerate its value allows. */
const ANY_FEERATE = feeratePerKw(0xffffffff);

/** Those worth a fee; empty on channel types whose second stages carry their own. */
export function feelessClaims(ctx: MonitorContext, state: MonitorState): readonly FeelessClaim[] {
  if (channelTypeRules(state.parameters.channelType).secondStagePaysFee) return [];
  return readyHolderHtlcs(state).flatMap((ready) => feelessClaim(ctx, state, ready));
}

function feelessClaim(
  ctx: MonitorContext,
  { parameters, feerates }: MonitorState,
  { claim, commitment, outpoint }: ReadyHtlc,
): readonly FeelessClaim[] {
  const { htlc, outputIndex, preimage, counterpartySignature } = claim;
  const { channelType } = parameters;
  const valueSat = msatToSatFloor(htlc.amountMsat);
  const feeAt = (estimate: FeeratePerKw): FeeChoice | undefined =>
    chooseFirstFee({
      estimate,
      weight: walletFundedWeight(channelType, htlc.offered),
      valueSat,
      dustLimitSat: sat(0), // the fee is not taken from the output
    });
  const fee = feeAt(feerates.urgent);
  const highest = feeAt(ANY_FEERATE);
  if (fee === undefined || highest === undefined) return [];
  const { tx: draft, script } = holderHtlcTx(ctx, parameters, commitment, htlc, outputIndex);
  const role = htlc.offered ? "holderHtlcTimeout" : "holderHtlcSuccess";
  const complete: FeelessClaim["complete"] = (funded) => {
    const checked = checkFunded(draft, funded, valueSat);
    if (!checked.ok) return err(checked.error);
    const tx = checked.value;
    const finish = ([signature]: readonly Uint8Array[]): Uint8Array => {
      const broadcasterSignature = must(signature, "HTLC signature");
      const parts = { channelType, counterpartySignature, broadcasterSignature, preimage };
      tx.setWitness(0, htlcTxWitness({ ...parts, htlcScript: script }));
      return tx.toBuffer();
    };
    const key = { kind: "htlc", perCommitmentPoint: commitment.perCommitmentPoint } as const;
    const digest = htlcTxSighash(tx, script, valueSat, SIGHASH_ALL);
    return ok({
      role,
      txid: toTxid(tx.getId()),
      spends: toParsedTx(tx).inputs.map((input) => input.outpoint),
      tasks: [{ key, digest }],
      finish,
    });
  };
  return [
    {
      role,
      outpoint,
      draft: draft.toBuffer(),
      inputWeight: secondStageInputWeight(channelType, htlc.offered),
      targetFeerate: fee.feeratePerKw,
      highestFeerate: highest.feeratePerKw,
      complete,
    },
  ];
}
