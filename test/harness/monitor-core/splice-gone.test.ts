/**
 * A reorganisation takes a splice away on which the channel had been closed (onchain-engine 12; LDK
 * `blocks_disconnected`): its close may come back with it. If it does not, the funding it had spliced
 * carries the channel again, which is over for the node: our commitment on that one goes out.
 */
import assert from "node:assert/strict";
import { outpointKey } from "@farwatch/protocol/ids";
import { LOST_SPEND_BLOCKS } from "@farwatch/monitor-service/monitor/constants";
import type { Splice } from "../channel/splice.js";
import { NOWHERE } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, number, pay, spendKind } from "./scenario.js";
import { busy, commitmentOn, rawOf, spendsOf, spliceOut } from "./splicing.js";

type Close = (p: ProtectedChannel, splice: Splice, old: number) => Uint8Array;
const CLOSES: readonly (readonly [string, Close])[] = [
  ["counterparty", (p, { funding }) => commitmentOn(p, funding, "counterparty")],
  ["revoked", (p, { funding }, old) => commitmentOn(p, funding, "counterparty", old)],
  ["holder", (p, { funding }) => commitmentOn(p, funding, "holder")],
];

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: the splice that ${channelType} was closed on is gone`, () => {
    async function closedOnSplice(close: Close) {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const splice = await spliceOut(p, "holder", 100_000n);
      const old = number(p, "counterparty");
      await pay(p, { from: "holder", sat: 10_000, name: "after" });
      const raw = close(p, splice, old);
      p.mine(rawOf(splice));
      p.mine(raw);
      return { p, splice, raw };
    }
    const told = (p: ProtectedChannel) => bodiesOf(p.events, "holderForceClosed");

    for (const [kind, close] of CLOSES) {
      it(`and stays away, after a ${kind} commitment: ours on the funding before goes out`, async () => {
        const { p } = await closedOnSplice(close);
        assert.equal(spendKind(p), kind);
        p.disconnect(2);
        p.mineEmpty(LOST_SPEND_BLOCKS - 1);
        assert.deepEqual(spendsOf(p), [], "the splice may come back");
        p.reload();
        p.mine();
        assert.deepEqual(spendsOf(p), [outpointKey(NOWHERE)]);
        assert.deepEqual(
          told(p).map(({ reason }) => reason.kind),
          ["fundingReplaced"],
        );
        p.minePublished("holderCommitment");
        assert.equal(p.state.spend?.kind, "holder");
        assert.deepEqual(p.state.spend.funding, NOWHERE);
        assert.equal(bodiesOf(p.events, "commitmentTxConfirmed").length, 1, "told once (R20)");
      });

      it(`and comes back in time, after a ${kind} commitment: nothing but the close`, async () => {
        const { p, splice, raw } = await closedOnSplice(close);
        p.disconnect(2);
        p.mineEmpty(LOST_SPEND_BLOCKS - 1);
        p.mine(rawOf(splice));
        assert.deepEqual(p.published("holderCommitment"), []);
        p.mine(raw);
        p.mineEmpty(10);
        assert.equal(p.state.spend?.kind, kind);
        assert.deepEqual(told(p), []);
        p.assertPublishable();
      });
    }

    it("and comes back when ours was on its way: that follows it, or the close does", async () => {
      const { p, splice, raw } = await closedOnSplice((of, { funding }) =>
        commitmentOn(of, funding, "counterparty"),
      );
      p.disconnect(2);
      p.mineEmpty(LOST_SPEND_BLOCKS);
      p.mine(rawOf(splice));
      assert.deepEqual(spendsOf(p), [outpointKey(splice.funding)]);
      p.assertPublishable();
      p.mine(raw);
      assert.equal(p.state.spend?.kind, "counterparty");
      assert.equal(told(p).length, 1);
    });

    it("nothing goes out when ours may be stale", async () => {
      const { p } = await closedOnSplice((of, { funding }) =>
        commitmentOn(of, funding, "counterparty"),
      );
      await p.channel.forceClose("holder", false);
      p.disconnect(2);
      p.mineEmpty(LOST_SPEND_BLOCKS + 5);
      assert.deepEqual(p.published("holderCommitment"), []);
    });
  });
}
