/**
 * Turns an event of the core into bytes that are fixed for ever: payload, header with the hash of the
 * channel's event before it, subject key and the monitor's signature (contract 2.8, 2.9). Stored in the
 * transaction that caused it and re-sent verbatim.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { BlockPoint } from "@farwatch/protocol/block";
import { encodeEventPayload } from "@farwatch/protocol/convert/event";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { eventKey, type EventSubject } from "@farwatch/protocol/envelope/event-key";
import { encodeEvent, FIRST_EVENT_PREV_HASH, hashEvent } from "@farwatch/protocol/envelope/event";
import { signDigest } from "@farwatch/protocol/envelope/sign";
import { sha256Hash } from "@farwatch/protocol/envelope/tagged-hash";
import type {
  EventOrigin,
  MonitorEventBody,
  NewMonitorEvent,
  SealedMonitorEvent,
} from "@farwatch/protocol/event";
import type {
  ChannelId,
  Hash32,
  MonitorKey,
  Outpoint,
  StoreId,
  Txid,
} from "@farwatch/protocol/ids";

/** Who seals: this monitor, this store. */
export interface Sealer {
  readonly curve: Curve;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  readonly monitorKey: MonitorKey;
  readonly monitorSecret: Uint8Array;
  readonly storeId: StoreId;
  nowMs(): number;
  randomBytes(length: number): Uint8Array;
}

export interface EventPlace {
  readonly channelId: ChannelId;
  readonly funding: Outpoint;
  /** Hash of the channel's event before this one; undefined for event 1. */
  readonly previous: Hash32 | undefined;
}

const AUXILIARY_BYTES = 32;

export function sealEvent(
  sealer: Sealer,
  place: EventPlace,
  event: NewMonitorEvent,
): SealedMonitorEvent {
  const { chainHash, monitorKey, storeId } = sealer;
  const { channelId } = place;
  const { eventId } = event;
  const payload = encodeEventPayload({ body: event.body, origin: event.origin });
  const subjectKey = eventKey(chainHash, channelId, subjectOf(place.funding, event.body));
  const cause = causeOf(event.origin);
  const header = encodeEvent({
    chainHash,
    monitorKey,
    storeId,
    channelId,
    eventId,
    prevEventHash: place.previous ?? FIRST_EVENT_PREV_HASH,
    key: subjectKey,
    contentSha256: sha256Hash(payload),
    causeTxid: cause.txid,
    causeBlock: cause.block,
  });
  const eventHash = hashEvent(header);
  const auxiliary = sealer.randomBytes(AUXILIARY_BYTES);
  const signature = signDigest(sealer.curve, sealer.monitorSecret, eventHash, auxiliary);
  const createdAtMs = sealer.nowMs();
  return { channelId, eventId, header, eventHash, payload, subjectKey, createdAtMs, signature };
}

/** What the event is about, equal on every monitor (contract 2.8). */
function subjectOf(funding: Outpoint, body: MonitorEventBody): EventSubject {
  switch (body.kind) {
    case "htlcEvent":
      return {
        kind: body.kind,
        sourceKey: body.source.sourceKey,
        paymentHash: body.paymentHash,
      };
    case "holderForceClosed":
      return { kind: body.kind, funding: body.funding, spending: body.commitmentTxid };
    case "commitmentTxConfirmed":
      return { kind: body.kind, funding, spending: body.txid };
    case "spendableOutputs":
      return { kind: body.kind, outpoints: body.outputs.map(({ outpoint }) => outpoint) };
    case "discardFunding":
      return { kind: body.kind, funding: body.funding };
    case "penaltyOvertaken":
      return { kind: body.kind, outpoint: body.outpoint, spending: body.spentBy };
    default:
      return assertNever(body);
  }
}

interface Cause {
  readonly txid: Txid | undefined;
  readonly block: BlockPoint | undefined;
}

function causeOf(origin: EventOrigin): Cause {
  switch (origin.kind) {
    case "chain":
      return { txid: origin.txid, block: origin.block };
    case "block":
      return { txid: undefined, block: origin.block };
    case "update":
    case "command":
      return { txid: undefined, block: undefined };
    default:
      return assertNever(origin);
  }
}
