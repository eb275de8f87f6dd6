/**
 * An ordinary forward with both channels open: what is told when, which command the node gets, and when
 * each monitor's event is acked (persistent-events S42, S68, 2J; contract 2.6, 2.7, "Removed").
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { htlcId } from "@farwatch/protocol/ids";
import { Hops } from "../testing/hops.js";
import {
  AMOUNT_MSAT,
  claimOf,
  FEE_MSAT,
  forwardOf,
  IN,
  incoming,
  OUT,
  PEER_REASON,
} from "../testing/htlcs.js";
import { fromUpdate, MONITOR_A, MONITOR_B, secretOf } from "../testing/scene.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

function forwarding(): Hops {
  const hops = new Hops();
  hops.add(inbound, outbound);
  return hops;
}

describe("the claim of a forward", () => {
  it("is a record on the inbound channel at once, and nothing else yet", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound, fromUpdate(99));
    assert.deepEqual(hops.records(), ["in"]);
    assert.deepEqual(hops.kinds, ["sendPreimage"]);
    assert.deepEqual(hops.open, []);
  });

  it("is commanded and told when the record is durable on both monitors, not on one", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.stored(MONITOR_A, IN);
    hops.stored(MONITOR_A, IN);
    assert.deepEqual(hops.open, []);
    hops.stored(MONITOR_B, IN);
    assert.deepEqual(hops.open, ["claim in/1", "forwarded"]);
    assert.deepEqual(hops.content("claimInbound").preimage, secretOf(1));
  });

  it("tells both locators and the fee", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    const { kind: _kind, ...told } = hops.content("paymentForwarded");
    const userChannelId = undefined;
    assert.deepEqual(told, {
      prev: [{ channelId: IN, htlcId: 1n, amountMsat: AMOUNT_MSAT, userChannelId }],
      next: [{ channelId: OUT, htlcId: 7n, amountMsat: AMOUNT_MSAT - FEE_MSAT, userChannelId }],
      totalFeeMsat: FEE_MSAT,
      skimmedFeeMsat: undefined,
      claimFromOnchain: true,
    });
  });

  it("says where the preimage was learnt by the event's origin, and what was skimmed", () => {
    const hops = forwarding();
    hops.closes(MONITOR_A, OUT);
    hops.claims(MONITOR_A, outbound, fromUpdate(2), msat(20));
    hops.claims(MONITOR_B, outbound);
    hops.kept(IN);
    assert.equal(hops.content("paymentForwarded").claimFromOnchain, false);
    assert.equal(hops.content("paymentForwarded").skimmedFeeMsat, 20n);
  });

  it("hands the peer's attribution data to whoever claims upstream (G14)", () => {
    const hops = forwarding();
    const body = claimOf(outbound);
    const attributionData = new Uint8Array([7]);
    assert.equal(body.resolution.kind, "claimed");
    const resolution = { ...body.resolution, attributionData };
    hops.event(MONITOR_A, OUT, { ...body, resolution });
    hops.kept(IN);
    assert.deepEqual(hops.content("claimInbound").attributionData, attributionData);
    const told = forwarding();
    told.fulfilled(outbound);
    told.event(MONITOR_A, OUT, { ...body, resolution });
    told.kept(IN);
    assert.deepEqual(
      told.content("claimInbound").attributionData,
      attributionData,
      "the fast path did not know it",
    );
  });

  it("is acked when the removal is durable on both monitors and PaymentForwarded is handled", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.answer("claim in/1", "sent");
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, []);
    hops.remove(inbound);
    assert.deepEqual(hops.acks, [], "accepted is not durable");
    hops.receipt(MONITOR_A, IN);
    assert.deepEqual(hops.acks, []);
    assert.deepEqual(hops.open, ["claim in/1"], "wanted until the removal is durable");
    hops.receipt(MONITOR_B, IN);
    assert.deepEqual(hops.acks, ["A1 out"]);
    assert.deepEqual(hops.open, []);
  });

  it("is not acked by the removal alone", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.claims(MONITOR_B, outbound);
    hops.kept(IN);
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.acks, []);
    assert.deepEqual(hops.open, ["forwarded"]);
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 out", "B1 out"]);
  });

  it("is not removed while the previous commitment, not yet revoked, still has the HTLC", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.handle("forwarded");
    assert.ok(hops.sign(IN, []).ok);
    hops.durable(IN);
    assert.equal(hops.inbound(inbound).removedBy, undefined);
    assert.deepEqual(hops.acks, []);
    hops.revokePrevious(IN);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out"]);
  });

  it("acts although the update it came from is durable nowhere", () => {
    const hops = forwarding();
    hops.remove(outbound);
    hops.claims(MONITOR_A, outbound, fromUpdate(4));
    hops.kept(IN);
    assert.equal(hops.told("forwarded"), 1);
  });

  it("that another monitor reports later, after everything, is acked there at once", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.handle("forwarded");
    hops.remove(inbound);
    hops.durable(IN);
    hops.ackEverything();
    hops.claims(MONITOR_B, outbound);
    assert.deepEqual(hops.acks, ["B1 out"]);
    assert.equal(hops.told("forwarded"), 1);
    assert.deepEqual(hops.open, []);
  });
});

describe("the fast path of a forward", () => {
  it("without any event claims, commands and tells", () => {
    const hops = forwarding();
    assert.ok(hops.fulfilled(outbound, msat(20)).ok);
    assert.deepEqual(hops.records(), ["in"]);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["claim in/1", "forwarded"]);
    assert.equal(hops.content("paymentForwarded").claimFromOnchain, false);
    assert.equal(hops.content("paymentForwarded").skimmedFeeMsat, 20n);
  });

  it("before the event leaves it nothing to do but its ack (S42, S61)", () => {
    const hops = forwarding();
    hops.fulfilled(outbound);
    hops.kept(IN);
    hops.claims(MONITOR_A, outbound);
    assert.equal(hops.told("forwarded"), 1);
    assert.equal(hops.content("paymentForwarded").claimFromOnchain, false);
    hops.handle("forwarded");
    hops.remove(inbound);
    assert.deepEqual(hops.acks, []);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out"]);
  });

  it("after the event, or twice, changes nothing that is told", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.fulfilled(outbound);
    hops.fulfilled(outbound);
    assert.deepEqual(hops.open, ["claim in/1", "forwarded"]);
    assert.equal(hops.content("paymentForwarded").claimFromOnchain, true);
  });

  it("and the inbound removal may end before the event comes (3.4)", () => {
    const hops = forwarding();
    hops.fulfilled(outbound);
    hops.kept(IN);
    hops.remove(inbound);
    hops.durable(IN);
    hops.handle("forwarded");
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.acks, ["A1 out"]);
  });

  it("needs the preimage of a known HTLC of that channel", () => {
    const hops = forwarding();
    const reason = (htlc: typeof outbound): string | undefined => {
      const decided = hops.fulfilled(htlc);
      return decided.ok ? undefined : decided.error.reason;
    };
    assert.equal(reason({ ...outbound, secret: 2 }), "preimageMismatch");
    assert.equal(reason(forwardOf(inbound, OUT, 8)), "claimNotFound");
    assert.equal(reason({ ...outbound, on: IN }), "claimNotFound");
    assert.deepEqual(hops.records(), []);
  });
});

describe("the fail of a forward", () => {
  it("waits until its update is durable on every required monitor (contract 2.6, D7, D21)", () => {
    const hops = forwarding();
    hops.remove(outbound);
    const id = hops.channel(OUT).acceptedId;
    hops.fails(MONITOR_A, outbound, fromUpdate(Number(id)));
    hops.receipt(MONITOR_A, OUT);
    assert.deepEqual(hops.open, []);
    assert.equal(hops.inbox(MONITOR_A, OUT)?.state, "held");
    hops.receipt(MONITOR_B, OUT);
    assert.deepEqual(hops.open, ["handling failed", "fail in/1"]);
  });

  it("that the chain decided waits for nothing", () => {
    const hops = forwarding();
    hops.remove(outbound);
    hops.fails(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["handling failed", "fail in/1"]);
  });

  it("carries the peer's reason, hold time included, upstream and to the user", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, outbound);
    assert.deepEqual(hops.content("failInbound").reason, PEER_REASON);
    assert.deepEqual(hops.content("htlcHandlingFailed").reason, PEER_REASON);
    assert.deepEqual(
      hops.content("htlcHandlingFailed").prev.map((prev) => [prev.channelId, prev.htlcId]),
      [[IN, htlcId(1)]],
    );
  });

  it("is acked when the removal is durable; HTLCHandlingFailed is not waited for", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, outbound);
    hops.fails(MONITOR_B, outbound);
    hops.answer("fail in/1", "sent");
    hops.remove(inbound);
    hops.receipt(MONITOR_A, IN);
    assert.deepEqual(hops.acks, []);
    hops.receipt(MONITOR_B, IN);
    assert.deepEqual(hops.acks, ["A1 out", "B1 out"]);
    assert.deepEqual(hops.open, ["handling failed"]);
    hops.ackEverything();
    hops.handle("handling failed");
    assert.deepEqual(hops.acks, []);
  });

  it("is told once, whatever is repeated", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, outbound);
    hops.fails(MONITOR_B, outbound);
    hops.handle("handling failed");
    hops.fails(MONITOR_A, outbound, fromUpdate(2));
    assert.equal(hops.told("handling failed"), 1);
    assert.equal(hops.told("fail in/1"), 1);
  });

  it("records no preimage anywhere", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, outbound);
    assert.equal(hops.tables.preimage.size, 0);
  });
});

describe("two forwards", () => {
  it("of one hash and amount between the same channels are told apart by htlc id (D20, D25)", () => {
    const hops = forwarding();
    const second = incoming(IN, 2);
    const onward = forwardOf(second, OUT, 8);
    hops.add(second, onward);
    hops.claims(MONITOR_A, outbound);
    hops.claims(MONITOR_A, onward);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["claim in/1", "claim in/2", "forwarded", "forwarded"]);
    hops.handle("forwarded");
    hops.handle("forwarded");
    hops.remove(second);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A2 out"], "only that of the removed HTLC");
    assert.deepEqual(hops.open, ["claim in/1"]);
  });

  it("of one hash may end differently (S64)", () => {
    const hops = forwarding();
    const second = incoming(IN, 2);
    const onward = forwardOf(second, OUT, 8);
    hops.add(second, onward);
    hops.fails(MONITOR_A, outbound);
    hops.claims(MONITOR_A, onward);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["handling failed", "fail in/1", "claim in/2", "forwarded"]);
  });
});

describe("a monitor whose store is replaced", () => {
  it("does not have the preimage any more: what was not told yet waits for it", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.stored(MONITOR_B, IN);
    hops.replaceStore(MONITOR_B, IN);
    hops.stored(MONITOR_A, IN);
    assert.deepEqual(hops.open, ["alarm storeReplaced"]);
    hops.stored(MONITOR_B, IN);
    assert.deepEqual(hops.open, ["alarm storeReplaced", "claim in/1", "forwarded"]);
  });
});
