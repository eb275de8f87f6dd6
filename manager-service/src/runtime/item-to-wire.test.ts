/** Every kind of item keeps every field on its way to the node. */
import assert from "node:assert/strict";
import { msat, sat } from "@farwatch/protocol/amount";
import { must } from "@farwatch/protocol/assert";
import { decodeEventPayload, encodeEventPayload } from "@farwatch/protocol/convert/event";
import { ClosureReason, Item } from "@farwatch/protocol/gen/manager/v1/event";
import { channelId, eventId, hash32, htlcId, sourceKey, txid } from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { HtlcLocator, ItemContent } from "../manager/user-event.js";
import {
  byte,
  CHANNEL,
  claimed,
  FUNDING,
  hashOf,
  NODE,
  ON_CHAIN,
  PAYMENT,
  secretOf,
} from "../manager/testing/scene.js";
import { itemToWire } from "./item-to-wire.js";

const OTHER = channelId(byte(0xc1));
const HASH = hashOf({ part: 5 });
const bytesOf = (id: string): Buffer => Buffer.from(id, "hex");
const ids = { paymentId: PAYMENT, paymentHash: HASH };
const wireIds = { paymentId: bytesOf(PAYMENT), paymentHash: bytesOf(HASH) };
const path = { partKey: new Uint8Array([1, 2]), pathSummary: new Uint8Array([3]) };
const wirePath = { partKey: Buffer.from([1, 2]), pathSummary: Buffer.from([3]) };
const REASON: HtlcFailReason = {
  cause: { kind: "onionError", packet: new Uint8Array([9, 9]) },
  holdTime: 7,
  attributionData: new Uint8Array([8]),
};
const wireReason = {
  kind: { $case: "onionError" as const, value: Buffer.from([9, 9]) },
  holdTime: 7,
  attributionData: Buffer.from([8]),
};
const PREV: HtlcLocator = {
  channelId: CHANNEL,
  htlcId: htlcId(4),
  amountMsat: msat(1100),
  userChannelId: new Uint8Array(16).fill(6),
};
/** It never entered a commitment, on a channel without a name of the node's. */
const NEXT: HtlcLocator = {
  channelId: OTHER,
  htlcId: undefined,
  amountMsat: msat(1000),
  userChannelId: undefined,
};
const wirePrev = {
  channelId: bytesOf(CHANNEL),
  htlcId: 4n,
  amountMsat: 1100n,
  userChannelId: Buffer.alloc(16, 6),
};
const wireNext = {
  channelId: bytesOf(OTHER),
  htlcId: undefined,
  amountMsat: 1000n,
  userChannelId: undefined,
};

/** As the node decodes it. */
function sent(event: ItemContent): Item {
  const item = { itemId: 3n, nodeKey: NODE, semanticKey: "k", createdAtMs: 5, handled: false };
  return Item.decode(Item.encode(itemToWire({ ...item, event })).finish());
}
const user = (event: ItemContent): unknown => {
  const { item } = sent(event);
  assert.equal(item?.$case, "userEvent");
  return item.value.event;
};
const command = (event: ItemContent): unknown => {
  const { item } = sent(event);
  assert.equal(item?.$case, "command");
  return item.value.command;
};

describe("items to the node", () => {
  it("carry their id, key and time", () => {
    const { itemId, semanticKey, createdAtMs } = sent({
      kind: "paymentFailed",
      reason: "r",
      ...ids,
    });
    assert.deepEqual([itemId, semanticKey, createdAtMs], [3n, "k", 5n]);
  });

  it("tell own payments", () => {
    const preimage = secretOf(5);
    const amountMsat = msat(1000);
    const paid = {
      kind: "paymentSent",
      ...ids,
      preimage,
      amountMsat,
      feePaidMsat: msat(3),
    } as const;
    const wirePaid = { ...wireIds, preimage: Buffer.from(preimage), amountMsat: 1000n };
    assert.deepEqual(user(paid), { $case: "paymentSent", value: { ...wirePaid, feePaidMsat: 3n } });
    const unknownFee = { ...wirePaid, feePaidMsat: undefined };
    assert.deepEqual(user({ ...paid, feePaidMsat: undefined }), {
      $case: "paymentSent",
      value: unknownFee,
    });
    assert.deepEqual(user({ kind: "paymentFailed", ...ids, reason: "no route" }), {
      $case: "paymentFailed",
      value: { ...wireIds, reason: "no route" },
    });
    assert.deepEqual(user({ kind: "paymentPathSuccessful", ...ids, ...path }), {
      $case: "paymentPathSuccessful",
      value: { ...wireIds, ...wirePath },
    });
    assert.deepEqual(user({ kind: "paymentPathFailed", ...ids, ...path, reason: REASON }), {
      $case: "paymentPathFailed",
      value: { ...wireIds, ...wirePath, reason: wireReason },
    });
  });

  it("tell probes", () => {
    const source = { sourceKey: sourceKey(byte(7)) };
    assert.deepEqual(user({ kind: "probeResult", ...source, ...ids, ...path, reason: REASON }), {
      $case: "probeResult",
      value: { ...wireIds, ...wirePath, reason: wireReason },
    });
    for (const kind of ["probeSuccessful", "probeFailed"] as const) {
      const value = { ...wireIds, ...wirePath };
      assert.deepEqual(user({ kind, ...ids, ...path }), { $case: kind, value });
    }
  });

  it("tell forwards and claims", () => {
    const forwarded = {
      kind: "paymentForwarded",
      prev: [PREV],
      next: [NEXT],
      totalFeeMsat: msat(100),
      skimmedFeeMsat: msat(0),
      claimFromOnchain: true,
    } as const;
    const value = { prev: [wirePrev], next: [wireNext], totalFeeMsat: 100n };
    assert.deepEqual(user(forwarded), {
      $case: "paymentForwarded",
      value: { ...value, skimmedFeeMsat: 0n, claimFromOnchain: true },
    });
    assert.deepEqual(
      user({ ...forwarded, skimmedFeeMsat: undefined, claimFromOnchain: false }),
      {
        $case: "paymentForwarded",
        value: { ...value, skimmedFeeMsat: undefined, claimFromOnchain: false },
      },
      "nothing skimmed is not the same as a skimmed fee of nothing",
    );
    assert.deepEqual(user({ kind: "htlcHandlingFailed", prev: [PREV, NEXT], reason: REASON }), {
      $case: "htlcHandlingFailed",
      value: { prev: [wirePrev, wireNext], reason: wireReason },
    });
    const lost = { kind: "forwardLost", prev: PREV, next: NEXT, amountMsat: msat(1100) } as const;
    assert.deepEqual(user(lost), {
      $case: "forwardLost",
      value: { prev: wirePrev, next: wireNext, amountMsat: 1100n },
    });
    assert.deepEqual(user({ kind: "paymentClaimed", paymentHash: HASH, amountMsat: msat(7) }), {
      $case: "paymentClaimed",
      value: { paymentHash: bytesOf(HASH), amountMsat: 7n },
    });
  });

  it("tell channels and alarms", () => {
    const closingTxid = txid(`${"00".repeat(31)}01`);
    const closed = {
      kind: "channelClosed",
      channelId: CHANNEL,
      reason: "counterpartyRevokedState",
      closingTxid,
      text: "t",
    } as const;
    const value = {
      channelId: bytesOf(CHANNEL),
      reason: ClosureReason.COUNTERPARTY_REVOKED_STATE,
      closingTxid: bytesOf(`01${"00".repeat(31)}`),
      text: "t",
    };
    assert.deepEqual(user(closed), { $case: "channelClosed", value });
    const output = {
      outpoint: FUNDING,
      valueSat: sat(9),
      scriptPubkey: new Uint8Array(22),
      output: { kind: "static" },
    } as const;
    const outputs = user({ kind: "spendableOutputs", channelId: CHANNEL, outputs: [output] });
    const { item } = sent({ kind: "spendableOutputs", channelId: CHANNEL, outputs: [output] });
    assert.ok(item?.$case === "userEvent");
    assert.equal(item.value.channelId?.toString("hex"), CHANNEL);
    const funding = { txid: bytesOf(FUNDING.txid), vout: 1 };
    assert.deepEqual(outputs, {
      $case: "spendableOutputs",
      value: {
        outputs: [
          {
            outpoint: funding,
            valueSat: 9n,
            scriptPubkey: Buffer.alloc(22),
            kind: { $case: "staticOutput", value: {} },
          },
        ],
      },
    });
    assert.deepEqual(user({ kind: "discardFunding", channelId: CHANNEL, funding: FUNDING }), {
      $case: "discardFunding",
      value: { funding },
    });
    const alarm = { kind: "alarm", code: "c", text: "t", channelId: undefined } as const;
    assert.deepEqual(user(alarm), {
      $case: "alarm",
      value: { code: "c", text: "t", channelId: undefined },
    });
  });

  it("command", () => {
    const htlc = { channelId: CHANNEL, htlcId: htlcId(2n ** 64n - 1n) };
    const wireHtlc = { channelId: bytesOf(CHANNEL), htlcId: 2n ** 64n - 1n };
    const preimage = secretOf(5);
    const attributionData = Uint8Array.of(7);
    assert.deepEqual(command({ kind: "claimInbound", ...htlc, preimage, attributionData }), {
      $case: "claimInbound",
      value: {
        ...wireHtlc,
        preimage: Buffer.from(preimage),
        attributionData: Buffer.of(7),
      },
    });
    assert.deepEqual(command({ kind: "failInbound", ...htlc, reason: REASON }), {
      $case: "failInbound",
      value: { ...wireHtlc, reason: wireReason },
    });
    const outdated = { kind: "closeChannel", channelId: OTHER, reason: "outdatedNode" } as const;
    assert.deepEqual(command(outdated), {
      $case: "channelClosed",
      value: { channelId: bytesOf(OTHER), reason: ClosureReason.OUTDATED_NODE },
    });
  });

  it("hand a monitor's event on with the monitor's own payload", () => {
    const body = claimed({ part: 5 });
    const { item } = sent({
      kind: "monitorEvent",
      channelId: CHANNEL,
      eventId: eventId(12),
      eventHash: hash32(byte(0x1e)),
      body,
      origin: ON_CHAIN,
      createdAtMs: 1_700,
    });
    assert.equal(item?.$case, "monitorEvent");
    const { channelId: id, eventId: event, eventHash, createdAtMs, payload, ...rest } = item.value;
    assert.deepEqual(
      [id, event, eventHash, createdAtMs],
      [bytesOf(CHANNEL), 12n, bytesOf(byte(0x1e)), 1_700n],
    );
    assert.deepEqual(Uint8Array.from(payload), encodeEventPayload({ body, origin: ON_CHAIN }));
    const read = decodeEventPayload(payload);
    assert.deepEqual(must(read.ok ? read.value : undefined, "payload"), { body, origin: ON_CHAIN });
    const none = Buffer.alloc(0);
    assert.deepEqual(rest, { header: none, subjectKey: none, signature: none });
  });
});
