/**
 * The scratch pad of one step: the state as it changes and the durable effects so far. It never
 * outlives the step, so the step stays a pure function of (state, input).
 */
import type { EventOrigin, MonitorEventBody, NewMonitorEvent } from "@farwatch/protocol/event";
import { eventId, type PaymentHash, type Preimage, type SourceKey } from "@farwatch/protocol/ids";
import type { HtlcSource } from "@farwatch/protocol/channel";
import type { ClaimedHtlc, HtlcFailReason } from "@farwatch/protocol/update";
import type { MonitorContext } from "./context.js";
import type { PreimageRelay } from "./effect.js";
import type { MonitorState, OutboundHtlc, ReportedOutcomes } from "./state.js";

export interface Work {
  readonly ctx: MonitorContext;
  state: MonitorState;
  readonly events: NewMonitorEvent[];
  readonly relays: PreimageRelay[];
}

export const startWork = (ctx: MonitorContext, state: MonitorState): Work => ({
  ctx,
  state,
  events: [],
  relays: [],
});

export function change(work: Work, patch: Partial<MonitorState>): void {
  work.state = { ...work.state, ...patch };
}

/** Numbers an event; ids are gapless because every emitted event is committed with this state. */
export function emit(work: Work, body: MonitorEventBody, origin: EventOrigin): void {
  const id = work.state.nextEventId;
  work.events.push({ eventId: id, body, origin });
  change(work, { nextEventId: eventId(id + 1n) });
}

export const withEntry = <K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> =>
  new Map(map).set(key, value);

export function withoutKeys<K, V>(
  map: ReadonlyMap<K, V>,
  keep: (key: K) => boolean,
): ReadonlyMap<K, V> {
  const kept = [...map].filter(([key]) => keep(key));
  return kept.length === map.size ? map : new Map(kept);
}

const NOTHING_REPORTED: ReportedOutcomes = {
  claimedOffChain: false,
  claimedOnChain: false,
  failed: false,
};

export const reportedFor = (state: MonitorState, key: SourceKey): ReportedOutcomes =>
  state.reported.get(key) ?? NOTHING_REPORTED;

function markReported(work: Work, key: SourceKey, patch: Partial<ReportedOutcomes>): void {
  const next = { ...reportedFor(work.state, key), ...patch };
  change(work, { reported: withEntry(work.state.reported, key, next) });
}

export type ClaimDetails = Pick<ClaimedHtlc, "skimmedFeeMsat" | "attributionData">;

const NO_DETAILS: ClaimDetails = { skimmedFeeMsat: undefined, attributionData: undefined };

/**
 * An outbound HTLC was fulfilled: remembers it, tells it once per origin class, and relays the
 * preimage to the inbound channels its source names (contract 2.7a). Never suppressed by a failure.
 */
export function claimOutbound(
  work: Work,
  htlc: OutboundHtlc,
  preimage: Preimage,
  origin: EventOrigin,
  { skimmedFeeMsat, attributionData }: ClaimDetails = NO_DETAILS,
): void {
  const key = htlc.source.sourceKey;
  change(work, { fulfilled: withEntry(work.state.fulfilled, key, preimage) });
  const onChain = origin.kind === "chain";
  const reported = reportedFor(work.state, key);
  if (onChain ? reported.claimedOnChain : reported.claimedOffChain) return;
  markReported(work, key, onChain ? { claimedOnChain: true } : { claimedOffChain: true });
  const claimed = { kind: "claimed", preimage, skimmedFeeMsat, attributionData } as const;
  emit(work, htlcEvent(work, htlc, claimed), origin);
  relayPreimage(work, htlc.source, preimage);
}

/** An outbound HTLC failed for good. A claim already known wins; a failure is told once. */
export function failOutbound(work: Work, htlc: OutboundHtlc, origin: EventOrigin): void {
  const key = htlc.source.sourceKey;
  const reported = reportedFor(work.state, key);
  if (work.state.fulfilled.has(key)) return;
  if (reported.failed || reported.claimedOffChain || reported.claimedOnChain) return;
  const reason: HtlcFailReason = work.state.failReasons.get(key) ?? {
    cause: { kind: "onChainTimeout" },
    holdTime: undefined,
    attributionData: undefined,
  };
  markReported(work, key, { failed: true });
  emit(work, htlcEvent(work, htlc, { kind: "failed", reason }), origin);
}

function htlcEvent(
  work: Work,
  htlc: OutboundHtlc,
  resolution: Extract<MonitorEventBody, { kind: "htlcEvent" }>["resolution"],
): MonitorEventBody {
  return {
    kind: "htlcEvent",
    paymentHash: htlc.paymentHash,
    source: htlc.source,
    htlcId: htlc.htlcId,
    amountMsat: htlc.amountMsat,
    userChannelId: work.state.parameters.userChannelId,
    resolution,
  };
}

/** To the channels that an outbound HTLC was forwarded from. */
export function relayPreimage(work: Work, source: HtlcSource, preimage: Preimage): void {
  const { origin, sourceKey } = source;
  const inbound =
    origin.kind === "forward"
      ? [origin.inbound]
      : origin.kind === "trampoline"
        ? origin.inbound
        : [];
  for (const { channelId } of inbound) {
    work.relays.push({ inboundChannelId: channelId, preimage, sourceKey });
  }
}

/** Stores a preimage for HTLCs of this channel; true when it is new. */
export function learnPreimage(work: Work, hash: PaymentHash, preimage: Preimage): boolean {
  if (work.state.preimages.has(hash)) return false;
  change(work, { preimages: withEntry(work.state.preimages, hash, preimage) });
  return true;
}
