/**
 * Roles NODE_RESOLVES and OBSERVE (contract section 1): the item is the monitor's event. Preimages are relayed
 * in every role (2.7); a forward that looks like a second one is accepted with an alarm (2.15).
 */
import assert from "node:assert/strict";
import { Hops } from "../testing/hops.js";
import { forwardOf, IN, incoming, OUT, OUT2, trampolineOf } from "../testing/htlcs.js";
import { fromUpdate, MONITOR_A, MONITOR_B } from "../testing/scene.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

function forwarding(role: "nodeResolves" | "observe"): Hops {
  const hops = new Hops(role);
  hops.add(inbound, outbound);
  return hops;
}

describe("role NODE_RESOLVES", () => {
  it("tells the event and nothing else, and acks it on Done", () => {
    const hops = forwarding("nodeResolves");
    hops.claims(MONITOR_A, outbound);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["event out"]);
    assert.deepEqual(hops.content("monitorEvent").body.kind, "htlcEvent");
    assert.deepEqual(hops.acks, []);
    hops.handle("event out");
    assert.deepEqual(hops.acks, ["A1 out"], "the inbound removal is the node's concern");
  });

  it("relays the preimage to the inbound channel without the node", () => {
    const hops = forwarding("nodeResolves");
    hops.claims(MONITOR_A, outbound, fromUpdate(2));
    assert.deepEqual(hops.records(), ["in"]);
    assert.ok(hops.kinds.includes("sendPreimage"));
  });

  it("tells one fact of two monitors once, and acks both", () => {
    const hops = forwarding("nodeResolves");
    hops.claims(MONITOR_A, outbound);
    hops.claims(MONITOR_B, outbound);
    assert.deepEqual(hops.open, ["event out"]);
    hops.handle("event out");
    assert.deepEqual(hops.acks, ["A1 out", "B1 out"]);
  });

  it("tells a chain event in spite of an off-chain one, and a claim in spite of a fail", () => {
    const hops = forwarding("nodeResolves");
    hops.fails(MONITOR_A, outbound, fromUpdate(2));
    hops.fails(MONITOR_A, outbound);
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["event out", "event out", "event out"]);
    assert.deepEqual(hops.acks, []);
  });

  it("holds a fail back until its update is durable everywhere", () => {
    const hops = forwarding("nodeResolves");
    hops.remove(outbound);
    hops.fails(MONITOR_A, outbound, fromUpdate(Number(hops.channel(OUT).acceptedId)));
    assert.deepEqual(hops.open, []);
    hops.durable(OUT);
    assert.deepEqual(hops.open, ["event out"]);
  });

  it("hands a close on and commands nothing", () => {
    const hops = forwarding("nodeResolves");
    hops.closes(MONITOR_A, IN);
    assert.deepEqual(hops.open, ["event in"]);
    assert.deepEqual(hops.acks, []);
    hops.handle("event in");
    assert.deepEqual(hops.acks, ["A1 in"]);
  });

  it("accepts what looks like a second forward, with an alarm; its preimage is relayed too", () => {
    const hops = forwarding("nodeResolves");
    const again = forwardOf(inbound, OUT2, 8);
    hops.add(again);
    assert.deepEqual(hops.open, ["alarm duplicateForward"]);
    hops.claims(MONITOR_A, again);
    assert.deepEqual(hops.records(), ["in"]);
    assert.deepEqual(hops.open, ["alarm duplicateForward", "event out2"]);
  });

  it("relays a preimage although the manager knew nothing of the forward", () => {
    const hops = new Hops("nodeResolves");
    hops.add(inbound);
    hops.claims(MONITOR_A, trampolineOf([inbound], OUT, 9));
    assert.deepEqual(hops.records(), ["in"]);
  });

  it("takes the fast path for the relay only", () => {
    const hops = forwarding("nodeResolves");
    assert.ok(hops.fulfilled(outbound).ok);
    hops.kept(IN);
    assert.deepEqual(hops.records(), ["in"]);
    assert.deepEqual(hops.open, []);
  });
});

describe("a forward from another node's channel", () => {
  const other = "03".repeat(33);
  const foreign = (role: "managerResolves" | "nodeResolves"): Hops => {
    const hops = new Hops(role, [OUT]);
    hops.watch(IN, [inbound], other);
    return hops;
  };

  it("touches nothing of that node; its event still goes to the node that has it", () => {
    const hops = foreign("nodeResolves");
    hops.add(outbound);
    assert.deepEqual(hops.open, ["alarm notYourChannel"]);
    hops.claims(MONITOR_A, outbound);
    hops.fails(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["alarm notYourChannel", "event out", "event out"]);
    assert.equal(
      hops.tables.inbound.size + hops.tables.forward.size + hops.tables.preimage.size,
      0,
    );
  });

  it("is kept un-acked in role MANAGER_RESOLVES, where no update can have brought it", () => {
    const hops = foreign("managerResolves");
    const decided = hops.sign(OUT, [outbound]);
    assert.equal(!decided.ok && decided.error.reason, "notYourChannel");
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.open, ["alarm notYourChannel"]);
    assert.equal(hops.inbox(MONITOR_A, OUT)?.state, "stuck");
    assert.equal(hops.tables.inbound.size, 0);
  });
});

describe("role OBSERVE", () => {
  it("acks an event in the commit that records it, and still tells it", () => {
    const hops = forwarding("observe");
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.acks, ["A1 out"]);
    assert.deepEqual(hops.open, ["event out"]);
    assert.deepEqual(hops.records(), ["in"]);
  });
});

describe("a role", () => {
  it("never changes", () => {
    const hops = new Hops("nodeResolves");
    for (const role of ["managerResolves", "observe"] as const) {
      const decided = hops.session(2n, { role });
      assert.equal(!decided.ok && decided.error.reason, "unknownRole");
      assert.equal(!decided.ok && decided.error.details["role"], "nodeResolves");
    }
    assert.ok(hops.session(2n, { role: "nodeResolves" }).ok);
  });
});
