/**
 * The spend of the funding is lost in a reorganisation (onchain-engine 12, "we add"): it is offered again
 * byte for byte; if it does not come back after a close, our own commitment goes out, unless ours may be
 * revoked or theirs is worth more.
 */
import assert from "node:assert/strict";
import { LOST_SPEND_BLOCKS } from "@farwatch/monitor-service/monitor/constants";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { offer } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, counterpartyCloses, fulfill, number, pay } from "./scenario.js";

const offered = (p: ProtectedChannel): readonly Uint8Array[] =>
  p.published("lostFundingSpend").map(({ raw }) => raw);
const ours = (p: ProtectedChannel): number => p.published("holderCommitment").length;

for (const channelType of CHANNEL_TYPES) {
  const withHtlc = async () => {
    const p = await protectedChannel({ channelType });
    const [htlc] = await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 900 });
    assert.ok(htlc !== undefined);
    return { p, htlc };
  };

  describe(`monitor core: a lost spend of the funding, ${channelType}`, () => {
    it("is offered again, with its signatures, until some spend confirms", async () => {
      const { p } = await withHtlc();
      const spend = p.commitmentOf("counterparty");
      p.mine(spend);
      p.mineEmpty(8);
      assert.deepEqual(offered(p), []);
      p.disconnect(9);
      p.reload();
      assert.deepEqual(offered(p), [spend]);
      p.mineEmpty(2);
      p.minePublished("lostFundingSpend");
      assert.equal(p.state.spend?.kind, "counterparty");
      assert.deepEqual(offered(p), []);
      assert.equal(bodiesOf(p.events, "commitmentTxConfirmed").length, 1);
    });

    it("is followed by our commitment when the node has closed and it stays away", async () => {
      const { p } = await withHtlc();
      counterpartyCloses(p);
      await p.channel.forceClose("holder", true);
      assert.equal(ours(p), 0, "theirs is confirmed");
      p.disconnect(1);
      p.mineEmpty(LOST_SPEND_BLOCKS - 1);
      assert.equal(ours(p), 0, "it may come back");
      p.mine();
      assert.equal(ours(p), 1);
      assert.equal(offered(p).length, 1, "whichever confirms");
      assert.equal(bodiesOf(p.events, "holderForceClosed").length, 1);
      p.minePublished("holderCommitment");
      assert.equal(p.state.spend?.kind, "holder");
      assert.deepEqual(offered(p), []);
    });

    it("is not followed by ours while the node has not closed, or said that it may be stale", async () => {
      for (const stale of [false, true]) {
        const { p } = await withHtlc();
        counterpartyCloses(p);
        if (stale) await p.channel.forceClose("holder", false);
        p.disconnect(1);
        p.mineEmpty(LOST_SPEND_BLOCKS + 5);
        assert.equal(ours(p), 0);
        assert.equal(offered(p).length, 1);
      }
    });

    it("is worth more than ours when it is revoked, and no worse when both signed it", async () => {
      for (const isMutual of [true, false]) {
        const { p, htlc } = await withHtlc();
        const old = number(p, "counterparty");
        await fulfill(p, htlc, "ours");
        const spend = isMutual
          ? cooperativeCloseTx(p.channel, 500n)
          : p.commitmentOf("counterparty", old);
        p.mine(spend);
        await p.channel.forceClose("holder", true);
        p.disconnect(1);
        p.mineEmpty(LOST_SPEND_BLOCKS + 5);
        assert.deepEqual(offered(p), [spend]);
        assert.equal(ours(p), 0);
      }
    });

    it("that nobody has named means ours may be revoked: no deadline brings it out", async () => {
      const { p } = await withHtlc();
      p.held = [];
      offer(p.channel, "holder", 25_000, "added", 900);
      await p.channel.settle();
      counterpartyCloses(p);
      assert.equal(p.state.spend?.kind, "unknown");
      p.disconnect(1);
      p.mineTo(910);
      assert.equal(ours(p), 0);
      assert.equal(offered(p).length, 1);
      const command = { kind: "broadcastHolder", reason: "operator" } as const;
      assert.equal(p.refused({ ...command, overrideStale: false }), "staleSuspected");
      p.release();
      p.mine();
      assert.equal(ours(p), 1, "named, it is an honest one, and the HTLC is past its deadline");
    });

    it("of ours is never offered as it was seen: the signer decides about ours", async () => {
      const { p } = await withHtlc();
      p.mine(p.commitmentOf("holder"));
      assert.equal(p.state.spend?.kind, "holder");
      p.disconnect(1);
      assert.deepEqual(offered(p), []);
      await p.channel.forceClose("holder", true);
      assert.equal(ours(p), 1);
    });
  });
}
