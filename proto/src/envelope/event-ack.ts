/**
 * farwatch/event-ack/v1: one explicit ack per event, never cumulative (reliability 3.5). It names the
 * event's hash, so a late ack never counts for another event. Signed through event-ack-batch/v1.
 */
import { assert } from "../assert.js";
import { channelId, eventId, monitorKey, storeId } from "../ids.js";
import type { ChannelId, EventId, Hash32, MonitorKey, StoreId } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { taggedHash } from "./tagged-hash.js";
import { checkBody, openBody, startBody } from "./writer.js";

export const EVENT_ACK_TAG = "farwatch/event-ack/v1";
export const EVENT_ACK_BODY_BYTES = 164;

/**
 * processed: the event's durable effect is done (contract 1, "Removed"; handled; recorded).
 * joined: another monitor's event with the same subject was processed instead (contract 2.10).
 */
export type AckOutcome = "processed" | "joined";
const OUTCOME_CODE: Readonly<Record<AckOutcome, number>> = { processed: 1, joined: 2 };

export interface EventAck {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly channelId: ChannelId;
  readonly epoch: bigint;
  readonly eventId: EventId;
  readonly eventHash: Hash32;
  readonly outcome: AckOutcome;
}

export function encodeEventAck(ack: EventAck): Uint8Array {
  assert(ack.eventId >= 1n, "event_id: from 1");
  return startBody(EVENT_ACK_BODY_BYTES)
    .hex(ack.chainHash, 32)
    .hex(ack.monitorKey, 32)
    .hex(ack.storeId, 16)
    .hex(ack.channelId, 32)
    .u64(ack.epoch)
    .u64(ack.eventId)
    .hex(ack.eventHash, 32)
    .u16(OUTCOME_CODE[ack.outcome])
    .finish();
}

function outcomeOf(code: number): AckOutcome | undefined {
  if (code === OUTCOME_CODE.processed) return "processed";
  if (code === OUTCOME_CODE.joined) return "joined";
  return undefined;
}

/** Errors: wrongLength, malformed (version, outcome), rangeExceeded (event id 0). */
export function parseEventAck(bytes: Uint8Array): Result<EventAck, Refusal> {
  const refusal = checkBody(bytes, EVENT_ACK_BODY_BYTES, "eventAck");
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const fields = {
    chainHash: reader.hex(32),
    monitorKey: monitorKey(reader.hex(32)),
    storeId: storeId(reader.hex(16)),
    channelId: channelId(reader.hex(32)),
    epoch: reader.u64(),
    eventId: eventId(reader.u64()),
    eventHash: reader.hash32(),
  };
  const outcome = outcomeOf(reader.u16());
  reader.finish();
  if (fields.eventId === 0n) {
    const details = { field: "eventAck.event_id" };
    return err(refuse("rangeExceeded", "eventAck: ids start at 1", details));
  }
  if (outcome === undefined) {
    return err(refuse("malformed", "eventAck: unknown outcome", { field: "eventAck.outcome" }));
  }
  return ok({ ...fields, outcome });
}

export const hashEventAck = taggedHash(EVENT_ACK_TAG);
