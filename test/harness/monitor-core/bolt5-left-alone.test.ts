/**
 * What BOLT 5 asks us not to do yet, or at all: HTLCs offered to us stay untouched until the node tells
 * their preimage ("Remote Offers" on either commitment), and ours do not fail before they are deep.
 */
import assert from "node:assert/strict";
import { outpointKey } from "@farwatch/protocol/ids";
import { bumpRequests } from "@farwatch/monitor-service/monitor/bumps/bump-requests";
import { htlcTimeoutTx } from "../channel/broadcast.js";
import type { Side } from "../channel/setup.js";
import { secretNamed } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, claimed, htlcOutpoint, number, outcomes, pay } from "./scenario.js";

const EXPIRY = 560;

/** Outpoints we spend now, by ourselves or with a wallet's help. */
const wanted = (p: ProtectedChannel): readonly string[] => [
  ...claimed(p),
  ...bumpRequests(p.ctx, p.state).flatMap((request) =>
    request.kind === "htlcs" ? request.htlcs.map(({ input }) => outpointKey(input.outpoint)) : [],
  ),
];

for (const channelType of CHANNEL_TYPES) {
  const offeredToUs = async () => {
    const p = await protectedChannel({ channelType });
    const [theirs] = await pay(p, {
      from: "counterparty",
      sat: 30_000,
      name: "theirs",
      expiry: EXPIRY,
    });
    assert.ok(theirs !== undefined);
    return { p, theirs };
  };

  /** Before and after its expiry; the preimage, told at last, shows that it could be spent. */
  const assertLeftAlone = (
    { p, theirs }: Awaited<ReturnType<typeof offeredToUs>>,
    side: Side,
  ): void => {
    for (const height of [p.height, EXPIRY - 1, EXPIRY, EXPIRY + 10]) {
      p.mineTo(height);
      assert.deepEqual(wanted(p), []);
    }
    assert.deepEqual(outcomes(p, theirs), []);
    p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
    const at = number(p, side);
    assert.deepEqual(wanted(p), [outpointKey(htlcOutpoint(p, side, at, theirs))]);
  };

  describe(`monitor core: what is left alone on ${channelType}`, () => {
    it("an HTLC offered to us whose preimage was not told is left alone on our commitment", async () => {
      const made = await offeredToUs();
      await made.p.channel.forceClose("holder", true);
      made.p.minePublished("holderCommitment");
      assertLeftAlone(made, "holder");
    });

    it("an HTLC offered to us whose preimage was not told is left alone on the counterparty's commitment", async () => {
      const made = await offeredToUs();
      made.p.mine(made.p.commitmentOf("counterparty"));
      assertLeftAlone(made, "counterparty");
    });

    it("an HTLC of ours fails with the sixth confirmation of its HTLC-timeout, not before", async () => {
      const p = await protectedChannel({ channelType });
      const [ours] = await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: EXPIRY });
      assert.ok(ours !== undefined);
      await p.channel.forceClose("holder", true);
      p.minePublished("holderCommitment");
      p.mineTo(EXPIRY);
      p.mine(htlcTimeoutTx(p.channel, "holder", number(p, "holder"), ours));
      p.mineEmpty(4);
      assert.deepEqual(outcomes(p, ours), []);
      p.mineEmpty(1);
      assert.deepEqual(outcomes(p, ours), ["failed:chain"]);
    });
  });
}
