import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { FIRST_EVENT_PREV_HASH, parseEvent } from "@farwatch/protocol/envelope/event";
import { openEvent } from "@farwatch/protocol/envelope/open-monitor-message";
import { keyOfSecret } from "@farwatch/protocol/envelope/sign";
import type { HtlcResolution, NewMonitorEvent } from "@farwatch/protocol/event";
import {
  channelId,
  eventId,
  hash32,
  htlcId,
  monitorKey,
  paymentHash,
  preimage,
  sourceKey,
  storeId,
  txid,
  updateId,
} from "@farwatch/protocol/ids";
import { sealEvent, type EventPlace, type Sealer } from "./seal-event.js";

const secret = new Uint8Array(32).fill(5);
const sealer: Sealer = {
  curve: nobleCurve,
  chainHash: "06".repeat(32),
  monitorKey: monitorKey(keyOfSecret(nobleCurve, secret)),
  monitorSecret: secret,
  storeId: storeId("0a".repeat(16)),
  nowMs: () => 1_234,
  randomBytes: (length) => new Uint8Array(length).fill(3),
};
const funding = { txid: txid("0f".repeat(32)), vout: 1 };
const place: EventPlace = { channelId: channelId("0c".repeat(32)), funding, previous: undefined };
const block = { height: blockHeight(120), hash: blockHash("0b".repeat(32)) };

const claimed: HtlcResolution = {
  kind: "claimed",
  preimage: preimage(new Uint8Array(32).fill(1)),
  skimmedFeeMsat: undefined,
  attributionData: undefined,
};
const failed: HtlcResolution = {
  kind: "failed",
  reason: { cause: { kind: "onChainTimeout" }, holdTime: undefined, attributionData: undefined },
};
const htlcEvent = (id: number, resolution: HtlcResolution, amount = 5_000): NewMonitorEvent => ({
  eventId: eventId(id),
  body: {
    kind: "htlcEvent",
    paymentHash: paymentHash("0d".repeat(32)),
    source: {
      sourceKey: sourceKey("0e".repeat(32)),
      origin: {
        kind: "forward",
        intercepted: false,
        inbound: {
          channelId: channelId("1c".repeat(32)),
          htlcId: htlcId(4),
          amountMsat: msat(6_000),
          cltvExpiry: blockHeight(200),
          userChannelId: undefined,
        },
      },
      opaque: new Uint8Array(),
    },
    htlcId: htlcId(9),
    amountMsat: msat(amount),
    userChannelId: undefined,
    resolution,
  },
  origin: { kind: "update", updateId: updateId(7) },
});
const closed: NewMonitorEvent = {
  eventId: eventId(2),
  body: {
    kind: "commitmentTxConfirmed",
    txid: txid("1f".repeat(32)),
    spend: "counterparty",
    mutualClose: false,
    commitmentNumber: undefined,
  },
  origin: { kind: "chain", txid: txid("1f".repeat(32)), block },
};

describe("sealed event", () => {
  it("passes the manager's checks and carries the payload it was made from", () => {
    const sealed = sealEvent(sealer, place, htlcEvent(1, claimed));
    const opened = openEvent(nobleCurve, sealer, sealed);
    assert.ok(opened.ok);
    assert.equal(opened.value.hash, sealed.eventHash);
    assert.equal(opened.value.header.prevEventHash, FIRST_EVENT_PREV_HASH);
    assert.equal(sealed.createdAtMs, 1_234);
    const payload = decodeEventPayload(sealed.payload);
    assert.ok(payload.ok);
    assert.deepEqual(payload.value.body, htlcEvent(1, claimed).body);
    assert.deepEqual(payload.value.origin, htlcEvent(1, claimed).origin);
  });

  it("names the event before it and what caused it on chain", () => {
    const first = sealEvent(sealer, place, htlcEvent(1, claimed));
    const second = sealEvent(sealer, { ...place, previous: first.eventHash }, closed);
    const header = parseEvent(second.header);
    assert.ok(header.ok);
    assert.equal(header.value.prevEventHash, first.eventHash);
    assert.deepEqual(header.value.causeBlock, block);
    assert.equal(header.value.causeTxid, txid("1f".repeat(32)));
  });

  it("gives claim and fail of one HTLC the same subject key, another HTLC another one", () => {
    const key = (event: NewMonitorEvent): string => sealEvent(sealer, place, event).subjectKey;
    assert.equal(key(htlcEvent(1, claimed)), key(htlcEvent(2, failed, 7_000)));
    assert.notEqual(key(htlcEvent(1, claimed)), key(closed));
    const elsewhere = { ...place, channelId: channelId("2c".repeat(32)) };
    const there = sealEvent(sealer, elsewhere, htlcEvent(1, claimed)).subjectKey;
    assert.notEqual(there, key(htlcEvent(1, claimed)));
  });

  it("hashes the same whenever and with whatever randomness it is sealed", () => {
    const later = { ...sealer, nowMs: () => 99, randomBytes: () => new Uint8Array(32).fill(8) };
    const [one, two] = [sealer, later].map((by) => sealEvent(by, place, closed));
    assert.equal(one?.eventHash, two?.eventHash);
    const other = sealEvent(sealer, { ...place, previous: hash32("77".repeat(32)) }, closed);
    assert.notEqual(one?.eventHash, other.eventHash);
  });
});
