/**
 * When the monitor goes on chain by itself (R29; onchain-engine 8): outbound HTLCs at expiry + 3, inbound
 * ones with a known preimage 36 or 18 blocks before expiry, and never for what is settled already.
 */
import assert from "node:assert/strict";
import type { ConstantsProfile } from "@farwatch/protocol/channel";
import type { Side } from "../channel/setup.js";
import { offer, secretNamed } from "../channel/test-channel.js";
import { bumpRequests } from "@farwatch/monitor-service/monitor/bumps/bump-requests";
import { bodiesOf } from "./event-rules.js";
import { CHANNEL_TYPES } from "./scenario.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";

const EXPIRY = 600;
const broadcasts = (p: ProtectedChannel) => bodiesOf(p.events, "holderForceClosed");

async function withHtlc(from: Side, amountSat: number, profile?: ConstantsProfile) {
  const p = await protectedChannel(profile === undefined ? {} : { profile });
  const htlc = offer(p.channel, from, amountSat, "due", EXPIRY);
  await p.channel.settle();
  return { p, htlc };
}

describe("monitor core: deadlines", () => {
  for (const [kind, amountSat] of [
    ["an untrimmed", 20_000],
    ["a dust", 100],
  ] as const) {
    it(`closes for ${kind} outbound HTLC at expiry + 3, not before`, async () => {
      const { p, htlc } = await withHtlc("holder", amountSat);
      p.mineTo(EXPIRY + 2);
      assert.deepEqual(p.published(), []);
      assert.equal(p.mine().persist, true);
      const [event] = broadcasts(p);
      assert.deepEqual(event?.reason, { kind: "htlcDeadline", paymentHash: htlc.paymentHash });
      assert.equal(event.commitmentTxid, p.state.holder.txid);
      const [commitment, ...timeouts] = p.published();
      assert.equal(commitment?.txid, p.state.holder.txid);
      const roles = amountSat > 1000 ? ["holderHtlcTimeout"] : [];
      assert.deepEqual(
        timeouts.map(({ role }) => role),
        roles,
        "its HTLC-timeout carries its own fee and can be in the same block",
      );
      p.assertPublishable();
    });
  }

  for (const [profile, buffer] of [
    ["ldk_0_2", 36],
    ["ldk_0_1", 18],
  ] as const) {
    it(`closes for an inbound HTLC with preimage ${buffer} blocks before expiry (${profile})`, async () => {
      const { p, htlc } = await withHtlc("counterparty", 20_000, profile);
      p.learn(secretNamed("due").preimage, htlc.source.sourceKey);
      p.mineTo(EXPIRY - buffer - 1);
      assert.deepEqual(broadcasts(p), []);
      p.mine();
      assert.equal(broadcasts(p).length, 1);
    });
  }

  it("never closes for an inbound HTLC without its preimage", async () => {
    const { p } = await withHtlc("counterparty", 20_000);
    p.mineTo(EXPIRY + 10);
    assert.deepEqual(broadcasts(p), []);
  });

  for (const from of ["holder", "counterparty"] as const) {
    for (const outcome of ["fulfilled", "failed"] as const) {
      it(`an HTLC of ${from} that was ${outcome} off chain never closes the channel`, async () => {
        const { p, htlc } = await withHtlc(from, 20_000);
        if (outcome === "failed") p.channel.failHtlc(htlc);
        else await p.channel.fulfillHtlc(htlc, secretNamed("due").preimage);
        await p.channel.settle();
        p.mineTo(EXPIRY + 10);
        assert.deepEqual(broadcasts(p), []);
        assert.deepEqual(p.published(), []);
      });
    }
  }

  it("a suspected stale state is broadcast only when an operator overrides", async () => {
    const { p } = await withHtlc("holder", 20_000);
    await p.channel.forceClose("holder", false);
    p.mineTo(EXPIRY + 10);
    assert.deepEqual(broadcasts(p), []);
    const request = { kind: "broadcastHolder", reason: "by hand" } as const;
    assert.equal(p.refused({ ...request, overrideStale: false }), "staleSuspected");
    p.apply({ ...request, overrideStale: true });
    assert.deepEqual(broadcasts(p)[0]?.reason, { kind: "operator", text: "by hand" });
    p.assertPublishable();
  });

  for (const channelType of CHANNEL_TYPES) {
    it(`a broadcast of ${channelType} under way stops once the state is suspect, also after a restart`, async () => {
      const p = await protectedChannel({ channelType });
      offer(p.channel, "holder", 20_000, "due", EXPIRY);
      await p.channel.settle();
      p.mineTo(EXPIRY + 3);
      assert.equal(p.published("holderCommitment").length, 1);
      await p.channel.forceClose("holder", false, "the peer knows more");
      const silent = () => {
        assert.deepEqual(p.published(), []);
        assert.deepEqual(bumpRequests(p.ctx, p.state), []);
      };
      silent();
      p.reload();
      silent();
      p.mineEmpty(20);
      silent();
      const request = { kind: "broadcastHolder", reason: "by hand" } as const;
      assert.equal(p.refused({ ...request, overrideStale: false }), "staleSuspected");
      p.apply({ ...request, overrideStale: true });
      p.reload();
      p.mine();
      assert.equal(p.published("holderCommitment").length, 1);
      assert.equal(broadcasts(p).length, 1, "told once");
      p.assertPublishable();
    });
  }

  it("an override of an operator says nothing about suspicions to come", async () => {
    const { p } = await withHtlc("holder", 20_000);
    p.apply({ kind: "broadcastHolder", reason: "by hand", overrideStale: true });
    assert.equal(p.published("holderCommitment").length, 1);
    await p.channel.forceClose("holder", false, "the peer knows more");
    assert.deepEqual(p.published(), []);
  });
});
