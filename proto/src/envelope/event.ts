/**
 * farwatch/event/v1: the header of a MonitorEvent (contract 2.9). Events of a (store, channel) form a
 * gapless chain from id 1. The header is made once and re-sent verbatim for ever.
 */
import { assert } from "../assert.js";
import { blockHeight, LOCKTIME_THRESHOLD, type BlockPoint } from "../block.js";
import { channelId, eventId, hash32, monitorKey, storeId } from "../ids.js";
import type { ChannelId, EventId, Hash32, MonitorKey, StoreId, Txid } from "../ids.js";
import { refuse, type Refusal } from "../reasons.js";
import { err, ok, type Result } from "../result.js";
import { taggedHash } from "./tagged-hash.js";
import { checkBody, openBody, startBody, type ByteWriter } from "./writer.js";

export { eventKey, type EventSubject } from "./event-key.js";

export const EVENT_TAG = "farwatch/event/v1";
export const EVENT_BODY_BYTES = 286;
const ZERO_32 = "00".repeat(32);

/** prev_event_hash of event 1. */
export const FIRST_EVENT_PREV_HASH = hash32(ZERO_32);

export interface EventHeader {
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly channelId: ChannelId;
  readonly eventId: EventId;
  readonly prevEventHash: Hash32;
  /** farwatch/event-key/v1. */
  readonly key: Hash32;
  /** SHA-256 of the stored payload bytes. */
  readonly contentSha256: Hash32;
  /** undefined: no transaction caused it; zeros in the body. */
  readonly causeTxid: Txid | undefined;
  /** undefined: no block caused it; zeros in the body. */
  readonly causeBlock: BlockPoint | undefined;
}

function writeCause(writer: ByteWriter, header: EventHeader): ByteWriter {
  const { causeTxid, causeBlock } = header;
  assert(causeTxid !== ZERO_32 && causeBlock?.hash !== ZERO_32, "event: zero hash as a cause");
  if (causeTxid === undefined) writer.hex(ZERO_32, 32);
  else writer.txid(causeTxid);
  if (causeBlock === undefined) return writer.hex(ZERO_32, 32).u32(0);
  return writer.blockHash(causeBlock.hash).u32(causeBlock.height);
}

export function encodeEvent(header: EventHeader): Uint8Array {
  assert(header.eventId >= 1n, "event_id: from 1");
  const writer = startBody(EVENT_BODY_BYTES)
    .hex(header.chainHash, 32)
    .hex(header.monitorKey, 32)
    .hex(header.storeId, 16)
    .hex(header.channelId, 32)
    .u64(header.eventId)
    .hex(header.prevEventHash, 32)
    .hex(header.key, 32)
    .hex(header.contentSha256, 32);
  return writeCause(writer, header).finish();
}

/** Errors: wrongLength, malformed (version, half a cause block), rangeExceeded (id 0, height). */
export function parseEvent(bytes: Uint8Array): Result<EventHeader, Refusal> {
  const refusal = checkBody(bytes, EVENT_BODY_BYTES, "event");
  if (refusal !== undefined) return err(refusal);
  const reader = openBody(bytes);
  const fields = {
    chainHash: reader.hex(32),
    monitorKey: monitorKey(reader.hex(32)),
    storeId: storeId(reader.hex(16)),
    channelId: channelId(reader.hex(32)),
    eventId: eventId(reader.u64()),
    prevEventHash: reader.hash32(),
    key: reader.hash32(),
    contentSha256: reader.hash32(),
  };
  const txid = reader.txid();
  const hash = reader.blockHash();
  const height = reader.u32();
  reader.finish();
  if (fields.eventId === 0n) {
    return err(refuse("rangeExceeded", "event: ids start at 1", { field: "event.event_id" }));
  }
  if (height >= LOCKTIME_THRESHOLD) {
    const details = { field: "event.cause_height", limit: String(LOCKTIME_THRESHOLD - 1) };
    return err(refuse("rangeExceeded", "event: cause height is not a height", details));
  }
  if (hash === ZERO_32 && height !== 0) {
    return err(refuse("malformed", "event: height without block", { field: "event.cause_block" }));
  }
  return ok({
    ...fields,
    causeTxid: txid === ZERO_32 ? undefined : txid,
    causeBlock: hash === ZERO_32 ? undefined : { height: blockHeight(height), hash },
  });
}

/** The event hash: what the monitor signs, an ack names, and the next event's prev_event_hash. */
export const hashEvent = taggedHash(EVENT_TAG);
