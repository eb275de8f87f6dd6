/** A monitor that was cut off sees a splice confirm before any update tells it of the splice. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { NOWHERE, secretNamed } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { assertClaims, claimed, number, outcomes, pay, spendKind } from "./scenario.js";
import { busy, commitmentOn, rawOf, revokedOutputsOn, spliceOut } from "./splicing.js";

/** The monitor is told nothing from here on until `release`. */
async function cutOff() {
  const p = await protectedChannel();
  const htlcs = await busy(p);
  p.held = [];
  const splice = await spliceOut(p, "holder", 100_000n);
  p.mine(rawOf(splice));
  assert.equal(spendKind(p), "mutual", "nothing tells the two apart");
  return { p, splice, htlcs };
}

const kindsTold = (p: ProtectedChannel): readonly string[] =>
  bodiesOf(p.events, "commitmentTxConfirmed").map(({ spend }) => spend);

describe("monitor core: a splice that is told late", () => {
  it("leaves the channel open, also when it was six deep", async () => {
    const { p, splice } = await cutOff();
    p.mineEmpty(8);
    assert.equal(p.state.spend?.final, true);
    p.release();
    assert.equal(p.state.spend, undefined);
    assert.equal(p.state.alternativeFunding?.block.height, 501);
    await pay(p, { from: "holder", sat: 20_000, name: "on" });
    await p.channel.splices.lock(splice);
    assert.equal(p.state.fundingConfirmedAt, 501);
    p.mine(commitmentOn(p, splice.funding, "counterparty"));
    assert.deepEqual(kindsTold(p), ["mutual", "counterparty"]);
  });

  it("claims on a commitment that confirmed on it meanwhile", async () => {
    const { p, splice } = await cutOff();
    p.mine(commitmentOn(p, splice.funding, "counterparty"));
    p.mineTo(560);
    assert.deepEqual(p.published(), []);
    p.release();
    assert.equal(p.state.spend?.kind, "counterparty");
    assert.deepEqual(p.state.spend.funding, splice.funding);
    p.mine();
    assert.equal(claimed(p).size, 1);
    p.assertPublishable();
  });

  it("takes the preimage out of a spend of such a commitment", async () => {
    const { p, splice, htlcs } = await cutOff();
    const out = must(htlcs[0], "out");
    p.mine(commitmentOn(p, splice.funding, "counterparty"));
    await p.channel.splices.lock(splice);
    const at = number(p, "counterparty");
    const { preimage } = secretNamed("out");
    p.mine(htlcSuccessTx(p.channel, "counterparty", at, out, preimage));
    assert.deepEqual(outcomes(p, out), []);
    p.release();
    assert.deepEqual(outcomes(p, out), ["claimed:chain"]);
  });

  it("punishes such a commitment when the updates revoke it", async () => {
    const { p, splice } = await cutOff();
    const at = number(p, "counterparty");
    await pay(p, { from: "holder", sat: 20_000, name: "on" });
    p.mine(commitmentOn(p, splice.funding, "counterparty", at));
    p.release();
    assert.equal(p.state.spend?.kind, "revoked");
    assertClaims(p, revokedOutputsOn(p, splice.funding, at));
  });

  it("gives up on it when the spend is 100 deep, and never waits for a mutual close", async () => {
    const { p, splice } = await cutOff();
    p.mineTo(600);
    assert.deepEqual(p.state.suspects, [
      { outpoint: { txid: splice.funding.txid, vout: 0 }, createdAt: 501 },
    ]);
    p.mine();
    assert.deepEqual(p.state.suspects, []);
    const closed = await protectedChannel();
    closed.mine(cooperativeCloseTx(closed.channel, 500n));
    assert.deepEqual([closed.state.suspects, closed.state.tracked], [[], []]);
  });

  it("forgets what it suspected when the splice is disconnected", async () => {
    const { p, splice } = await cutOff();
    p.mine(commitmentOn(p, splice.funding, "counterparty"));
    assert.equal(p.state.unidentifiedSpends.length, 1);
    p.disconnect(1);
    assert.deepEqual([p.state.unidentifiedSpends.length, p.state.suspects.length], [0, 1]);
    p.disconnect(1);
    assert.deepEqual([p.state.suspects, p.state.spend], [[], undefined]);
    p.release();
    p.mine(commitmentOn(p, NOWHERE, "counterparty"));
    assert.deepEqual(p.state.spend?.funding, NOWHERE);
  });
});
