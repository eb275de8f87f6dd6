/**
 * farwatch/event-key/v1: the identity of a fact, equal on every monitor (contract 2.8, 2.10). The
 * outcome is not in it, so a claim and a fail of one HTLC meet under one key; amounts are not in it,
 * since two HTLCs may share hash and amount.
 */
import { assert, assertNever } from "../assert.js";
import { compareBytes } from "../bytes.js";
import type { ChannelId, Hash32, Outpoint, PaymentHash, SourceKey, Txid } from "../ids.js";
import { taggedHash } from "./tagged-hash.js";
import { ByteWriter } from "./writer.js";

export const EVENT_KEY_TAG = "farwatch/event-key/v1";

/** Numbers of MonitorEventPayload.event; 5 is BumpRequest, which has no id and no key. */
const KIND = {
  htlcEvent: 1,
  holderForceClosed: 2,
  commitmentTxConfirmed: 3,
  spendableOutputs: 4,
  discardFunding: 6,
  penaltyOvertaken: 7,
} as const;

export type EventSubject =
  /** channelId of the outbound channel is that of the event. */
  | {
      readonly kind: "htlcEvent";
      readonly sourceKey: SourceKey;
      readonly paymentHash: PaymentHash;
    }
  | { readonly kind: "holderForceClosed"; readonly funding: Outpoint; readonly spending: Txid }
  | { readonly kind: "commitmentTxConfirmed"; readonly funding: Outpoint; readonly spending: Txid }
  /** The set of outputs; their order does not matter. */
  | { readonly kind: "spendableOutputs"; readonly outpoints: readonly Outpoint[] }
  | { readonly kind: "discardFunding"; readonly funding: Outpoint }
  | { readonly kind: "penaltyOvertaken"; readonly outpoint: Outpoint; readonly spending: Txid };

const OUTPOINT_BYTES = 36;
const FUNDING_BYTES = 34;

/** vout as u16: a funding output (BOLT 2 funding_output_index). */
const fundingBytes = (funding: Outpoint): Uint8Array =>
  new ByteWriter(FUNDING_BYTES).txid(funding.txid).u16(funding.vout).finish();

/** vout as u32: any output. */
const outpointBytes = (outpoint: Outpoint): Uint8Array =>
  new ByteWriter(OUTPOINT_BYTES).txid(outpoint.txid).u32(outpoint.vout).finish();

function subjectBytes(channel: ChannelId, subject: EventSubject): Uint8Array {
  switch (subject.kind) {
    case "htlcEvent":
      return new ByteWriter(96)
        .hex(channel, 32)
        .hex(subject.sourceKey, 32)
        .hex(subject.paymentHash, 32)
        .finish();
    case "holderForceClosed":
    case "commitmentTxConfirmed":
      return new ByteWriter(FUNDING_BYTES + 32)
        .bytes(fundingBytes(subject.funding), FUNDING_BYTES)
        .txid(subject.spending)
        .finish();
    case "spendableOutputs": {
      const sorted = subject.outpoints.map(outpointBytes).sort(compareBytes);
      assert(sorted.length > 0, "spendableOutputs: no outputs");
      const writer = new ByteWriter(4 + sorted.length * OUTPOINT_BYTES).u32(sorted.length);
      for (const outpoint of sorted) writer.bytes(outpoint, OUTPOINT_BYTES);
      return writer.finish();
    }
    case "discardFunding":
      return fundingBytes(subject.funding);
    case "penaltyOvertaken":
      return new ByteWriter(OUTPOINT_BYTES + 32)
        .bytes(outpointBytes(subject.outpoint), OUTPOINT_BYTES)
        .txid(subject.spending)
        .finish();
    default:
      return assertNever(subject);
  }
}

const hashEventKey = taggedHash(EVENT_KEY_TAG);

/** Body of the key hash: chain_hash | channel_id | kind:u16 | subject. */
export function encodeEventKey(
  chainHash: string,
  channel: ChannelId,
  subject: EventSubject,
): Uint8Array {
  const tail = subjectBytes(channel, subject);
  return new ByteWriter(66 + tail.length)
    .hex(chainHash, 32)
    .hex(channel, 32)
    .u16(KIND[subject.kind])
    .bytes(tail, tail.length)
    .finish();
}

/** The subject key of an event. */
export const eventKey = (chainHash: string, channel: ChannelId, subject: EventSubject): Hash32 =>
  hashEventKey(encodeEventKey(chainHash, channel, subject));
