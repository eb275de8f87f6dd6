/** Closes, outputs and the inbox's bookkeeping (contract 2.9, 2.10, 2.18). */
import assert from "node:assert/strict";
import { channelId, eventId, hash32, txid } from "@farwatch/protocol/ids";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import { sat } from "@farwatch/protocol/amount";
import { whyNotAcked } from "../ack-predicate.js";
import {
  byte,
  CHANNEL,
  claimed,
  confirmed,
  failed,
  fromUpdate,
  FUNDING,
  initialState,
  MONITOR_A,
  MONITOR_B,
  ON_CHAIN,
  outbound,
  Scene,
  STORE_A,
} from "../testing/scene.js";

const CLOSED = `channel-closed/${CHANNEL}`;
const forceClosed = (
  reason: Extract<MonitorEventBody, { kind: "holderForceClosed" }>["reason"],
): MonitorEventBody => ({
  kind: "holderForceClosed",
  funding: FUNDING,
  commitmentTxid: txid(byte(0xcd)),
  reason,
});
const reasonTold = (scene: Scene): unknown => {
  const event = scene.item(CLOSED)?.event;
  return event?.kind === "channelClosed" ? event.reason : undefined;
};

describe("a close event", () => {
  it("closes the channel, tells it once and is acked in the same commit", () => {
    const scene = Scene.opened();
    scene.event(MONITOR_A, forceClosed({ kind: "nodeRequested", text: "bye" }));
    assert.deepEqual(scene.kinds, ["deliver", "deliver", "sendAck"]);
    scene.event(MONITOR_A, confirmed(false));
    scene.event(MONITOR_B, confirmed(false));
    assert.deepEqual(scene.open, [CLOSED, `close-channel/${CHANNEL}`]);
    assert.deepEqual(scene.acks, ["A1", "A2", "B1"]);
    assert.equal(scene.channel.closed, "holderForceClosed");
  });

  it("names why", () => {
    const cases: readonly (readonly [MonitorEventBody, string])[] = [
      [confirmed(true), "cooperative"],
      [confirmed(false), "commitmentTxConfirmed"],
      [{ ...confirmed(false), spend: "revoked" } as MonitorEventBody, "counterpartyRevokedState"],
      [{ ...confirmed(false), spend: "holder" } as MonitorEventBody, "holderForceClosed"],
      [forceClosed({ kind: "operator", text: "now" }), "holderForceClosed"],
      [
        forceClosed({ kind: "htlcDeadline", paymentHash: outbound({ part: 1 }).paymentHash }),
        "htlcDeadline",
      ],
    ];
    for (const [body, reason] of cases) {
      const scene = Scene.opened();
      scene.event(MONITOR_A, body);
      assert.equal(reasonTold(scene), reason);
      assert.equal(scene.channel.closed, reason);
    }
  });
});

describe("a splice that a monitor takes for a close", () => {
  it("closes nothing and is acked; what closes the channel later does", () => {
    const scene = Scene.opened();
    const { parameters, holderCommitment, counterpartyCommitment } = initialState();
    const funding = { txid: txid(byte(0xef)), vout: 0 };
    const commitments = { holderCommitment, counterpartyCommitment };
    const splice = { ...parameters, funding, spliceParentFundingTxid: FUNDING.txid };
    const step = { kind: "renegotiatedFunding", parameters: splice, ...commitments } as const;
    assert.ok(scene.offer(1, [step]).ok);
    const taken = confirmed(true);
    if (taken.kind !== "commitmentTxConfirmed") assert.fail("a confirmed spend");
    scene.event(MONITOR_A, { ...taken, txid: funding.txid });
    assert.deepEqual([scene.channel.closed, scene.open], [undefined, []]);
    assert.deepEqual(scene.acks, ["A1"]);
    scene.event(MONITOR_B, forceClosed({ kind: "nodeRequested", text: "bye" }));
    assert.equal(scene.channel.closed, "holderForceClosed");
  });

  it("closes nothing when the splice was pending as the channel was watched", () => {
    const scene = new Scene();
    const initial = initialState();
    const { parameters } = initial;
    const funding = { txid: txid(byte(0xef)), vout: 0 };
    const splice = { ...parameters, funding, spliceParentFundingTxid: FUNDING.txid };
    assert.ok(scene.watch([], "initial", [{ ...initial, parameters: splice }]).ok);
    scene.receipt(MONITOR_A, 0);
    const taken = confirmed(true);
    if (taken.kind !== "commitmentTxConfirmed") assert.fail("a confirmed spend");
    scene.event(MONITOR_A, { ...taken, txid: funding.txid });
    assert.deepEqual([scene.channel.closed, scene.open], [undefined, []]);
  });
});

describe("outputs for the node's wallet", () => {
  const outputs: MonitorEventBody = {
    kind: "spendableOutputs",
    outputs: [
      {
        outpoint: FUNDING,
        valueSat: sat(1000),
        scriptPubkey: new Uint8Array(22),
        output: { kind: "static" },
      },
    ],
  };

  it("stay with every monitor until the node handled them", () => {
    for (const body of [outputs, { kind: "discardFunding", funding: FUNDING } as const]) {
      const scene = Scene.opened();
      scene.event(MONITOR_A, body);
      scene.event(MONITOR_B, body);
      const [key, ...more] = scene.open;
      assert.deepEqual(more, [], "told once");
      assert.deepEqual(scene.acks, []);
      scene.handle(key ?? "");
      assert.deepEqual(scene.acks, ["A1", "B1"]);
    }
  });
});

describe("the inbox", () => {
  it("refuses events of a channel that nobody watches here", () => {
    const scene = Scene.opened();
    const refused = scene.input({
      kind: "monitorEvent",
      monitorKey: MONITOR_A,
      storeId: STORE_A,
      channelId: channelId(byte(0x99)),
      eventId: eventId(1),
      eventHash: hash32(byte(1)),
      subjectKey: hash32(byte(1)),
      body: confirmed(true),
      origin: ON_CHAIN,
      createdAtMs: 1,
    });
    assert.equal(!refused.ok && refused.error.reason, "channelUnknown");
  });

  it("takes an event id that a restored store gave again for the new event, not for the old one", () => {
    const scene = Scene.opened();
    scene.event(MONITOR_A, confirmed(true));
    scene.event(MONITOR_A, claimed({ part: 1 }));
    const again = (id: number, body: MonitorEventBody): void => {
      const row = scene.inbox(MONITOR_A, id) ?? assert.fail("row");
      const { joined: _, state: __, waitsFor: ___, ...fields } = row;
      const other = { eventHash: hash32(byte(9)), subjectKey: hash32(byte(8)), body };
      scene.expectOk({ ...fields, ...other, kind: "monitorEvent" });
      assert.equal(scene.inbox(MONITOR_A, id)?.eventHash, other.eventHash);
    };
    again(1, claimed({ part: 2 }));
    assert.deepEqual(scene.acks, [], "the old ack names an event that the store has no longer");
    again(2, confirmed(true));
    assert.deepEqual(scene.acks, ["A2"]);
    const [ack] = scene.tables.ack.values();
    assert.equal(ack?.eventHash, byte(9), "acks name the event they are for");
    const told = scene.open.map((key) => key.split("/")[0] ?? "");
    const facts = ["payment-sent", "payment-path-successful", "payment-path-successful"];
    assert.deepEqual(
      told.filter((kind) => kind !== "alarm"),
      ["channel-closed", "close-channel", ...facts],
      "nothing of the old events is lost, nothing of the new ones",
    );
    assert.equal(told.filter((kind) => kind === "alarm").length, 2);
  });

  it("raises an alarm when events are missing, and goes on", () => {
    const scene = Scene.opened();
    scene.event(MONITOR_A, confirmed(true), ON_CHAIN, 3);
    assert.match(scene.open[0] ?? "", /^alarm\/eventGap/);
    assert.equal(scene.open[1], CLOSED);
  });

  it("keeps what this version cannot process, un-acked, with an alarm", () => {
    const scene = Scene.opened();
    const body = claimed({ part: 4 });
    if (body.kind !== "htlcEvent") assert.fail("htlcEvent");
    const origin = { kind: "trampoline", inbound: [] } as const;
    scene.event(MONITOR_A, { ...body, source: { ...body.source, origin } });
    assert.equal(scene.inbox(MONITOR_A, 1)?.state, "stuck");
    scene.handle(scene.open[0] ?? "");
    assert.deepEqual(scene.acks, []);
  });

  it("keeps a claim whose preimage is not that of its hash", () => {
    const scene = Scene.opened();
    const body = { ...claimed({ part: 4, secret: 4 }) };
    if (body.kind !== "htlcEvent") assert.fail("htlcEvent");
    const { paymentHash } = outbound({ part: 5 });
    scene.event(MONITOR_A, { ...body, paymentHash });
    assert.equal(scene.inbox(MONITOR_A, 1)?.state, "stuck");
    assert.deepEqual(scene.open, [`alarm/preimageMismatch/${byte(4)}`]);
  });

  it("says in one sentence what an ack waits for", () => {
    const scene = Scene.opened();
    const why = (id: number): string | undefined => {
      const row = scene.inbox(MONITOR_A, id);
      return row === undefined ? "gone" : whyNotAcked(scene.tables, row);
    };
    scene.event(MONITOR_A, failed({ part: 1 }), fromUpdate(7));
    scene.event(MONITOR_A, claimed({ part: 2 }));
    scene.event(MONITOR_A, confirmed(true));
    assert.match(why(1) ?? "", /update 7 is not durable on every required monitor/);
    assert.match(why(2) ?? "", /the node has not handled payment-sent/);
    assert.equal(why(3), undefined);
  });
});
