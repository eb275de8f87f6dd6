/**
 * Looking at HTLC lists. `offered` is seen by the broadcaster of the commitment, so an HTLC is
 * outbound when offered on our commitment and when not offered on the counterparty's (contract 2.26).
 */
import type {
  CommitmentHtlc,
  CounterpartyCommitment,
  HolderCommitment,
} from "@farwatch/protocol/channel";
import { outpointKey, type PaymentHash, type SourceKey } from "@farwatch/protocol/ids";
import type { MonitorState, OutboundHtlc } from "./state.js";

/** The HTLC as an outbound one; undefined when it is inbound (it has no source). */
export const asOutbound = (htlc: CommitmentHtlc): OutboundHtlc | undefined =>
  htlc.source === undefined
    ? undefined
    : {
        source: htlc.source,
        htlcId: htlc.htlcId,
        paymentHash: htlc.paymentHash,
        amountMsat: htlc.amountMsat,
      };

/** Our commitments that could confirm or did: current, previous, the one we chose to broadcast. */
export const holderCommitments = (state: MonitorState) =>
  [
    state.holder,
    state.holderPrevious,
    state.holderBroadcast?.commitment,
    state.confirmedHolder,
  ].filter((commitment) => commitment !== undefined);

/** Counterparty commitments that are not revoked. */
export const counterpartyCommitments = (state: MonitorState) =>
  [state.counterparty, state.counterpartyPrevious].filter((commitment) => commitment !== undefined);

export interface DirectedHtlc {
  readonly htlc: CommitmentHtlc;
  /** Seen by us. */
  readonly outbound: boolean;
}

/** Every HTLC in any commitment that is not revoked or is ours, with its direction seen by us. */
export const liveHtlcs = (state: MonitorState): Generator<DirectedHtlc> =>
  directed(holderCommitments(state), counterpartyCommitments(state));

/**
 * HTLCs whose deadlines count (R29). Our previous commitment is not among them: it stays until the next
 * one arrives, so it names HTLCs long after they were settled.
 */
export const pendingHtlcs = (state: MonitorState): Generator<DirectedHtlc> =>
  directed([state.holder], counterpartyCommitments(state));

function* directed(
  ours: readonly Pick<HolderCommitment, "htlcs">[],
  theirs: readonly Pick<CounterpartyCommitment, "htlcs">[],
): Generator<DirectedHtlc> {
  for (const { htlcs } of ours) for (const htlc of htlcs) yield { htlc, outbound: htlc.offered };
  for (const { htlcs } of theirs) {
    for (const htlc of htlcs) yield { htlc, outbound: !htlc.offered };
  }
}

/** Outbound HTLCs of the un-revoked counterparty commitments or left to the chain, one per source. */
export function sourcedCounterpartyHtlcs(state: MonitorState): readonly OutboundHtlc[] {
  const bySource = new Map(state.leftToChain.map((htlc) => [htlc.source.sourceKey, htlc] as const));
  for (const commitment of counterpartyCommitments(state)) {
    for (const htlc of commitment.htlcs) {
      const outbound = asOutbound(htlc);
      if (outbound !== undefined) bySource.set(outbound.source.sourceKey, outbound);
    }
  }
  return [...bySource.values()];
}

export const hasSource = (htlcs: readonly CommitmentHtlc[], key: SourceKey): boolean =>
  htlcs.some((htlc) => htlc.source?.sourceKey === key);

export const liveSourceKeys = (state: MonitorState): ReadonlySet<SourceKey> => {
  const keys = new Set(state.leftToChain.map(({ source }) => source.sourceKey));
  for (const { htlc } of liveHtlcs(state)) {
    if (htlc.source !== undefined) keys.add(htlc.source.sourceKey);
  }
  return keys;
};

/** Payment hashes whose preimage may still be needed: live HTLCs of either direction. */
export const livePaymentHashes = (state: MonitorState): ReadonlySet<PaymentHash> => {
  const hashes = new Set<PaymentHash>();
  for (const { htlc } of liveHtlcs(state)) hashes.add(htlc.paymentHash);
  return hashes;
};

/** We will broadcast, somebody's spend was seen, or the node closed the channel. */
export const isClosing = (state: MonitorState): boolean =>
  state.lockdown || state.spend !== undefined || state.holderBroadcast !== undefined;

export const isSpent = (
  state: MonitorState,
  outpoint: Parameters<typeof outpointKey>[0],
): boolean => state.outputSpends.has(outpointKey(outpoint));
