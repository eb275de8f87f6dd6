/**
 * R32: the funding is broadcast by hand, perhaps much later (LDK `is_manual_broadcast`). A close is told at
 * once, but our commitment goes out only when a funding was seen in a block, or an operator wants it.
 */
import assert from "node:assert/strict";
import { bumpRequests } from "@farwatch/monitor-service/monitor/bumps/bump-requests";
import { archivalOf } from "@farwatch/monitor-service/monitor/archival";
import { bodiesOf } from "./event-rules.js";
import { handFunding } from "./hand-funding.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, pay, spendKind } from "./scenario.js";

const EXPIRY = 520;

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: a funding of ${channelType} that is broadcast by hand`, () => {
    const make = () => protectedChannel({ channelType, byHand: true });
    const funding = (p: ProtectedChannel): Uint8Array => {
      const { setup } = p.channel;
      return handFunding({ setup, fundingScriptPubkey: setup.fundingScriptPubkey }).raw;
    };
    const told = (p: ProtectedChannel) => bodiesOf(p.events, "holderForceClosed");
    const assertNothingOut = (p: ProtectedChannel): void => {
      assert.deepEqual(p.published(), []);
      assert.deepEqual(bumpRequests(p.ctx, p.state), []);
    };

    it("the node's close is told at once; our commitment follows the funding's block", async () => {
      const p = await make();
      await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 700 });
      await p.channel.forceClose("holder", true, "asked");
      assert.equal(told(p).length, 1);
      assertNothingOut(p);
      p.mineEmpty(50);
      p.reload();
      assertNothingOut(p);
      p.mine(funding(p));
      p.assertPublishable();
      assert.equal(told(p).length, 1, "once (R29a)");
      const [commitment] = p.minePublished("holderCommitment");
      assert.equal(commitment?.txid, p.channel.commitment("holder").built.txid);
      assert.equal(spendKind(p), "holder");
    });

    it("a deadline is told at its block and waits likewise", async () => {
      const p = await make();
      await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: EXPIRY });
      p.mineTo(EXPIRY + 2);
      assert.deepEqual(told(p), []);
      p.mineEmpty(1);
      assert.equal(told(p)[0]?.reason.kind, "htlcDeadline");
      assertNothingOut(p);
      p.mine(funding(p));
      assert.equal(p.published("holderCommitment").length, 1);
    });

    it("once seen is enough, also when a reorganisation takes the funding away", async () => {
      const p = await make();
      p.mine(funding(p));
      p.disconnect(1);
      assert.equal(p.state.fundingConfirmedAt, undefined);
      await p.channel.forceClose("holder", true);
      assert.equal(p.published("holderCommitment").length, 1);
    });

    it("an operator's request waits for nothing, before or after the close", async () => {
      const p = await make();
      p.apply({ kind: "broadcastHolder", reason: "now", overrideStale: false });
      assert.equal(p.published("holderCommitment").length, 1);
      const other = await make();
      await other.channel.forceClose("holder", true);
      assertNothingOut(other);
      other.apply({ kind: "broadcastHolder", reason: "now", overrideStale: false });
      assert.equal(other.published("holderCommitment").length, 1);
      assert.equal(told(other).length, 1);
    });

    it("a channel that holds something of ours stays watched while it waits", async () => {
      const p = await make();
      await p.channel.forceClose("holder", true);
      p.mineEmpty(5_000);
      assert.equal(archivalOf(p.state, false).kind, "notClosed");
      p.mine(funding(p));
      p.minePublished("holderCommitment");
      assert.equal(spendKind(p), "holder");
    });
  });
}
