/**
 * Results that an LDK with persistent monitor events (pull request 4640) had told its node and that were not
 * acked, as an import tells them again (contract 2.9). LDK up to 0.3 keeps none for an open channel.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import type { CommitmentHtlc, InitialState } from "../../channel.js";
import type { ImportedEvent } from "../../convert/imported-events.js";
import { optional, present, readMsat } from "../../convert/reader.js";
import type { HtlcResolution } from "../../event.js";
import {
  htlcId,
  preimage as toPreimage,
  updateId,
  type HtlcId,
  type SourceKey,
} from "../../ids.js";
import { preimageOf, type LdkHtlcUpdate } from "../monitor-events.js";
import type { LdkChannelMonitor } from "../monitor.js";
import { toReason } from "./fail-reason.js";
import { toSource, userChannelIdOf } from "./source.js";

/** In the order of their ids, which is that in which they were told. */
export function unackedEvents(
  monitor: LdkChannelMonitor,
  initial: InitialState,
): readonly ImportedEvent[] {
  const live = liveHtlcs(initial);
  const origin = { kind: "update", updateId: updateId(monitor.latestUpdateId) } as const;
  return unacked(monitor).map((update) => ({ body: bodyOf(update, live), origin }));
}

/** Claims among them: what the monitor knows of the HTLC was not told yet. */
export const unackedClaims = (monitor: LdkChannelMonitor): ReadonlySet<SourceKey> =>
  new Set(
    unacked(monitor).flatMap((update) =>
      preimageOf(update) === undefined ? [] : [toSource(update.source).sourceKey],
    ),
  );

function unacked({ trailer }: LdkChannelMonitor): readonly LdkHtlcUpdate[] {
  const events = [...(trailer.identifiedMonitorEvents ?? [])];
  events.sort((a, b) => (a.id < b.id ? -1 : 1));
  return events.flatMap(({ event: { value } }) => (value.kind === "htlcEvent" ? [value] : []));
}

function bodyOf(
  update: LdkHtlcUpdate,
  live: ReadonlyMap<SourceKey, CommitmentHtlc>,
): ImportedEvent["body"] {
  const source = toSource(update.source);
  const htlc = live.get(source.sourceKey);
  return {
    kind: "htlcEvent",
    paymentHash: update.paymentHash,
    source,
    htlcId: htlc?.htlcId ?? idOfRemoved(update),
    amountMsat: htlc?.amountMsat ?? readMsat(amountOf(update), "htlc_value_msat"),
    userChannelId: optional(update.userChannelId, userChannelIdOf),
    resolution: resolutionOf(update),
  };
}

/** A source is of one HTLC alone. */
function idOfRemoved({ source }: LdkHtlcUpdate): HtlcId {
  return htlcId(new DataView(sha256(source.raw).buffer).getBigUint64(0));
}

const amountOf = ({ valueMsat, valueSat }: LdkHtlcUpdate): bigint =>
  valueMsat ?? present(valueSat, "htlc_value_satoshis") * 1000n;

/** Without a resolution it is an older event, and a failure of the chain's. */
function resolutionOf(update: LdkHtlcUpdate): HtlcResolution {
  const { resolution } = update;
  const preimage = preimageOf(update);
  if (preimage !== undefined) {
    const skimmed = resolution?.kind === "claimed" ? resolution.skimmedFeeMsat : undefined;
    return {
      kind: "claimed",
      preimage: toPreimage(Uint8Array.from(preimage)),
      skimmedFeeMsat: optional(skimmed, (msat) => readMsat(msat, "skimmed_fee_msat")),
      attributionData: undefined,
    };
  }
  return resolution?.kind === "failed"
    ? { kind: "failed", reason: toReason(resolution.reason) }
    : { kind: "failed", reason: TIMED_OUT };
}

const TIMED_OUT = {
  cause: { kind: "onChainTimeout" },
  holdTime: undefined,
  attributionData: undefined,
} as const;

function liveHtlcs(initial: InitialState): ReadonlyMap<SourceKey, CommitmentHtlc> {
  const { earlier } = initial;
  const commitments = [
    initial.holderCommitment,
    initial.counterpartyCommitment,
    earlier?.previousHolder?.commitment,
    earlier?.previousCounterparty?.commitment,
  ];
  const htlcs = commitments.flatMap((commitment) => commitment?.htlcs ?? []);
  return new Map(
    htlcs.flatMap((htlc) => (htlc.source === undefined ? [] : [[htlc.source.sourceKey, htlc]])),
  );
}
