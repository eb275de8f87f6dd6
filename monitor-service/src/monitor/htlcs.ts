/**
 * Looking at HTLC lists. `offered` is seen by the broadcaster of the commitment, so an HTLC is
 * outbound when offered on our commitment and when not offered on the counterparty's (contract 2.26).
 */
import type { CommitmentHtlc } from "@farwatch/protocol/channel";
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

/** Every HTLC in any commitment that is not revoked, with its direction seen by us. */
export function* liveHtlcs(
  state: MonitorState,
): Generator<{ readonly htlc: CommitmentHtlc; readonly outbound: boolean }> {
  for (const commitment of holderCommitments(state)) {
    for (const htlc of commitment.htlcs) yield { htlc, outbound: htlc.offered };
  }
  for (const commitment of counterpartyCommitments(state)) {
    for (const htlc of commitment.htlcs) yield { htlc, outbound: !htlc.offered };
  }
}

/** Outbound HTLCs of the un-revoked counterparty commitments, one per source. */
export function sourcedCounterpartyHtlcs(state: MonitorState): readonly OutboundHtlc[] {
  const bySource = new Map<SourceKey, OutboundHtlc>();
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
  const keys = new Set<SourceKey>();
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
