/**
 * Which funding the chain holds (onchain-engine 5.2.1, 6.6): closes while either is possible, splices
 * taken back by a reorganisation, candidates that lose, fundings that were replaced.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { NOWHERE } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel } from "./protected-channel.js";
import { assertClaims, claimed, number, pay, spendKind } from "./scenario.js";
import {
  busy,
  commitmentOn,
  discarded,
  isWatched,
  rawOf,
  revokedOutputsOn,
  spendsOf,
  spliced,
  spliceOut,
} from "./splicing.js";

describe("monitor core: both fundings are possible", () => {
  it("broadcasts on the locked funding, and on the splice once that confirms", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    await p.channel.forceClose("holder");
    assert.deepEqual(spendsOf(p), [outpointKey(NOWHERE)]);
    const [told] = bodiesOf(p.events, "holderForceClosed");
    assert.deepEqual(told?.funding, NOWHERE);
    p.mine(rawOf(splice));
    assert.deepEqual(spendsOf(p), [outpointKey(splice.funding)]);
    p.assertPublishable();
    p.disconnect(1);
    assert.deepEqual(spendsOf(p), [outpointKey(NOWHERE)]);
    p.assertPublishable();
    p.reload();
    p.mine(rawOf(splice));
    p.minePublished("holderCommitment");
    assert.equal(spendKind(p), "holder");
    assert.deepEqual(p.state.spend?.funding, splice.funding);
    p.mineTo(560);
    assert.ok(p.minePublished("holderHtlcTimeout").length > 0);
    assert.equal(bodiesOf(p.events, "holderForceClosed").length, 1);
  });

  it("broadcasts on the confirmed splice though it is not locked", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    p.mine(rawOf(splice));
    await p.channel.forceClose("holder");
    assert.deepEqual(spendsOf(p), [outpointKey(splice.funding)]);
    assert.deepEqual(bodiesOf(p.events, "holderForceClosed")[0]?.funding, splice.funding);
    p.minePublished("holderCommitment");
    assert.equal(spendKind(p), "holder");
  });

  it("keeps to the commitment it chose, on whatever funding", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    p.apply({ kind: "broadcastHolder", reason: "test", overrideStale: false });
    const chosen = p.channel.splices.commitmentOn(splice.funding, "holder").built.txid;
    await pay(p, { from: "counterparty", sat: 15_000, name: "late" });
    await pay(p, { from: "counterparty", sat: 16_000, name: "later" });
    p.mine(rawOf(splice));
    assert.deepEqual(p.state.holderBroadcast?.commitment.txid, chosen);
    p.minePublished("holderCommitment");
    assert.equal(spendKind(p), "holder");
  });

  it("goes on chain for a deadline on the funding that is confirmed", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    p.mine(rawOf(splice));
    p.mineTo(563);
    assert.deepEqual(spendsOf(p), [outpointKey(splice.funding)]);
    assert.equal(bodiesOf(p.events, "holderForceClosed")[0]?.reason.kind, "htlcDeadline");
  });

  it("claims on the counterparty's commitment on the splice in the very block of the splice", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    p.mine(rawOf(splice), commitmentOn(p, splice.funding, "counterparty"));
    assert.equal(spendKind(p), "counterparty");
    p.mineTo(560);
    const before = claimed(p);
    assert.equal(before.size, 1);
    p.assertPublishable();
  });

  it("forgets claims on the splice when the splice is gone, and goes on chain with what is left", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    p.mine(rawOf(splice));
    p.mine(commitmentOn(p, splice.funding, "counterparty"));
    p.mineTo(561);
    assert.equal(claimed(p).size, 1);
    p.disconnect(p.height - 500);
    assert.deepEqual([p.state.spend, p.state.alternativeFunding], [undefined, undefined]);
    const roles = p.published().map(({ role }) => role);
    assert.deepEqual(roles, ["lostFundingSpend"], "it may come back together with the splice");
    p.mine(commitmentOn(p, NOWHERE, "counterparty"));
    assert.deepEqual(p.state.spend?.funding, NOWHERE);
    p.mineTo(560);
    p.assertPublishable();
    assert.equal(claimed(p).size, 1);
  });

  it("goes on chain when what closed the channel is gone and another funding confirmed", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    p.mine(commitmentOn(p, NOWHERE, "counterparty"));
    p.mineEmpty(2);
    p.disconnect(3);
    p.mine(rawOf(splice));
    assert.equal(bodiesOf(p.events, "holderForceClosed")[0]?.reason.kind, "fundingReplaced");
    assert.deepEqual(spendsOf(p), [outpointKey(splice.funding)]);
    p.assertPublishable();
  });

  it("never does so with a commitment that may be stale", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    await p.channel.forceClose("holder", false);
    p.mine(commitmentOn(p, NOWHERE, "counterparty"));
    p.disconnect(1);
    p.mine(rawOf(splice));
    assert.equal(p.state.holderBroadcast, undefined);
    assert.deepEqual(p.published(), []);
  });
});

describe("monitor core: competing splices", () => {
  async function competing() {
    const p = await protectedChannel();
    await busy(p);
    const first = await spliceOut(p, "holder", 100_000n, 500n);
    const second = await spliceOut(p, "holder", 100_000n, 900n);
    await pay(p, { from: "counterparty", sat: 15_000, name: "on all three" });
    return { p, first, second };
  }

  it("tells the loser of a closed channel when the winner is six deep", async () => {
    const { p, first, second } = await competing();
    p.mine(rawOf(second));
    await p.channel.forceClose("holder");
    p.minePublished("holderCommitment");
    assert.deepEqual(p.state.spend?.funding, second.funding);
    p.mineEmpty(3);
    assert.deepEqual(discarded(p), []);
    p.mine();
    assert.deepEqual(discarded(p), [outpointKey(first.funding)]);
    p.mineEmpty(10);
    assert.equal(discarded(p).length, 1);
  });

  it("leaves that to the node while the channel is open", async () => {
    const { p, second } = await competing();
    p.mine(rawOf(second));
    p.mineEmpty(10);
    await p.channel.splices.lock(second);
    assert.deepEqual(p.events, []);
    assert.deepEqual(p.state.pendingFundings, []);
  });

  it("tells the losers at the lock when the channel is closing already", async () => {
    const { p, first, second } = await competing();
    p.apply({ kind: "broadcastHolder", reason: "test", overrideStale: false });
    await p.channel.splices.lock(second);
    assert.deepEqual(discarded(p), [outpointKey(first.funding)]);
    assert.deepEqual(spendsOf(p), [outpointKey(second.funding)], "its commitment takes over");
  });

  it("takes the winner's commitment for what it is, whichever wins", async () => {
    for (const pick of [0, 1]) {
      const { p, first, second } = await competing();
      const winner = pick === 0 ? first : second;
      p.mine(rawOf(winner));
      p.mine(commitmentOn(p, winner.funding, "counterparty"));
      assert.equal(spendKind(p), "counterparty");
      p.mineEmpty(5);
      assert.deepEqual(discarded(p), [outpointKey((pick === 0 ? second : first).funding)]);
    }
  });
});

describe("monitor core: fundings that were replaced", () => {
  it("punishes a commitment on the old funding when a reorganisation brings it back", async () => {
    const p = await protectedChannel();
    await busy(p);
    const at = number(p, "counterparty");
    const splice = await spliced(p);
    await pay(p, { from: "holder", sat: 10_000, name: "after" });
    p.mineEmpty(20);
    p.disconnect(p.height - 500);
    assert.equal(p.state.fundingConfirmedAt, undefined);
    p.mine(commitmentOn(p, NOWHERE, "counterparty", at));
    assert.equal(p.state.spend?.kind, "revoked");
    assertClaims(p, revokedOutputsOn(p, NOWHERE, at));
    assert.ok(!p.chain.confirmed(splice.funding.txid));
  });

  it("forgets them when the new funding is 100 deep", async () => {
    const p = await protectedChannel();
    const splice = await spliced(p);
    const confirmedAt = must(p.state.fundingConfirmedAt, "confirmed");
    p.mineTo(confirmedAt + 99);
    assert.equal(p.state.retiredFundings.length, 1);
    p.mine();
    assert.deepEqual(p.state.retiredFundings, []);
    assert.ok(isWatched(p, splice) && !isWatched(p, { funding: NOWHERE }));
  });

  it("does not take a splice locked before it confirmed for a close", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliceOut(p, "holder", 100_000n);
    await p.channel.splices.lock(splice);
    assert.equal(p.state.fundingConfirmedAt, undefined);
    p.mine(rawOf(splice));
    assert.deepEqual([p.state.fundingConfirmedAt, p.state.spend], [501, undefined]);
    const again = await spliceOut(p, "counterparty", 50_000n);
    p.mine(rawOf(again));
    await p.channel.splices.lock(again);
    p.mine(commitmentOn(p, again.funding, "counterparty"));
    assert.equal(spendKind(p), "counterparty");
  });

  it("never broadcasts an old commitment on a funding that came back", async () => {
    const p = await protectedChannel();
    await busy(p);
    const splice = await spliced(p);
    await pay(p, { from: "holder", sat: 10_000, name: "after" });
    p.disconnect(6);
    await p.channel.forceClose("holder");
    assert.deepEqual(spendsOf(p), [outpointKey(splice.funding)]);
    p.mine(rawOf(splice));
    p.assertPublishable();
  });
});
