/**
 * Event rules that the chain decides (persistent-events 2C and section 6; contract 2.7, 2.10). Which test
 * proves which rule: test/README.md, "Event rules".
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { forwardSource } from "../channel/sources.js";
import { secretNamed } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import {
  FORWARDED_MSAT,
  forwarded,
  inboundHtlc,
  takeRemoval,
  trampolineSource,
} from "./forwarded.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, counterpartyCloses, number, outcomes, pay } from "./scenario.js";
import { onionFailure } from "../channel/proposals.js";
import type { Htlc } from "../channel/ledger.js";

const INBOUND_EXPIRY = 640;

/** The counterparty takes the HTLC on its own commitment, showing the preimage. */
const takeOnChain = (p: ProtectedChannel, htlc: Htlc) =>
  p.mine(
    htlcSuccessTx(
      p.channel,
      "counterparty",
      number(p, "counterparty"),
      htlc,
      secretNamed("ours").preimage,
    ),
  );

const failure = (p: ProtectedChannel) => {
  const told = must(bodiesOf(p.events, "htlcEvent")[0], "event");
  const { amountMsat, resolution } = told;
  return { amountMsat, reason: resolution.kind === "failed" ? resolution.reason : undefined };
};

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: event rules on chain, ${channelType}`, () => {
    it("G5, R73: a claim on chain is told after an early failure nobody acked", async () => {
      const { p, htlc } = await forwarded(
        channelType,
        forwardSource(inboundHtlc("a", INBOUND_EXPIRY)),
      );
      counterpartyCloses(p);
      p.mineTo(INBOUND_EXPIRY - 3);
      assert.deepEqual(outcomes(p, htlc), ["failed:block"]);
      assert.deepEqual(p.relays, [], "2.7: never for failures");
      p.reload();
      takeOnChain(p, htlc);
      assert.deepEqual(outcomes(p, htlc), ["failed:block", "claimed:chain"]);
      assert.equal(p.relays.length, 1);
    });

    it("G5, R22: no failure after a claim, also when a reorg gives the HTLC back to us", async () => {
      const { p, htlc } = await forwarded(
        channelType,
        forwardSource(inboundHtlc("a", INBOUND_EXPIRY)),
      );
      counterpartyCloses(p);
      takeOnChain(p, htlc);
      p.disconnect(1);
      p.reload();
      p.mineTo(600);
      p.minePublished();
      p.mineTo(INBOUND_EXPIRY + 10);
      assert.deepEqual(p.published(), [], "we took it back");
      assert.deepEqual(outcomes(p, htlc), ["claimed:chain"]);
    });

    it("G17: an early failure is told once, over restarts and when the refund is 6 deep", async () => {
      const { p, htlc } = await forwarded(
        channelType,
        forwardSource(inboundHtlc("a", INBOUND_EXPIRY)),
      );
      counterpartyCloses(p);
      p.mineTo(INBOUND_EXPIRY - 3);
      p.reload();
      p.minePublished();
      for (let i = 0; i < 10; i++) {
        p.reload();
        p.mine();
      }
      assert.deepEqual(p.published(), []);
      assert.deepEqual(outcomes(p, htlc), ["failed:block"]);
    });

    it("G18: a refund carries the exact msat and the counterparty's own reason", async () => {
      const { p, htlc } = await forwarded(channelType);
      p.channel.failHtlc(htlc);
      await takeRemoval(p);
      counterpartyCloses(p);
      p.mineTo(600);
      p.reload();
      p.minePublished();
      p.mineEmpty(5);
      assert.deepEqual(outcomes(p, htlc), ["failed:chain"]);
      assert.deepEqual(failure(p), { amountMsat: FORWARDED_MSAT, reason: onionFailure() });
    });

    it("G18, R21: so does an HTLC removed from ours that the counterparty never revoked", async () => {
      const { p, htlc } = await forwarded(channelType);
      p.channel.failHtlc(htlc);
      await takeRemoval(p);
      p.mine(p.commitmentOf("holder"));
      p.mineEmpty(4);
      assert.deepEqual(outcomes(p, htlc), []);
      p.mine();
      assert.deepEqual(outcomes(p, htlc), ["failed:chain"]);
      assert.deepEqual(failure(p), { amountMsat: FORWARDED_MSAT, reason: onionFailure() });
    });

    it("R24: without a reason the failure says that it timed out on chain", async () => {
      const { p, htlc } = await forwarded(channelType);
      counterpartyCloses(p);
      p.mineTo(600);
      p.minePublished();
      p.mineEmpty(5);
      assert.deepEqual(outcomes(p, htlc), ["failed:chain"]);
      const { amountMsat, reason } = failure(p);
      assert.equal(amountMsat, FORWARDED_MSAT);
      assert.deepEqual(reason?.cause, { kind: "onChainTimeout" });
      assert.deepEqual(p.relays, [], "2.7: never for failures");
    });

    it("2.7: a preimage seen on chain is relayed to every inbound channel, at once", async () => {
      const from = [inboundHtlc("a", 700), inboundHtlc("b", 800)];
      const { p, htlc } = await forwarded(channelType, trampolineSource(...from));
      counterpartyCloses(p);
      takeOnChain(p, htlc);
      const { preimage } = secretNamed("ours");
      const { sourceKey } = htlc.source;
      assert.deepEqual(
        p.relays,
        from.map(({ channelId }) => ({ inboundChannelId: channelId, preimage, sourceKey })),
      );
    });

    it("2.10: a claim is told once in each origin class, whatever is repeated", async () => {
      const { p, htlc } = await forwarded(channelType);
      await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
      await takeRemoval(p);
      counterpartyCloses(p);
      for (let i = 0; i < 3; i++) {
        takeOnChain(p, htlc);
        p.disconnect(1);
        p.reload();
      }
      takeOnChain(p, htlc);
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, htlc), ["claimed:update", "claimed:chain"]);
    });
  });
}

describe("monitor core: event rules of our own close", () => {
  const broadcasts = (p: ProtectedChannel) => bodiesOf(p.events, "holderForceClosed").length;

  it("R29a: one force-close event, at every later block, request, restart and reorg", async () => {
    const p = await protectedChannel();
    await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 520 });
    p.mineTo(523);
    assert.equal(broadcasts(p), 1);
    p.mineEmpty(3);
    p.reload();
    p.apply({ kind: "broadcastHolder", reason: "again", overrideStale: false });
    await p.channel.forceClose("holder", true);
    p.minePublished("holderCommitment");
    p.disconnect(1);
    p.reload();
    p.mineEmpty(2);
    p.minePublished("holderCommitment");
    assert.equal(broadcasts(p), 1);
    assert.equal(bodiesOf(p.events, "commitmentTxConfirmed").length, 1, "R20");
  });

  it("R30: a request to close after a spend was seen broadcasts and tells nothing", async () => {
    const p = await protectedChannel();
    await pay(p, { from: "counterparty", sat: 20_000, name: "theirs" });
    counterpartyCloses(p);
    await p.channel.forceClose("holder", true);
    assert.equal(broadcasts(p), 0);
    assert.deepEqual(p.published("holderCommitment"), []);
  });

  it("R31: a preimage we learn tells nothing, before or after the close", async () => {
    const p = await protectedChannel();
    const [htlc] = await pay(p, { from: "counterparty", sat: 20_000, name: "theirs" });
    const { preimage } = secretNamed("theirs");
    p.update([{ kind: "paymentPreimage", preimage, paymentInfo: undefined }]);
    assert.deepEqual([p.events, p.relays], [[], []]);
    counterpartyCloses(p);
    p.learn(preimage, must(htlc, "htlc").source.sourceKey);
    assert.deepEqual(bodiesOf(p.events, "htlcEvent"), []);
  });
});
