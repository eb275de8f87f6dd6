/** Random events, receipts and refusals for the conversion tests. */
import fc, { type Arbitrary } from "fast-check";
import { feeratePerKw } from "../../amount.js";
import type { BumpItem } from "../../bump.js";
import type {
  EventOrigin,
  MonitorEventBody,
  SealedMonitorEvent,
  SpendableOutput,
} from "../../event.js";
import { eventId, hash32, updateId } from "../../ids.js";
import { REASONS, refuse, type Reason, type Refusal } from "../../reasons.js";
import type { EventPayload } from "../event.js";
import type { SignedReceiptItems } from "../receipt.js";
import {
  bytes,
  channelIds,
  deltas,
  failReasons,
  hashes,
  hex,
  htlcIds,
  maybe,
  msats,
  numbers,
  outpoints,
  points,
  preimages,
  sats,
  sources,
  texts,
  txids,
  u32,
  u64,
  upTo,
} from "./arbitraries.js";

const spendable: Arbitrary<SpendableOutput> = fc.record({
  outpoint: outpoints,
  valueSat: sats,
  scriptPubkey: upTo(42),
  output: fc.oneof(
    fc.constant({ kind: "static" as const }),
    fc.record({
      kind: fc.constant("delayedPayment" as const),
      perCommitmentPoint: bytes(33),
      contestDelay: deltas,
      revocationPubkey: bytes(33),
      channelKeysId: bytes(32),
    }),
    fc.record({
      kind: fc.constant("staticPayment" as const),
      channelKeysId: bytes(32),
      csvOne: fc.boolean(),
    }),
  ),
});

const bodies: Arbitrary<MonitorEventBody> = fc.oneof(
  fc.record({
    kind: fc.constant("htlcEvent" as const),
    paymentHash: hashes,
    source: sources,
    htlcId: htlcIds,
    amountMsat: msats,
    userChannelId: maybe(bytes(16)),
    resolution: fc.oneof(
      fc.record({
        kind: fc.constant("claimed" as const),
        preimage: preimages,
        skimmedFeeMsat: maybe(msats),
        attributionData: maybe(upTo(20)),
      }),
      fc.record({ kind: fc.constant("failed" as const), reason: failReasons }),
    ),
  }),
  fc.record({
    kind: fc.constant("holderForceClosed" as const),
    funding: outpoints,
    commitmentTxid: txids,
    reason: fc.oneof(
      fc.record({ kind: fc.constant("nodeRequested" as const), text: texts }),
      fc.record({ kind: fc.constant("operator" as const), text: texts }),
      fc.record({ kind: fc.constant("htlcDeadline" as const), paymentHash: hashes }),
      fc.constant({ kind: "fundingReplaced" as const }),
    ),
  }),
  fc.record({
    kind: fc.constant("commitmentTxConfirmed" as const),
    txid: txids,
    spend: fc.constantFrom(
      "mutual" as const,
      "holder" as const,
      "counterparty" as const,
      "counterpartyPrevious" as const,
      "revoked" as const,
      "unknown" as const,
    ),
    mutualClose: fc.boolean(),
    commitmentNumber: maybe(numbers),
  }),
  fc.record({
    kind: fc.constant("spendableOutputs" as const),
    outputs: fc.array(spendable, { maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("discardFunding" as const), funding: outpoints }),
  fc.record({
    kind: fc.constant("penaltyOvertaken" as const),
    commitmentTxid: txids,
    commitmentNumber: numbers,
    outpoint: outpoints,
    spentBy: txids,
    byRevocationKey: fc.boolean(),
  }),
);

const origins: Arbitrary<EventOrigin> = fc.oneof(
  fc.record({ kind: fc.constant("update" as const), updateId: u64.map(updateId) }),
  fc.record({ kind: fc.constant("chain" as const), txid: txids, block: points }),
  fc.record({ kind: fc.constant("command" as const), command: texts }),
  fc.record({ kind: fc.constant("block" as const), block: points }),
);

export const eventPayloads: Arbitrary<EventPayload> = fc.record({ body: bodies, origin: origins });

/** A sealed event around a payload; hashes and signature are random. */
export const envelopes: Arbitrary<Omit<SealedMonitorEvent, "payload">> = fc.record({
  channelId: channelIds,
  eventId: u64.map(eventId),
  header: upTo(80),
  eventHash: hex(32).map(hash32),
  subjectKey: hex(32).map(hash32),
  createdAtMs: fc.nat(Number.MAX_SAFE_INTEGER),
  signature: bytes(64),
});

export const receiptBatches: Arbitrary<SignedReceiptItems> = fc.record({
  header: upTo(60),
  signature: bytes(64),
  receipts: fc.array(
    fc.record({
      channelId: channelIds,
      updateId: u64.map(updateId),
      updateHash: hex(32).map(hash32),
      status: fc.constantFrom("persisted" as const, "appliedAfterClose" as const),
      eventWatermark: u64.map(eventId),
      header: upTo(60),
    }),
    { maxLength: 4 },
  ),
});

const reasons = Object.keys(REASONS).filter((name): name is Reason => Object.hasOwn(REASONS, name));
/** Names of facts start with a letter; so none is `__proto__`, which no plain object can hold. */
const detailNames = fc.stringMatching(/^[a-z][a-z_]*$/);
export const refusals: Arbitrary<Refusal> = fc
  .tuple(fc.constantFrom(...reasons), texts, fc.dictionary(detailNames, texts))
  .map(([reason, message, details]) => refuse(reason, message, { ...details }));

const foreignInput = {
  outpoint: outpoints,
  valueSat: sats,
  scriptPubkey: upTo(42),
  inputWeight: u32,
};

export const bumpItems: Arbitrary<BumpItem> = fc.oneof(
  fc.record({ channelId: channelIds, ended: hex(32).map(hash32) }),
  fc.record({
    channelId: channelIds,
    request: fc.record({
      claimId: hex(32).map(hash32),
      targetFeerate: u32.map(feeratePerKw),
      of: fc.oneof(
        fc.record({
          kind: fc.constant("commitment" as const),
          commitmentTx: upTo(60),
          commitmentFeeSat: sats,
          commitmentWeight: u32,
          anchor: fc.record(foreignInput),
          childVersion: u32,
          childMaxWeight: u32,
          maxFeeSat: sats,
        }),
        fc.record({
          kind: fc.constant("htlcs" as const),
          commitmentTxid: txids,
          locktime: u32,
          version: u32,
          maxWeight: u32,
          htlcs: fc.array(fc.record({ ...foreignInput, transaction: upTo(60), maxFeeSat: sats }), {
            maxLength: 3,
          }),
        }),
      ),
    }),
  }),
);
