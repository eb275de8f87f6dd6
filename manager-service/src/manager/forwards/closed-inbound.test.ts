/**
 * A forward whose inbound channel is closed, or closes on the way: a claim is done when its preimage is
 * durable there, a fail at once (contract section 1, "Removed"; persistent-events R53, R57, R59, S46, S57).
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { Hops } from "../testing/hops.js";
import { forwardOf, IN, IN2, incoming, OUT, OUT2 } from "../testing/htlcs.js";
import { fromUpdate, MONITOR_A, MONITOR_B, secretOf } from "../testing/scene.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

function forwarding(): Hops {
  const hops = new Hops();
  hops.add(inbound, outbound);
  return hops;
}
function closedInbound(): Hops {
  const hops = forwarding();
  hops.closes(MONITOR_A, IN);
  hops.handle("closed in");
  hops.ackEverything();
  return hops;
}
const forceClose = { kind: "channelForceClosed", shouldBroadcast: true, reason: "bye" } as const;

describe("a claim on a closed inbound channel", () => {
  it("is acked when the preimage is durable on both monitors and PaymentForwarded is handled", () => {
    const hops = closedInbound();
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.records(), ["in"]);
    hops.stored(MONITOR_A, IN);
    assert.deepEqual(hops.open, []);
    hops.stored(MONITOR_B, IN);
    assert.deepEqual(hops.open, ["forwarded"], "no command: the monitors claim");
    assert.deepEqual(hops.acks, []);
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 out"]);
  });

  it("tells what was skimmed with the fee, the skimming included, also when it is more than that (G27)", () => {
    for (const skimmed of [40n, 4_000n]) {
      const hops = closedInbound();
      hops.claims(MONITOR_A, outbound, fromUpdate(2), msat(skimmed));
      hops.kept(IN);
      assert.equal(hops.content("paymentForwarded").totalFeeMsat, 100n);
      assert.equal(hops.content("paymentForwarded").skimmedFeeMsat, skimmed);
    }
  });

  it("carries a fee and is told once, whatever is replayed (D17)", () => {
    const hops = closedInbound();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.claims(MONITOR_B, outbound, fromUpdate(2));
    hops.handle("forwarded");
    hops.ackEverything();
    hops.claims(MONITOR_A, outbound);
    assert.equal(hops.content("paymentForwarded").totalFeeMsat, 100n);
    assert.equal(hops.told("forwarded"), 1);
    assert.deepEqual(hops.acks, ["A2 out"]);
    assert.deepEqual(hops.kinds, ["sendAck"], "no second record either");
  });
});

describe("a fail on a closed inbound channel", () => {
  it("is told and acked at once", () => {
    const hops = closedInbound();
    hops.fails(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["handling failed"]);
    assert.deepEqual(hops.acks, ["A1 out"]);
  });

  it("followed by a claim is a claim: not acked before its preimage is durable", () => {
    const hops = closedInbound();
    hops.fails(MONITOR_A, outbound);
    hops.handle("handling failed");
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.records(), ["in"]);
    assert.deepEqual(hops.open, [], "not before the preimage is durable");
    hops.kept(IN);
    assert.deepEqual(hops.open, ["forwarded"]);
    assert.deepEqual(hops.acks, ["A1 out"]);
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 out", "A2 out"]);
  });
});

describe("an inbound channel that closes", () => {
  it("during the removal leaves the preimage to be waited for (R57)", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.stored(MONITOR_A, IN);
    hops.remove(inbound);
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.open, ["closed in"]);
    hops.stored(MONITOR_B, IN);
    assert.deepEqual(hops.open, ["closed in", "forwarded"]);
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 in", "A1 out"]);
  });

  it("takes the claim command back; what is durable by then is enough", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    hops.handle("forwarded");
    hops.closes(MONITOR_B, IN);
    assert.deepEqual(hops.open, ["closed in"]);
    assert.deepEqual(hops.acks, ["A1 out", "B1 in"]);
  });

  it("takes the fail command back and lets the fail be acked", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, outbound);
    hops.answer("fail in/1", "queued");
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.open, ["handling failed", "closed in"]);
    assert.deepEqual(hops.acks, ["A1 in", "A1 out"]);
  });

  it("by the node's own step counts as closed", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, outbound);
    assert.ok(hops.offer(IN, forceClose).ok);
    assert.deepEqual(hops.open, ["handling failed"]);
    assert.deepEqual(hops.acks, ["A1 out"]);
  });

  it("changes nothing for a forward from another channel", () => {
    const hops = forwarding();
    const other = incoming(IN2, 1, 2);
    const onward = forwardOf(other, OUT2, 8);
    hops.add(other, onward);
    hops.claims(MONITOR_A, onward);
    hops.kept(IN2, 2);
    const before = hops.open;
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.open, [...before, "closed in"]);
  });
});

describe("an outbound HTLC whose inbound channel is not watched", () => {
  /** OUT is watched first, as it was when its HTLC existed already. */
  function imported(): Hops {
    const hops = new Hops("managerResolves", []);
    hops.watch(OUT, [outbound]);
    hops.durable(OUT);
    return hops;
  }

  it("keeps its preimage for the channel, and says so", () => {
    const hops = imported();
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["alarm inboundUnknown"]);
    assert.deepEqual(hops.records(), ["in"]);
    assert.deepEqual(
      hops.kinds.filter((kind) => kind === "sendPreimage"),
      [],
    );
    assert.deepEqual(hops.acks, []);
  });

  it("is claimed when that channel is watched", () => {
    const hops = imported();
    hops.claims(MONITOR_A, outbound);
    hops.watch(IN, [inbound]);
    assert.deepEqual(hops.kinds, ["sendWatch", "sendPreimage"]);
    hops.durable(IN);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["alarm inboundUnknown", "claim in/1", "forwarded"]);
    hops.handle("forwarded");
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out"]);
  });

  it("is lost when that channel is watched without it, before anything was decided", () => {
    const hops = imported();
    hops.watch(IN);
    hops.durable(IN);
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["alarm forwardLost", "lost in/1"]);
  });

  it("is failed when that channel is watched", () => {
    const hops = imported();
    hops.fails(MONITOR_A, outbound);
    hops.watch(IN, [inbound]);
    hops.durable(IN);
    assert.ok(hops.open.includes("fail in/1"));
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 out"]);
  });
});

describe("a claim that comes when the inbound HTLC is gone already", () => {
  it("because the node claimed it by itself is told and acked", () => {
    const hops = forwarding();
    hops.offer(IN, {
      kind: "paymentPreimage",
      preimage: secretOf(1),
      paymentInfo: undefined,
    });
    hops.remove(inbound);
    hops.durable(IN);
    hops.claims(MONITOR_A, outbound);
    assert.equal(hops.told("forwarded"), 1);
    assert.equal(hops.told("lost in/1"), 0);
  });
});
