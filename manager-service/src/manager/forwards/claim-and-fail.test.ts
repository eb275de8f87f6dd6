/**
 * One forward, both outcomes: a claim overtakes a fail that the peer does not have; after that the channel
 * decides (contract section 1 "Commands", 2.10, 2.17; persistent-events R70 to R73, S44, S77, D5).
 */
import assert from "node:assert/strict";
import { Hops } from "../testing/hops.js";
import { AMOUNT_MSAT, forwardOf, IN, incoming, OUT } from "../testing/htlcs.js";
import { fromUpdate, MONITOR_A, MONITOR_B } from "../testing/scene.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

function failing(): Hops {
  const hops = new Hops();
  hops.add(inbound, outbound);
  hops.fails(MONITOR_A, outbound);
  return hops;
}
function peerHasFail(): Hops {
  const hops = failing();
  hops.answer("fail in/1", "sent");
  hops.handle("handling failed");
  return hops;
}

describe("a claim after a fail that the node has not sent (D5)", () => {
  it("replaces the command, and HTLCHandlingFailed when the node has the claim", () => {
    const hops = failing();
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["handling failed"]);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["handling failed", "claim in/1"]);
    hops.answer("claim in/1", "sent");
    assert.deepEqual(hops.open, ["claim in/1", "forwarded"]);
  });

  it("is told as forwarded even if the fail was handled, and acks both events", () => {
    const hops = failing();
    hops.handle("handling failed");
    hops.answer("fail in/1", "queued");
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.answer("claim in/1", "queued");
    hops.handle("forwarded");
    assert.equal(hops.told("handling failed"), 1);
    hops.remove(inbound);
    assert.deepEqual(hops.acks, []);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out", "A2 out"]);
  });

  it("is lost when the node finds that the peer has the fail", () => {
    const hops = failing();
    hops.handle("handling failed");
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.answer("claim in/1", "alreadyRemoving");
    assert.deepEqual(hops.open, [], "nothing to command, nothing forwarded");
    hops.remove(inbound);
    assert.deepEqual(hops.open, ["alarm forwardLost", "lost in/1"]);
  });

  it("is not acked by the removal until the node says which one the peer had", () => {
    const hops = failing();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.acks, []);
    hops.answer("claim in/1", "sent");
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 out", "A2 out"]);
  });
});

describe("a claim and a fail of which nobody says which one the peer has", () => {
  it("is a claim when the channel closes, removed or not: the preimage is with the monitors", () => {
    const hops = failing();
    hops.handle("handling failed");
    hops.claims(MONITOR_A, outbound);
    hops.remove(inbound);
    hops.durable(IN);
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.acks, ["A1 in"]);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["closed in", "forwarded"]);
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 in", "A1 out", "A2 out"]);
  });
});

describe("a claim after a fail that was never commanded", () => {
  it("takes HTLCHandlingFailed back at once", () => {
    const hops = new Hops();
    hops.add(inbound, outbound);
    hops.closes(MONITOR_A, IN);
    hops.fails(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["closed in", "handling failed"]);
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["closed in"]);
  });
});

describe("a claim after a fail that the peer has", () => {
  it("commands nothing, and still brings the preimage to the inbound monitors", () => {
    const hops = peerHasFail();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    assert.deepEqual(hops.records(), ["in"]);
    assert.deepEqual(hops.open, []);
    assert.deepEqual(hops.acks, []);
  });

  it("is lost once, when the removal comes; acked when that is handled (2.17)", () => {
    const hops = peerHasFail();
    hops.claims(MONITOR_A, outbound);
    hops.claims(MONITOR_B, outbound);
    hops.kept(IN);
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.open, ["alarm forwardLost", "lost in/1"]);
    assert.equal(hops.content("forwardLost").amountMsat, AMOUNT_MSAT);
    assert.equal(hops.content("forwardLost").next.channelId, OUT);
    assert.deepEqual(hops.acks, []);
    hops.handle("lost in/1");
    assert.deepEqual(hops.acks, ["A1 out", "A2 out", "B1 out"]);
    assert.equal(hops.told("forwarded"), 0);
  });

  it("is won when the channel closes first: the monitors claim on the chain", () => {
    const hops = peerHasFail();
    hops.claims(MONITOR_A, outbound);
    hops.closes(MONITOR_A, IN);
    assert.equal(hops.told("forwarded"), 0, "its preimage is durable nowhere");
    hops.kept(IN);
    assert.deepEqual(hops.open, ["closed in", "forwarded"]);
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 in", "A1 out", "A2 out"]);
    assert.equal(hops.told("lost in/1"), 0);
  });

  it("does not take HTLCHandlingFailed back: the HTLC did fail", () => {
    const hops = failing();
    hops.answer("fail in/1", "sent");
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["handling failed"]);
  });
});

describe("a claim after the fail was carried out (S77)", () => {
  it("is ForwardLost once; the preimage still goes to the inbound monitors", () => {
    const hops = peerHasFail();
    hops.remove(inbound);
    hops.durable(IN);
    hops.ackEverything();
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["alarm forwardLost", "lost in/1"]);
    assert.deepEqual(hops.records(), ["in"], "our own commitment may still have the HTLC (2.11)");
    assert.deepEqual(hops.acks, []);
    hops.handle("lost in/1");
    assert.deepEqual(hops.acks, ["A2 out"]);
    hops.claims(MONITOR_B, outbound);
    assert.deepEqual(hops.acks, ["A2 out", "B1 out"]);
    assert.equal(hops.told("lost in/1") + hops.told("forwarded"), 1);
  });
});

describe("a claim after a fail whose removal is durable nowhere when the channel closes", () => {
  it("is lost, and not acked before the monitors have its preimage: the chain may decide otherwise", () => {
    const hops = peerHasFail();
    hops.remove(inbound);
    hops.claims(MONITOR_A, outbound);
    hops.handle("lost in/1");
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.acks, ["A1 in"]);
    hops.kept(IN);
    assert.deepEqual(hops.acks, ["A1 in", "A1 out", "A2 out"]);
  });
});

describe("a second fail (R72, S77)", () => {
  it("adds nothing while the first is under way, and is acked with it", () => {
    const hops = peerHasFail();
    hops.fails(MONITOR_A, outbound, fromUpdate(2));
    assert.equal(hops.told("handling failed"), 1);
    assert.deepEqual(hops.open, ["fail in/1"]);
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out", "A2 out"]);
  });

  it("after the removal is acked at once", () => {
    const hops = peerHasFail();
    hops.remove(inbound);
    hops.durable(IN);
    hops.ackEverything();
    hops.fails(MONITOR_A, outbound);
    assert.deepEqual(hops.acks, ["A2 out"]);
    assert.deepEqual(hops.open, []);
  });
});

describe("a fail after a claim (S44, S70, S78)", () => {
  it("is no fail: no HTLCHandlingFailed, no command; acked with the claim", () => {
    const hops = new Hops();
    hops.add(inbound, outbound);
    hops.fulfilled(outbound);
    hops.kept(IN);
    hops.fails(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["claim in/1", "forwarded"]);
    assert.deepEqual(hops.acks, []);
    hops.handle("forwarded");
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out"]);
    hops.fails(MONITOR_B, outbound);
    assert.deepEqual(hops.acks, ["A1 out", "B1 out"], "at once, later");
  });

  it("that was held meanwhile, too", () => {
    const hops = new Hops();
    hops.add(inbound, outbound);
    hops.remove(outbound);
    hops.fails(MONITOR_A, outbound, fromUpdate(Number(hops.channel(OUT).acceptedId)));
    hops.claims(MONITOR_B, outbound);
    hops.durable(OUT);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["claim in/1", "forwarded"]);
    assert.equal(hops.inbox(MONITOR_A, OUT)?.state, "waiting");
  });
});
