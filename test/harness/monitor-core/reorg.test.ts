/**
 * Blocks that go away (onchain-engine 12; R6, R25): what only they said is forgotten, nothing is told,
 * claims come back, another commitment may confirm instead; told events stay told.
 */
import assert from "node:assert/strict";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { secretNamed } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  CHANNEL_TYPES,
  counterpartyCloses,
  fulfill,
  htlcOutpoint,
  number,
  outcomes,
  pay,
  revokedOutputs,
  spendable,
  spendKind,
} from "./scenario.js";

for (const channelType of CHANNEL_TYPES) {
  const cheated = async () => {
    const p = await protectedChannel({ channelType });
    const [ours, theirs] = await pay(
      p,
      { from: "holder", sat: 20_000, name: "ours", expiry: 600 },
      { from: "counterparty", sat: 30_000, name: "theirs", expiry: 610 },
    );
    assert.ok(ours !== undefined && theirs !== undefined);
    return { p, ours, theirs, old: number(p, "counterparty") };
  };

  describe(`monitor core: reorgs of ${channelType}`, () => {
    it("publish a disconnected justice transaction again, which then confirms", async () => {
      const { p, ours, old } = await cheated();
      await fulfill(p, ours, "ours");
      counterpartyCloses(p, old);
      p.minePublished("justice");
      assert.deepEqual(p.published(), []);
      p.disconnect(1);
      p.mine();
      assertClaims(p, revokedOutputs(p, old));
      p.minePublished("justice");
      p.mineEmpty(6);
      assert.deepEqual(p.state.claims, []);
    });

    it("let another commitment confirm instead; the spend is told once", async () => {
      const { p, ours, theirs, old } = await cheated();
      await fulfill(p, ours, "ours");
      counterpartyCloses(p, old);
      assert.equal(spendKind(p), "revoked");
      p.disconnect(1);
      assert.deepEqual(p.published("justice"), []);
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      counterpartyCloses(p);
      assert.equal(p.state.spend?.kind, "counterparty");
      assertClaims(p, [htlcOutpoint(p, "counterparty", number(p, "counterparty"), theirs)]);
      assert.equal(bodiesOf(p.events, "commitmentTxConfirmed").length, 1);
    });

    it("put our own commitment out again when the spend goes away", async () => {
      const { p } = await cheated();
      await p.channel.forceClose("holder", true);
      counterpartyCloses(p);
      assert.deepEqual(p.published(), []);
      p.disconnect(1);
      p.assertPublishable();
      p.minePublished("holderCommitment");
      assert.equal(p.state.spend?.kind, "holder");
      p.disconnect(1);
      assert.equal(p.published("holderCommitment").length, 1);
    });

    it("forget failures and outputs that were not deep enough", async () => {
      const p = await protectedChannel({ channelType });
      const [dust] = await pay(p, { from: "holder", sat: 100, name: "dust" });
      assert.ok(dust !== undefined);
      counterpartyCloses(p);
      p.mineEmpty(4);
      const events = p.disconnect(5).events;
      assert.deepEqual(events, []);
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, dust), []);
      assert.deepEqual(spendable(p), []);
      counterpartyCloses(p);
      p.mineEmpty(4);
      assert.deepEqual(outcomes(p, dust), []);
      p.mine();
      assert.deepEqual(outcomes(p, dust), ["failed:chain"]);
      assert.equal(spendable(p).length, 1);
    });

    it("never take a revealed preimage back", async () => {
      const { p, ours, old } = await cheated();
      counterpartyCloses(p, old);
      p.mineEmpty(1);
      p.mine(htlcSuccessTx(p.channel, "counterparty", old, ours, secretNamed("ours").preimage));
      p.disconnect(2);
      p.mineTo(600);
      p.minePublished();
      p.mineEmpty(6);
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
    });

    it("deeper than 6: a commitment that confirms again is claimed again", async () => {
      const { p, ours, old } = await cheated();
      await fulfill(p, ours, "ours");
      counterpartyCloses(p, old);
      p.minePublished("justice");
      p.mineEmpty(8);
      const told = p.events.length;
      p.disconnect(10);
      p.mineEmpty(2);
      counterpartyCloses(p, old);
      assertClaims(p, revokedOutputs(p, old));
      p.minePublished("justice");
      assert.equal(p.events.length, told);
      assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
    });
  });
}
