/**
 * MonitorEvents <-> wire. The payload is encoded once, when the event is created, and stored; it is
 * never encoded again.
 */
import { assertNever } from "../assert.js";
import { fromHex } from "../bytes.js";
import type {
  CloseReason,
  EventOrigin,
  HtlcResolution,
  MonitorEvent,
  MonitorEventBody,
  SealedMonitorEvent,
} from "../event.js";
import {
  channelId,
  eventId,
  hash32,
  htlcId,
  paymentHash,
  preimage,
  txidFromInternal,
  txidToInternal,
  updateId,
} from "../ids.js";
import type { Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import { MonitorEventPayload } from "../../gen/monitor/v1/event.js";
import type * as wire from "../../gen/monitor/v1/event.js";
import { readBlockPoint, readOutpoint, writeBlockPoint, writeOutpoint } from "./channel.js";
import { readNumber } from "./commitment.js";
import { MAX_REASON_BYTES } from "./limits.js";
import {
  atMost,
  fail,
  fixed,
  fixedHex,
  optional,
  parseWith,
  present,
  readMsat,
  readWith,
} from "./reader.js";
import { readOvertaken, writeOvertaken } from "./penalty-only.js";
import { readSource, readUserChannelId, writeSource } from "./source.js";
import { readSpend, readSpendable, writeSpend, writeSpendable } from "./spendable.js";
import { readReason, writeReason } from "./htlc-failure.js";

export interface EventPayload {
  readonly body: MonitorEventBody;
  readonly origin: EventOrigin;
}

export const encodeEventPayload = ({ body, origin }: EventPayload): Uint8Array =>
  MonitorEventPayload.encode({ event: writeBody(body), origin: writeOrigin(origin) }).finish();

export const decodeEventPayload = (bytes: Uint8Array): Result<EventPayload, Refusal> =>
  parseWith(MonitorEventPayload, bytes, ({ event, origin }) => ({
    body: readBody(present(event, "event")),
    origin: readOrigin(present(origin?.origin, "origin")),
  }));

export const sealedToWire = (event: SealedMonitorEvent): wire.MonitorEvent => ({
  channelId: Buffer.from(fromHex(event.channelId)),
  eventId: event.eventId,
  header: Buffer.from(event.header),
  eventHash: Buffer.from(fromHex(event.eventHash)),
  payload: Buffer.from(event.payload),
  subjectKey: Buffer.from(fromHex(event.subjectKey)),
  createdAtMs: BigInt(event.createdAtMs),
  signature: Buffer.from(event.signature),
});

/** Checks shapes and parses the payload; hashes and signature are the receiver's to verify. */
export function sealedFromWire(event: wire.MonitorEvent): Result<MonitorEvent, Refusal> {
  const payload = decodeEventPayload(event.payload);
  if (!payload.ok) return payload;
  return readWith(() => ({
    channelId: channelId(fixedHex(event.channelId, 32, "channel_id")),
    eventId: eventId(event.eventId),
    header: Uint8Array.from(event.header),
    eventHash: hash32(fixedHex(event.eventHash, 32, "event_hash")),
    payload: Uint8Array.from(event.payload),
    subjectKey: hash32(fixedHex(event.subjectKey, 32, "subject_key")),
    createdAtMs: readMs(event.createdAtMs, "created_at_ms"),
    signature: fixed(event.signature, 64, "signature"),
    ...payload.value,
  }));
}

function readMs(value: bigint, field: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) fail("rangeExceeded", field, "more than 53 bits");
  return Number(value);
}

type Event = NonNullable<wire.MonitorEventPayload["event"]>;

function readBody(event: Event): MonitorEventBody {
  switch (event.$case) {
    case "htlcEvent":
      return readHtlcEvent(event.value);
    case "holderForceClosed":
      return {
        kind: "holderForceClosed",
        funding: readOutpoint(present(event.value.funding, "funding"), "funding"),
        commitmentTxid: txidFromInternal(fixed(event.value.commitmentTxid, 32, "commitment_txid")),
        reason: readCloseReason(present(event.value.reason, "reason")),
      };
    case "commitmentTxConfirmed":
      return {
        kind: "commitmentTxConfirmed",
        txid: txidFromInternal(fixed(event.value.txid, 32, "txid")),
        spend: readSpend(event.value.kind),
        mutualClose: event.value.mutualClose,
        commitmentNumber: optional(event.value.commitmentNumber, (number) =>
          readNumber(number, "commitment_number"),
        ),
      };
    case "spendableOutputs":
      return { kind: "spendableOutputs", outputs: event.value.outputs.map(readSpendable) };
    case "discardFunding":
      return {
        kind: "discardFunding",
        funding: readOutpoint(present(event.value.funding, "funding"), "funding"),
      };
    case "penaltyOvertaken":
      return readOvertaken(event.value);
    case "bumpRequest":
      return fail("malformed", "event", "a bump request is not an event with an id");
    default:
      return assertNever(event);
  }
}

function readHtlcEvent(message: wire.HtlcEvent): MonitorEventBody {
  return {
    kind: "htlcEvent",
    paymentHash: paymentHash(fixedHex(message.paymentHash, 32, "payment_hash")),
    source: readSource(present(message.source, "source"), "source"),
    htlcId: htlcId(message.htlcId),
    amountMsat: readMsat(message.amountMsat, "amount_msat"),
    userChannelId: readUserChannelId(message.userChannelId, "user_channel_id"),
    resolution: readResolution(present(message.resolution, "resolution")),
  };
}

function readResolution(resolution: NonNullable<wire.HtlcEvent["resolution"]>): HtlcResolution {
  switch (resolution.$case) {
    case "claimed": {
      const { value } = resolution;
      return {
        kind: "claimed",
        preimage: preimage(fixed(value.preimage, 32, "preimage")),
        skimmedFeeMsat: optional(value.skimmedFeeMsat, (fee) => readMsat(fee, "skimmed_fee_msat")),
        attributionData: optional(value.attributionData, (bytes) =>
          atMost(bytes, MAX_REASON_BYTES, "attribution_data"),
        ),
      };
    }
    case "failed":
      return { kind: "failed", reason: readReason(resolution.value, "failed") };
    default:
      return assertNever(resolution);
  }
}

function readCloseReason(reason: NonNullable<wire.HolderForceClosed["reason"]>): CloseReason {
  switch (reason.$case) {
    case "nodeRequested":
      return { kind: "nodeRequested", text: reason.value };
    case "operator":
      return { kind: "operator", text: reason.value };
    case "htlcDeadline":
      return {
        kind: "htlcDeadline",
        paymentHash: paymentHash(fixedHex(reason.value, 32, "htlc_deadline")),
      };
    case "fundingReplaced":
      return { kind: "fundingReplaced" };
    default:
      return assertNever(reason);
  }
}

function readOrigin(origin: NonNullable<wire.EventOrigin["origin"]>): EventOrigin {
  switch (origin.$case) {
    case "updateId":
      return { kind: "update", updateId: updateId(origin.value) };
    case "chain":
      return {
        kind: "chain",
        txid: txidFromInternal(fixed(origin.value.txid, 32, "origin.txid")),
        block: readBlockPoint(present(origin.value.block, "origin.block"), "origin.block"),
      };
    case "command":
      return { kind: "command", command: origin.value.command };
    case "block":
      return { kind: "block", block: readBlockPoint(origin.value, "origin.block") };
    default:
      return assertNever(origin);
  }
}

function writeBody(body: MonitorEventBody): Event {
  switch (body.kind) {
    case "htlcEvent":
      return { $case: "htlcEvent", value: writeHtlcEvent(body) };
    case "holderForceClosed":
      return {
        $case: "holderForceClosed",
        value: {
          funding: writeOutpoint(body.funding),
          commitmentTxid: Buffer.from(txidToInternal(body.commitmentTxid)),
          reason: writeCloseReason(body.reason),
        },
      };
    case "commitmentTxConfirmed":
      return {
        $case: "commitmentTxConfirmed",
        value: {
          txid: Buffer.from(txidToInternal(body.txid)),
          kind: writeSpend(body.spend),
          mutualClose: body.mutualClose,
          commitmentNumber: optional(body.commitmentNumber, BigInt),
        },
      };
    case "spendableOutputs":
      return { $case: "spendableOutputs", value: { outputs: body.outputs.map(writeSpendable) } };
    case "discardFunding":
      return { $case: "discardFunding", value: { funding: writeOutpoint(body.funding) } };
    case "penaltyOvertaken":
      return { $case: "penaltyOvertaken", value: writeOvertaken(body) };
    default:
      return assertNever(body);
  }
}

const writeHtlcEvent = (body: Extract<MonitorEventBody, { kind: "htlcEvent" }>) => ({
  paymentHash: Buffer.from(fromHex(body.paymentHash)),
  source: writeSource(body.source),
  htlcId: body.htlcId,
  amountMsat: body.amountMsat,
  userChannelId: optional(body.userChannelId, (bytes) => Buffer.from(bytes)),
  resolution: writeResolution(body.resolution),
});

function writeResolution(resolution: HtlcResolution): wire.HtlcEvent["resolution"] {
  switch (resolution.kind) {
    case "claimed":
      return {
        $case: "claimed",
        value: {
          preimage: Buffer.from(resolution.preimage),
          skimmedFeeMsat: resolution.skimmedFeeMsat,
          attributionData: optional(resolution.attributionData, (bytes) => Buffer.from(bytes)),
        },
      };
    case "failed":
      return { $case: "failed", value: writeReason(resolution.reason) };
    default:
      return assertNever(resolution);
  }
}

function writeCloseReason(reason: CloseReason): wire.HolderForceClosed["reason"] {
  switch (reason.kind) {
    case "nodeRequested":
    case "operator":
      return { $case: reason.kind, value: reason.text };
    case "htlcDeadline":
      return { $case: "htlcDeadline", value: Buffer.from(fromHex(reason.paymentHash)) };
    case "fundingReplaced":
      return { $case: "fundingReplaced", value: {} };
    default:
      return assertNever(reason);
  }
}

function writeOrigin(origin: EventOrigin): wire.EventOrigin {
  switch (origin.kind) {
    case "update":
      return { origin: { $case: "updateId", value: origin.updateId } };
    case "chain":
      return {
        origin: {
          $case: "chain",
          value: {
            txid: Buffer.from(txidToInternal(origin.txid)),
            block: writeBlockPoint(origin.block),
          },
        },
      };
    case "command":
      return { origin: { $case: "command", value: { command: origin.command } } };
    case "block":
      return { origin: { $case: "block", value: writeBlockPoint(origin.block) } };
    default:
      return assertNever(origin);
  }
}
