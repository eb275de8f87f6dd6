/**
 * What a node tells its monitor: the domain form of commitments, update steps and first state, as seen
 * by one side (contract section 1 and 2.26; persistent-events 1.5, R10 to R12).
 */
import { sat, type Sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import type { BlockPoint } from "@farwatch/protocol/block";
import type {
  ChannelParameters,
  CommitmentHtlc,
  CounterpartyCommitment,
  HolderCommitment,
  InitialState,
} from "@farwatch/protocol/channel";
import type { Outpoint } from "@farwatch/protocol/ids";
import type { ClaimedHtlc, FailedHtlc, UpdateStep } from "@farwatch/protocol/update";
import type { Commitment, SignedCommitment } from "./commitment.js";
import type { Change } from "./ledger.js";
import {
  channelIdOf,
  otherSide,
  REGTEST_CHAIN_HASH,
  type ChannelSetup,
  type Side,
} from "./setup.js";

export type HolderStep = Extract<UpdateStep, { kind: "latestHolderCommitment" }>;

const valueAt = ({ built }: Commitment, index: number | undefined): Sat =>
  sat(index === undefined ? 0n : must(built.tx.outs[index], "output").value);

/** HTLCs as listed in an update of `viewer`; only the viewer's own outbound ones have a source. */
const htlcsSeenBy = (viewer: Side, { htlcs }: Commitment): readonly CommitmentHtlc[] =>
  htlcs.map(({ htlc, offered, outputIndex }) => ({
    htlcId: htlc.id,
    offered,
    amountMsat: htlc.amountMsat,
    cltvExpiry: htlc.cltvExpiry,
    paymentHash: htlc.paymentHash,
    outputIndex,
    source: htlc.offeredBy === viewer ? htlc.source : undefined,
  }));

/** The broadcaster's own commitment, as its monitor is told. */
export const asHolderCommitment = (commitment: SignedCommitment): HolderCommitment => ({
  commitmentNumber: commitment.number,
  perCommitmentPoint: commitment.keys.perCommitmentPoint,
  feeratePerKw: commitment.state.feeratePerKw,
  toLocalSat: valueAt(commitment, commitment.built.toLocalIndex),
  toRemoteSat: valueAt(commitment, commitment.built.toRemoteIndex),
  htlcs: htlcsSeenBy(commitment.side, commitment),
  counterpartySignature: commitment.signature,
  counterpartyHtlcSignatures: commitment.htlcSignatures,
  txid: commitment.built.txid,
});

/** The broadcaster's commitment, as the other side's monitor is told. */
export const asCounterpartyCommitment = (commitment: Commitment): CounterpartyCommitment => ({
  commitmentNumber: commitment.number,
  perCommitmentPoint: commitment.keys.perCommitmentPoint,
  feeratePerKw: commitment.state.feeratePerKw,
  toBroadcasterSat: valueAt(commitment, commitment.built.toLocalIndex),
  toCountersignatorySat: valueAt(commitment, commitment.built.toRemoteIndex),
  htlcs: htlcsSeenBy(otherSide(commitment.side), commitment),
  txid: commitment.built.txid,
});

/**
 * The step for a received commitment; `dropped` are the removals of the other side that it includes for
 * the first time. Removals of our own inbound HTLCs are no news to our monitor.
 */
export function holderStep(
  commitment: SignedCommitment,
  dropped: readonly Change[],
  pending: HolderStep["pending"],
): HolderStep {
  const claimed: ClaimedHtlc[] = [];
  const failed: FailedHtlc[] = [];
  for (const change of dropped) {
    if (change.kind === "fulfill") {
      claimed.push({
        sourceKey: change.htlc.source.sourceKey,
        preimage: change.preimage,
        skimmedFeeMsat: change.htlc.skimmedFeeMsat,
        attributionData: undefined,
      });
    } else if (change.kind === "fail") {
      failed.push({ sourceKey: change.htlc.source.sourceKey, reason: change.reason });
    }
  }
  return {
    kind: "latestHolderCommitment",
    commitment: asHolderCommitment(commitment),
    pending,
    claimed,
    failed,
  };
}

/** What the engine leaves to the test. */
export interface InitialStateOptions {
  readonly chainHash?: string;
  readonly constantsProfile?: ChannelParameters["constantsProfile"];
  readonly destinationScript?: Uint8Array;
  readonly userChannelId?: Uint8Array;
  readonly shutdownScript?: Uint8Array;
  readonly bestBlock?: BlockPoint;
  readonly manualBroadcast?: boolean;
}

export function parametersOf(
  setup: ChannelSetup,
  funding: Outpoint,
  viewer: Side,
  options: InitialStateOptions = {},
): ChannelParameters {
  const own = setup.sides[viewer];
  const peer = setup.sides[otherSide(viewer)];
  return {
    channelId: channelIdOf(funding),
    chainHash: options.chainHash ?? REGTEST_CHAIN_HASH,
    channelType: setup.channelType,
    channelTypeModifiers: [],
    funding,
    channelValueSat: setup.capacitySat,
    holderIsOpener: setup.opener === viewer,
    holderPubkeys: own.party.pubkeys,
    counterpartyPubkeys: peer.party.pubkeys,
    holderSelectedContestDelay: own.contestDelay,
    counterpartySelectedContestDelay: peer.contestDelay,
    channelKeysId: own.party.channelKeysId,
    destinationScript: options.destinationScript ?? own.party.identity.destinationScript,
    counterpartyNodeId: peer.party.identity.nodeId,
    userChannelId: options.userChannelId,
    constantsProfile: options.constantsProfile ?? "ldk_0_2",
    shutdownScript: options.shutdownScript,
    spliceParentFundingTxid: undefined,
  };
}

/** What WatchChannel carries: parameters and the first commitment of each side. */
export const initialStateOf = (
  parameters: ChannelParameters,
  own: SignedCommitment,
  peers: Commitment,
  { bestBlock, manualBroadcast = false }: InitialStateOptions,
): InitialState => ({
  parameters,
  holderCommitment: asHolderCommitment(own),
  counterpartyCommitment: asCounterpartyCommitment(peers),
  pendingFundings: [],
  revokedSecrets: [],
  manualBroadcast,
  bestBlock,
  ldkMonitor: undefined,
  earlier: undefined,
});
