/**
 * Cooperative closes, spends nobody told us of, and updates that arrive after the channel was closed on
 * chain (contract 2.4; R20, R28): applied, and their HTLCs end right.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { offer, secretNamed } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
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

/** Runs the dance while the monitor hears nothing; returns what it will be told. */
async function unheard(p: ProtectedChannel, dance: () => Promise<void>) {
  p.held = [];
  await dance();
  const late = p.held;
  p.held = undefined;
  return late;
}

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: cooperative close of ${channelType}`, () => {
    const script = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(9));

    for (const where of ["destination", "shutdown"] as const) {
      it(`is told once, our output at the ${where} script 6 deep`, async () => {
        const p = await protectedChannel({ channelType });
        const [htlc] = await pay(p, { from: "holder", sat: 20_000, name: "ours" });
        await fulfill(p, must(htlc, "htlc"), "ours");
        if (where === "shutdown") await p.channel.shutdown("holder", script);
        const scripts = where === "shutdown" ? { holder: script } : {};
        p.mine(cooperativeCloseTx(p.channel, 500n, scripts));
        const [told] = bodiesOf(p.events, "commitmentTxConfirmed");
        assert.deepEqual([told?.spend, told?.mutualClose], ["mutual", true]);
        assert.equal(told?.commitmentNumber, undefined);
        p.mineEmpty(4);
        assert.deepEqual(spendable(p), []);
        p.mineEmpty(1);
        assert.equal(spendable(p).length, 1);
        p.mineEmpty(200);
        assert.deepEqual(p.published(), []);
        assert.equal(p.events.length, 3);
      });
    }
  });

  describe(`monitor core: updates after the close of ${channelType}`, () => {
    it("apply, and a new HTLC fails with the spend; at once when that is final", async () => {
      for (const depth of [1, 6]) {
        const p = await protectedChannel({ channelType });
        await pay(p, { from: "holder", sat: 20_000, name: "ours" });
        const late = await unheard(p, async () => {
          offer(p.channel, "holder", 30_000, "added");
          await p.channel.signCommitment("holder");
        });
        const added = must(p.channel.liveHtlcs().at(-1), "htlc");
        counterpartyCloses(p, number(p, "counterparty") - 1);
        p.mineEmpty(depth - 1);
        for (const steps of late) assert.equal(p.update(steps).afterClose, true);
        assert.deepEqual(outcomes(p, added), depth === 6 ? ["failed:chain"] : []);
        p.mineEmpty(5);
        assert.deepEqual(outcomes(p, added), ["failed:chain"]);
      }
    });

    it("name the commitment that confirmed before we were told of it", async () => {
      const p = await protectedChannel({ channelType });
      const [ours, theirs] = await pay(
        p,
        { from: "holder", sat: 20_000, name: "ours", expiry: 520 },
        { from: "counterparty", sat: 30_000, name: "theirs", expiry: 560 },
      );
      assert.ok(ours !== undefined && theirs !== undefined);
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      const late = await unheard(p, async () => {
        offer(p.channel, "holder", 30_000, "added", 530);
        await p.channel.signCommitment("holder");
      });
      const added = must(p.channel.liveHtlcs().at(-1), "htlc");
      counterpartyCloses(p);
      assert.equal(spendKind(p), "unknown");
      p.mineEmpty(3);
      assert.deepEqual(p.published(), []);
      for (const steps of late) p.update(steps);
      assert.equal(p.state.spend?.kind, "counterparty");
      const at = number(p, "counterparty");
      assertClaims(p, [htlcOutpoint(p, "counterparty", at, theirs)]);
      p.mineTo(530);
      assertClaims(
        p,
        [ours, theirs, added].map((htlc) => htlcOutpoint(p, "counterparty", at, htlc)),
      );
      p.minePublished();
      p.mineEmpty(5);
      assert.deepEqual(outcomes(p, added), ["failed:chain"]);
      assert.deepEqual(outcomes(p, ours), ["failed:chain"]);
    });

    it("name it only after an HTLC of it was taken: the preimage is read all the same", async () => {
      const p = await protectedChannel({ channelType });
      const [ours] = await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 560 });
      assert.ok(ours !== undefined);
      const late = await unheard(p, async () => {
        offer(p.channel, "holder", 30_000, "added", 530);
        await p.channel.signCommitment("holder");
      });
      counterpartyCloses(p);
      const at = number(p, "counterparty");
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, ours, secretNamed("ours").preimage));
      p.mineEmpty(8);
      assert.deepEqual(outcomes(p, ours), [], "nobody knows yet whose output that was");
      p.reload();
      for (const steps of late) p.update(steps);
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
      p.mineEmpty(93);
      assert.ok(p.state.outputSpends.size === 0, "the spend is forgotten when it is 100 deep");
    });

    it("and a reorg takes back what was seen before it was named", async () => {
      const p = await protectedChannel({ channelType });
      const [ours] = await pay(p, { from: "holder", sat: 20_000, name: "ours", expiry: 560 });
      assert.ok(ours !== undefined);
      const late = await unheard(p, async () => {
        offer(p.channel, "holder", 30_000, "added", 530);
        await p.channel.signCommitment("holder");
      });
      counterpartyCloses(p);
      const at = number(p, "counterparty");
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, ours, secretNamed("ours").preimage));
      p.disconnect(1);
      for (const steps of late) p.update(steps);
      assert.deepEqual(outcomes(p, ours), []);
    });

    it("never fail an HTLC that stands in the confirmed commitment: the chain decides", async () => {
      const p = await protectedChannel({ channelType });
      const [ours] = await pay(p, { from: "holder", sat: 20_000, name: "ours" });
      assert.ok(ours !== undefined);
      const at = number(p, "counterparty");
      const late = await unheard(p, async () => {
        p.channel.failHtlc(ours);
        await p.channel.settle();
      });
      counterpartyCloses(p, at);
      for (const steps of late) p.update(steps);
      assert.deepEqual(outcomes(p, ours), []);
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, ours, secretNamed("ours").preimage));
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
    });
  });
}
