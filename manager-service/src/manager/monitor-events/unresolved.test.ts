/** Outbound HTLCs of a closed LDK channel whose outcome nobody has told (restart rule R7). */
import assert from "node:assert/strict";
import { forwardOf, IN, incoming, OUT, probeOn } from "../testing/htlcs.js";
import { LdkHops } from "../testing/ldk-hops.js";
import { fromUpdate, MONITOR_A, MONITOR_B } from "../testing/scene.js";
import { unresolvedHtlcs } from "./unresolved.js";

const inbound = incoming(IN, 1);
const forward = forwardOf(inbound, OUT, 7);
const own = probeOn(OUT, 8);

function withHtlcs(): LdkHops {
  const hops = new LdkHops();
  hops.add(inbound, forward, own);
  return hops;
}
const left = (hops: LdkHops): number => unresolvedHtlcs(hops.tables, hops.channel(OUT));

describe("unresolved HTLCs of a closed channel", () => {
  it("are none while it is open, and all that it had when it closes", () => {
    const hops = withHtlcs();
    assert.equal(left(hops), 0);
    hops.closes(MONITOR_A, OUT);
    assert.equal(left(hops), 2);
    const byNode = withHtlcs();
    byNode.lockDown(OUT);
    assert.equal(left(byNode), 2, "the node closed it by itself");
  });

  it("go one by one as monitors tell them, claimed or failed, on the chain or before", () => {
    const hops = withHtlcs();
    hops.claims(MONITOR_B, own, fromUpdate(2));
    hops.closes(MONITOR_A, OUT);
    assert.equal(left(hops), 1);
    hops.fails(MONITOR_A, forward);
    assert.equal(left(hops), 0);
  });

  it("are also those of a commitment that is not revoked yet, and no others", () => {
    const hops = withHtlcs();
    const carried = hops.carried(OUT).filter((htlc) => htlc !== own);
    assert.ok(hops.sign(OUT, carried).ok);
    hops.closes(MONITOR_A, OUT);
    assert.equal(left(hops), 2, "the previous commitment may confirm");
    const revoked = withHtlcs();
    revoked.remove(own);
    revoked.closes(MONITOR_A, OUT);
    assert.equal(left(revoked), 1);
  });
});
