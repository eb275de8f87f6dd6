/**
 * An inbound HTLC is forwarded once, and only one that is committed (contract 2.15, section 1 HtlcNotSent;
 * persistent-events R15, S25, S26, S58, D26).
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { blockHeight } from "@farwatch/protocol/block";
import type { Result } from "@farwatch/protocol/result";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Decision } from "../effect.js";
import { Hops } from "../testing/hops.js";
import {
  forwardOf,
  IN,
  IN2,
  incoming,
  OUT,
  OUT2,
  trampolineOf,
  type Outgoing,
} from "../testing/htlcs.js";
import { byte, MONITOR_A, ownSource, sign } from "../testing/scene.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

function forwarding(): Hops {
  const hops = new Hops();
  hops.add(inbound, outbound);
  return hops;
}
const reasonOf = (decided: Result<Decision, Refusal>): string | undefined =>
  decided.ok ? decided.value.refusal?.reason : decided.error.reason;
const signing = (hops: Hops, htlc: Outgoing): string | undefined =>
  reasonOf(hops.sign(htlc.on, [...hops.carried(htlc.on), htlc]));

/** Its source says that the inbound HTLC expires a block later than it does. */
function laterExpiry(htlc: Outgoing): Outgoing {
  const { origin } = htlc.source;
  assert(origin.kind === "forward");
  const cltvExpiry = blockHeight(origin.inbound.cltvExpiry + 1);
  const changed = { ...origin, inbound: { ...origin.inbound, cltvExpiry } };
  return { ...htlc, source: { ...htlc.source, origin: changed } };
}

describe("the double-forward guard", () => {
  it("refuses a second outbound HTLC while the first is live, on any channel", () => {
    const hops = forwarding();
    assert.equal(signing(hops, forwardOf(inbound, OUT2, 8)), "duplicateForward");
    assert.equal(signing(hops, forwardOf(inbound, OUT, 8)), "duplicateForward");
    assert.equal(signing(hops, trampolineOf([inbound], OUT2, 8)), "duplicateForward");
    assert.equal(hops.tables.leg.size, 1);
  });

  it("refuses the same source again, also after its HTLC left the commitments", () => {
    const hops = forwarding();
    assert.equal(signing(hops, { ...outbound, on: OUT2 }), "duplicateForward");
    hops.remove(outbound);
    assert.equal(signing(hops, outbound), "duplicateForward");
  });

  it("refuses one whose inbound HTLC is resolved, removed or not", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, outbound);
    assert.equal(signing(hops, forwardOf(inbound, OUT2, 8)), "duplicateForward");
    hops.remove(inbound);
    hops.durable(IN);
    assert.equal(signing(hops, forwardOf(inbound, OUT2, 9)), "duplicateForward");
  });

  it("refuses a node that came back without its memory, whatever it thinks is new (S31, S55)", () => {
    const hops = forwarding();
    hops.session(2n, { channels: [] });
    assert.equal(signing(hops, forwardOf(inbound, OUT2, 8)), "nodeBehind");
    // It lost the outbound channel alone: the inbound HTLC looks as if it had not been forwarded.
    hops.session(3n);
    assert.equal(signing(hops, forwardOf(inbound, OUT2, 9)), "duplicateForward");
  });

  it("refuses to forward what we claim as the payee", () => {
    const hops = new Hops();
    hops.add(inbound);
    assert.ok(hops.claimPayment([inbound]).ok);
    assert.equal(signing(hops, outbound), "duplicateForward");
  });

  it("lets the same commitments be listed again", () => {
    const hops = forwarding();
    const other = incoming(IN, 2, 2);
    hops.add(other, forwardOf(other, OUT, 8));
    assert.equal(hops.tables.leg.size, 2);
  });
});

describe("a forward", () => {
  it("needs its inbound HTLC committed, with its hash, on a channel of the node", () => {
    const hops = new Hops("managerResolves", [IN, OUT]);
    hops.add(inbound);
    assert.equal(signing(hops, forwardOf(incoming(IN, 2), OUT, 8)), "malformed");
    assert.equal(signing(hops, forwardOf(incoming(IN, 1, 2), OUT, 8)), "malformed");
    assert.equal(signing(hops, forwardOf(incoming(IN2, 1), OUT, 8)), "channelUnknown");
    assert.equal(signing(hops, trampolineOf([], OUT, 8)), "malformed");
    assert.equal(hops.tables.forward.size + hops.tables.leg.size, 0);
    assert.equal(signing(hops, outbound), undefined);
  });

  it("names its inbound HTLC with the committed amount and expiry: the fee and R27 are reckoned by them", () => {
    const hops = new Hops();
    hops.add(inbound);
    const more = { ...inbound, amountMsat: msat(inbound.amountMsat + 1n) };
    assert.equal(signing(hops, forwardOf(more, OUT, 7)), "malformed");
    assert.equal(signing(hops, trampolineOf([more], OUT, 7)), "malformed");
    assert.equal(signing(hops, laterExpiry(outbound)), "malformed");
    assert.equal(hops.tables.forward.size + hops.tables.leg.size, 0);
    assert.equal(signing(hops, outbound), undefined);
  });

  it("of a node that resolves by itself may name neither: LDK's sources do not", () => {
    const hops = new Hops("nodeResolves");
    hops.add(inbound);
    const unnamed = { ...inbound, amountMsat: msat(0) };
    assert.equal(signing(hops, laterExpiry(forwardOf(unnamed, OUT, 7))), undefined);
    assert.equal(hops.tables.leg.size, 1);
  });

  it("in a refused commitment leaves no trace", () => {
    const hops = new Hops();
    hops.add(inbound);
    const bad = forwardOf(incoming(IN, 2), OUT, 8);
    assert.equal(reasonOf(hops.sign(OUT, [outbound, bad])), "malformed");
    assert.equal(hops.tables.forward.size + hops.tables.leg.size + hops.tables.inbound.size, 0);
  });
});

describe("HtlcNotSent of a forward (R15)", () => {
  it("fails it upstream and tells so; there is no event to ack", () => {
    const hops = new Hops();
    hops.add(inbound);
    assert.equal(reasonOf(hops.notSent(outbound)), undefined);
    assert.deepEqual(hops.open, ["handling failed", "fail in/1"]);
    assert.deepEqual(hops.content("failInbound").reason.cause, {
      kind: "local",
      failureCode: 0x1007,
      data: new Uint8Array(),
    });
    hops.remove(inbound);
    hops.durable(IN);
    assert.deepEqual(hops.open, ["handling failed"]);
  });

  it("again changes nothing", () => {
    const hops = new Hops();
    hops.add(inbound);
    hops.notSent(outbound);
    const again = hops.notSent(outbound);
    assert.deepEqual(again.ok && again.value.changes, []);
  });

  it("is refused when an accepted update has the HTLC (D26), for ever", () => {
    const hops = forwarding();
    assert.equal(reasonOf(hops.notSent(outbound)), "htlcCommitted");
    hops.remove(outbound);
    hops.durable(OUT);
    assert.equal(reasonOf(hops.notSent(outbound)), "htlcCommitted");
    assert.deepEqual(hops.open, []);
  });

  it("is final: its source cannot be committed afterwards", () => {
    const hops = new Hops();
    hops.add(inbound);
    hops.notSent(outbound);
    assert.equal(signing(hops, outbound), "duplicateForward");
  });

  it("of an inbound HTLC that is forwarded otherwise is refused", () => {
    const hops = forwarding();
    assert.equal(reasonOf(hops.notSent(forwardOf(inbound, OUT2, 8))), "duplicateForward");
    assert.deepEqual(hops.open, []);
  });

  it("names an inbound HTLC that exists, of the node's own channel", () => {
    const hops = new Hops();
    hops.add(inbound);
    assert.equal(reasonOf(hops.notSent(outbound, byte(3, 33))), "notYourChannel");
    assert.equal(reasonOf(hops.notSent(forwardOf(incoming(IN, 2), OUT, 8))), "malformed");
    assert.equal(reasonOf(hops.notSent(trampolineOf([], OUT, 8))), "malformed");
    assert.equal(hops.tables.inbound.size, 0);
    assert.equal(signing(hops, outbound), undefined, "nobody else can block it");
  });
});

describe("HtlcNotSent of an own part", () => {
  it("is refused when an accepted update has the HTLC (D26)", () => {
    const hops = new Hops();
    assert.ok(hops.offer(OUT, sign(1, [{ part: 5 }])).ok);
    const [own] = hops.tables.part.values();
    assert.equal(own?.state, "alive");
    const source = { ...outbound, name: 5, secret: 5, source: ownSource({ part: 5 }) };
    assert.equal(reasonOf(hops.notSent(source)), "htlcCommitted");
  });
});
