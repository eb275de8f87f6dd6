/**
 * What a wallet should pay for now: a function of state alone, as `outstanding`, so that a restart asks
 * for exactly what was wanted (contract 2.19: the newest request of a claim replaces the older ones, and
 * a resolved claim asks for nothing). Fee limits are here: what a claim may cost follows from what it
 * saves (onchain-engine 9.4).
 */
import {
  feeratePerKw,
  msatToSatFloor,
  sat,
  type FeeratePerKw,
  type Sat,
} from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import type { BuiltCommitment } from "../../bolt/commitment-tx.js";
import type { CommitmentKeys } from "@farwatch/protocol/bolt/keys";
import {
  FUNDING_WITNESS,
  INPUT_BYTES,
  KEYED_ANCHOR_WITNESS,
  SEGWIT_HEADER_WEIGHT,
  SHARED_ANCHOR_WITNESS,
  secondStageInputWeight,
  WITNESS_SCALE,
} from "@farwatch/protocol/bolt/weights";
import { anchorScript, p2wsh } from "@farwatch/protocol/bolt/scripts";
import { SIGHASH_ALL, toWitnessSignature } from "@farwatch/protocol/bolt/signature";
import { RBF_SEQUENCE } from "../../tx/claim.js";
import { htlcTxWitness } from "../../tx/second-stage.js";
import { holderHtlcTx, holderKeys, rebuildHolder } from "../commitments.js";
import { maxFeerateOf, type MonitorContext } from "../context.js";
import type {
  BumpRequest,
  CommitmentBump,
  HtlcBump,
  HtlcToBump,
  OwnInput,
  OwnSigning,
} from "../effect.js";
import { readyHolderHtlcs, type ReadyHtlc } from "../ready-htlcs.js";
import { holderCommitment } from "../outstanding.js";
import { anchorKey, broadcastView } from "../scopes.js";
import type { Bump, MonitorState } from "../state.js";

/**
 * A wallet pays at most 1/2 of what it saves, for an HTLC or for a commitment: beyond that a fee spike
 * costs more than waiting. The share that `chooseFirstFee` gives an estimate.
 */
export const MAX_BUMP_SHARE = 2n;

export function bumpRequests(ctx: MonitorContext, state: MonitorState): readonly BumpRequest[] {
  if (state.bumps.length === 0) return [];
  const ready = new Map(readyHolderHtlcs(state).map((item) => [outpointKey(item.outpoint), item]));
  return state.bumps.flatMap((bump): readonly BumpRequest[] => {
    if (bump.of.kind === "commitment") return [commitmentBump(ctx, state, bump)];
    const members = bump.of.outpoints.flatMap((outpoint) => ready.get(outpointKey(outpoint)) ?? []);
    return members.length === 0 ? [] : [htlcBump(ctx, state, bump, members)];
  });
}

function commitmentBump(ctx: MonitorContext, state: MonitorState, bump: Bump): CommitmentBump {
  const { commitment } = must(state.holderBroadcast, "bumped while it is broadcast");
  const view = broadcastView(state);
  const built = rebuildHolder(ctx, view, commitment);
  const paid = built.tx.outs.reduce((sum, { value }) => sum + value, 0n);
  return {
    kind: "commitment",
    claimId: bump.claimId,
    version: built.tx.version,
    targetFeerate: targetOf(ctx, bump),
    commitment: holderCommitment(ctx, state),
    commitmentFeeSat: sat(view.parameters.channelValueSat - paid),
    commitmentWeight: built.tx.weight() + SEGWIT_HEADER_WEIGHT + FUNDING_WITNESS,
    anchor: anchorOf(view, built),
    maxFeeSat: shareOf(atStakeSat(state)),
  };
}

/** Never above what the operator allows, for any claim. */
const targetOf = (ctx: MonitorContext, { feeratePerKw: rate }: Bump): FeeratePerKw =>
  feeratePerKw(Math.min(rate, maxFeerateOf(ctx)));

/** The anchor output of this channel type that we may spend. */
function anchorOf(scope: MonitorState, built: BuiltCommitment): OwnInput | undefined {
  const { channelType, holderPubkeys } = scope.parameters;
  switch (channelTypeRules(channelType).anchors) {
    case "none":
      return undefined;
    case "keyed": {
      const witnessScript = anchorScript(holderPubkeys.fundingPubkey);
      return anchorInput(built, built.toLocalAnchorIndex, KEYED_ANCHOR_WITNESS, {
        key: anchorKey(scope),
        witnessScript,
        witness: (signature) => [toWitnessSignature(signature, SIGHASH_ALL), witnessScript],
      });
    }
    case "p2a":
      return anchorInput(built, built.sharedAnchorIndex, SHARED_ANCHOR_WITNESS, undefined);
  }
}

function anchorInput(
  { tx, txid }: BuiltCommitment,
  vout: number | undefined,
  witnessWeight: number,
  signing: OwnSigning | undefined,
): OwnInput | undefined {
  if (vout === undefined) return undefined;
  const output = must(tx.outs[vout], "anchor output");
  return {
    outpoint: { txid, vout },
    valueSat: sat(output.value),
    scriptPubkey: output.script,
    sequence: RBF_SEQUENCE,
    inputWeight: WITNESS_SCALE * INPUT_BYTES + witnessWeight,
    signing,
  };
}

/** What the commitment brings us: to_local, refunds, and received HTLCs with their preimage. */
function atStakeSat({ holderBroadcast, preimages }: MonitorState): bigint {
  const { commitment } = must(holderBroadcast, "bumped while it is broadcast");
  return commitment.htlcs.reduce<bigint>((sum, htlc) => {
    const ours = htlc.offered || preimages.has(htlc.paymentHash);
    return htlc.outputIndex !== undefined && ours ? sum + msatToSatFloor(htlc.amountMsat) : sum;
  }, commitment.toLocalSat);
}

const shareOf = (valueSat: bigint): Sat => sat(valueSat / MAX_BUMP_SHARE);

function htlcBump(
  ctx: MonitorContext,
  state: MonitorState,
  bump: Bump,
  members: readonly ReadyHtlc[],
): HtlcBump {
  const { claim, commitment } = must(members[0], "a claim has members");
  const keys = holderKeys(ctx, state.parameters, commitment.perCommitmentPoint);
  const htlcs = members.map((member) => htlcToBump(ctx, state, member, keys));
  return {
    kind: "htlcs",
    claimId: bump.claimId,
    version: channelTypeRules(state.parameters.channelType).txVersion,
    targetFeerate: targetOf(ctx, bump),
    commitmentTxid: claim.commitmentTxid,
    locktime: claim.htlc.offered ? claim.htlc.cltvExpiry : 0,
    htlcs,
  };
}

function htlcToBump(
  ctx: MonitorContext,
  { parameters }: MonitorState,
  { claim, commitment, outpoint }: ReadyHtlc,
  keys: CommitmentKeys,
): HtlcToBump {
  const { htlc, outputIndex, preimage, counterpartySignature } = claim;
  const { channelType } = parameters;
  const { tx, script } = holderHtlcTx(ctx, parameters, commitment, htlc, outputIndex, keys);
  const valueSat = msatToSatFloor(htlc.amountMsat);
  const only = must(tx.outs[0], "second-stage output");
  return {
    role: htlc.offered ? "holderHtlcTimeout" : "holderHtlcSuccess",
    input: {
      outpoint,
      valueSat,
      scriptPubkey: p2wsh(script),
      sequence: must(tx.ins[0], "HTLC input").sequence,
      inputWeight: secondStageInputWeight(channelType, htlc.offered),
      signing: {
        key: { kind: "htlc", perCommitmentPoint: commitment.perCommitmentPoint },
        witnessScript: script,
        witness: (broadcasterSignature) =>
          htlcTxWitness({
            channelType,
            counterpartySignature,
            broadcasterSignature,
            preimage,
            htlcScript: script,
          }),
      },
    },
    output: { scriptPubkey: only.script, valueSat: sat(only.value) },
    maxFeeSat: shareOf(valueSat),
  };
}
