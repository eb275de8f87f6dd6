/**
 * Preimages of a forward that come by another way than a monitor's event: in an update, accepted or refused.
 * None is dropped, none waits for the monitors of the outbound channel (contract 2.7, 2.12).
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import type { UpdateStep } from "@farwatch/protocol/update";
import { Hops } from "../testing/hops.js";
import { claimOf, forwardOf, IN, incoming, OUT, type Outgoing } from "../testing/htlcs.js";
import { holder, MONITOR_A, ownSource, secretOf } from "../testing/scene.js";

const inbound = incoming(IN, 1);
const outbound = forwardOf(inbound, OUT, 7);

function forwarding(): Hops {
  const hops = new Hops();
  hops.add(inbound, outbound);
  return hops;
}
const claiming = (htlc: Outgoing, secret: number, number = 1): UpdateStep => ({
  kind: "latestHolderCommitment",
  commitment: holder(number),
  pending: [],
  claimed: [
    {
      sourceKey: htlc.source.sourceKey,
      preimage: secretOf(secret),
      skimmedFeeMsat: msat(20),
      attributionData: new Uint8Array([7]),
    },
  ],
  failed: [],
});

describe("a claimed entry of a forward", () => {
  it("in an accepted update is a record on the inbound channel in the same commit", () => {
    const hops = forwarding();
    assert.ok(hops.offer(OUT, claiming(outbound, 1)).ok);
    assert.deepEqual(hops.records(), ["in"]);
    assert.deepEqual(hops.open, [], "the event, or the fast path, does the rest");
    assert.equal(hops.effects[0]?.kind, "sendPreimage");
  });

  it("in a refused update claims: no event will come of it", () => {
    const hops = forwarding();
    hops.session(2n, { channels: [] });
    const decided = hops.offer(OUT, claiming(outbound, 1));
    assert.equal(decided.ok && decided.value.refusal?.reason, "nodeBehind");
    assert.deepEqual(hops.records(), ["in", "out"]);
    hops.kept(IN);
    assert.deepEqual(hops.open, ["alarm preimageKept", "claim in/1", "forwarded"]);
    assert.equal(hops.content("paymentForwarded").skimmedFeeMsat, 20n);
    assert.equal(hops.content("paymentForwarded").claimFromOnchain, false);
    assert.deepEqual(hops.content("claimInbound").attributionData, new Uint8Array([7]), "G14");
  });

  it("with a preimage of another hash claims nothing", () => {
    const hops = forwarding();
    const decided = hops.offer(OUT, claiming(outbound, 2));
    assert.equal(decided.ok && decided.value.refusal?.reason, "preimageMismatch");
    assert.deepEqual(hops.records(1), []);
    assert.deepEqual(hops.records(2), ["out"]);
    assert.equal(hops.tables.leg.get(outbound.source.sourceKey)?.state, "alive");
  });
});

describe("an event that contradicts what its HTLC was committed with", () => {
  it("is kept un-acked with an alarm: a claim of another hash claims nothing", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, { ...outbound, secret: 2 });
    assert.deepEqual(hops.open, ["alarm hashMismatch"]);
    assert.deepEqual(hops.records(2), []);
    assert.equal(hops.inbox(MONITOR_A, OUT)?.state, "stuck");
    hops.claims(MONITOR_A, outbound);
    assert.deepEqual(hops.records(1), ["in"], "the true one is not in its way");
  });

  it("a fail of another hash fails nothing", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, { ...outbound, secret: 2 });
    assert.deepEqual(hops.open, ["alarm hashMismatch"]);
  });

  it("and is no proof of an own payment", () => {
    const hops = new Hops();
    const own: Outgoing = { ...outbound, name: 5, source: ownSource({ part: 5 }) };
    hops.add(own);
    hops.event(MONITOR_A, OUT, claimOf({ ...own, secret: 2 }));
    assert.deepEqual(hops.open, ["alarm hashMismatch"]);
    assert.equal(hops.told("paymentSent"), 0);
  });
});
