/**
 * The counterparty's current or previous commitment confirms (BOLT 5, "Remote Commitment Transaction"):
 * claims by preimage, early and late, claims after expiry and never before, and what is told about ours.
 */
import assert from "node:assert/strict";
import { claimWithPreimage } from "../channel/claims.js";
import { htlcSuccessTx, htlcTimeoutTx } from "../channel/broadcast.js";
import { offer, secretNamed } from "../channel/test-channel.js";
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
  spendable,
  spendKind,
} from "./scenario.js";

for (const channelType of CHANNEL_TYPES) {
  const withBoth = async () => {
    const p = await protectedChannel({ channelType });
    const [ours, theirs] = await pay(
      p,
      { from: "holder", sat: 20_000, name: "ours", expiry: 520 },
      { from: "counterparty", sat: 30_000, name: "theirs", expiry: 560 },
    );
    assert.ok(ours !== undefined && theirs !== undefined);
    return { p, ours, theirs, at: number(p, "counterparty") };
  };

  describe(`monitor core: counterparty commitments of ${channelType}`, () => {
    it("claims with a preimage known before, and tells to_remote and the claim as spendable", async () => {
      const { p, theirs, at } = await withBoth();
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      counterpartyCloses(p);
      assert.equal(spendKind(p), "counterparty");
      assertClaims(p, [htlcOutpoint(p, "counterparty", at, theirs)]);
      const [claim] = p.minePublished("counterpartyHtlcClaim");
      assert.deepEqual(p.published(), []);
      p.mineEmpty(5);
      assert.ok(spendable(p).includes(`${claim?.txid}:0`));
      const { built } = p.channel.commitment("counterparty");
      assert.ok(spendable(p).includes(`${built.txid}:${built.toRemoteIndex}`));
      assert.equal(spendable(p).length, 2);
      assert.deepEqual(outcomes(p, theirs), []);
    });

    it("claims with a preimage that arrives after the close, by record or update", async () => {
      const { p, theirs, at } = await withBoth();
      counterpartyCloses(p);
      p.mineEmpty(8);
      assert.deepEqual(p.published(), []);
      await p.channel.learnPreimage("holder", secretNamed("theirs").preimage);
      assertClaims(p, [htlcOutpoint(p, "counterparty", at, theirs)]);
      const before = p.state;
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      assert.deepEqual(p.state, before, "known already");
    });

    it("takes ours back at its expiry, and fails it when that is 6 deep", async () => {
      const { p, ours, at } = await withBoth();
      counterpartyCloses(p);
      p.mineTo(519);
      assert.deepEqual(p.published(), []);
      p.mineTo(520);
      assertClaims(p, [htlcOutpoint(p, "counterparty", at, ours)]);
      p.minePublished();
      p.mineEmpty(4);
      assert.deepEqual(outcomes(p, ours), []);
      p.mineEmpty(1);
      assert.deepEqual(outcomes(p, ours), ["failed:chain"]);
      p.mineEmpty(20);
      assert.deepEqual(outcomes(p, ours), ["failed:chain"]);
    });

    it("tells the preimage with which the counterparty takes ours, at one confirmation", async () => {
      const { p, ours, at } = await withBoth();
      counterpartyCloses(p);
      p.mineEmpty(1);
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, ours, secretNamed("ours").preimage));
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
      p.mineTo(540);
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
      assert.deepEqual(p.published(), []);
    });

    it("gives up its claim when the counterparty took its HTLC back first", async () => {
      const { p, theirs, at } = await withBoth();
      counterpartyCloses(p);
      p.mineTo(560);
      p.minePublished();
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      assert.equal(p.published().length, 1);
      p.mine(htlcTimeoutTx(p.channel, "counterparty", at, theirs));
      assert.deepEqual(p.published(), []);
      assert.deepEqual(outcomes(p, theirs), []);
    });

    it("claims HTLCs of equal hash, amount and expiry each by its own output", async () => {
      const p = await protectedChannel({ channelType });
      const same = { sat: 20_000, name: "same", expiry: 520 } as const;
      const [first, second, inbound] = await pay(
        p,
        { from: "holder", ...same },
        { from: "holder", ...same },
        { from: "counterparty", ...same },
      );
      assert.ok(first !== undefined && second !== undefined && inbound !== undefined);
      const at = number(p, "counterparty");
      counterpartyCloses(p);
      p.mineEmpty(1);
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, first, secretNamed("same").preimage));
      assert.deepEqual(outcomes(p, first), ["claimed:chain"]);
      assert.deepEqual(outcomes(p, second), []);
      p.learn(secretNamed("same").preimage, inbound.source.sourceKey);
      p.mineTo(520);
      assertClaims(
        p,
        [second, inbound].map((htlc) => htlcOutpoint(p, "counterparty", at, htlc)),
      );
      p.minePublished();
      p.mineEmpty(5);
      assert.deepEqual(outcomes(p, second), ["failed:chain"]);
    });

    it("knows the previous commitment while it is not revoked", async () => {
      const { p, ours, theirs, at } = await withBoth();
      const added = offer(p.channel, "holder", 40_000, "added");
      await p.channel.signCommitment("holder");
      counterpartyCloses(p, at);
      assert.equal(spendKind(p), "counterpartyPrevious");
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      assertClaims(p, [htlcOutpoint(p, "counterparty", at, theirs)]);
      p.mineEmpty(5);
      assert.deepEqual(outcomes(p, added), ["failed:chain"]);
      assert.deepEqual(outcomes(p, ours), []);
    });

    it("a claim told off chain is not failed by a commitment without the HTLC", async () => {
      const { p, ours } = await withBoth();
      await p.channel.fulfillHtlc(ours, secretNamed("ours").preimage);
      await p.channel.signCommitment("counterparty");
      await p.channel.receiveCommitment("holder");
      assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
      await p.channel.revoke("holder");
      await p.channel.receiveRevocation("counterparty");
      await p.channel.signCommitment("holder");
      counterpartyCloses(p, number(p, "counterparty"));
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
    });

    it("fails an HTLC the counterparty's commitment trimmed, 6 deep", async () => {
      const p = await protectedChannel({ channelType });
      const [dust] = await pay(p, { from: "holder", sat: 100, name: "dust", expiry: 520 });
      assert.ok(dust !== undefined);
      counterpartyCloses(p);
      p.mineEmpty(4);
      assert.deepEqual(outcomes(p, dust), []);
      p.mineEmpty(1);
      assert.deepEqual(outcomes(p, dust), ["failed:chain"]);
      p.mineTo(540);
      assert.deepEqual(outcomes(p, dust), ["failed:chain"]);
    });

    it("sees a preimage claim of ours on our own commitment too", async () => {
      const { p, ours } = await withBoth();
      const at = number(p, "holder");
      p.mine(p.commitmentOf("holder"));
      assert.equal(spendKind(p), "holder");
      const { preimage } = secretNamed("ours");
      p.mineEmpty(1);
      p.mine(claimWithPreimage(p.channel, "holder", at, ours, preimage));
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
    });

    it("tells off chain and on chain once each", async () => {
      const { p, ours, at } = await withBoth();
      await p.channel.fulfillHtlc(ours, secretNamed("ours").preimage);
      await p.channel.signCommitment("counterparty");
      await p.channel.receiveCommitment("holder");
      counterpartyCloses(p, at);
      p.mineEmpty(1);
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, ours, secretNamed("ours").preimage));
      assert.deepEqual(outcomes(p, ours), ["claimed:update", "claimed:chain"]);
    });

    it("settled payments leave nothing to claim but to_remote", async () => {
      const { p, ours, theirs } = await withBoth();
      await fulfill(p, ours, "ours");
      await fulfill(p, theirs, "theirs");
      counterpartyCloses(p);
      p.mineEmpty(100);
      assert.deepEqual(p.published(), []);
      assert.equal(spendable(p).length, 1);
      assert.deepEqual(outcomes(p, ours), ["claimed:update"]);
    });
  });
}
