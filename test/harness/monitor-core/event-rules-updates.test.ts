/**
 * Event rules that updates decide, after a close too (persistent-events 2B, R16, G1; contract 2.4, 2.9).
 * Which test proves which rule: test/README.md, "Event rules".
 */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { sourceKey } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { decodeState, encodeState } from "@farwatch/monitor-service/monitor/codec";
import { step } from "@farwatch/monitor-service/monitor/step";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { forwardSource } from "../channel/sources.js";
import { secretNamed } from "../channel/test-channel.js";
import { bodiesOf, outcomesOf } from "./event-rules.js";
import { forwarded, inboundHtlc, recordInputs, takeRemoval } from "./forwarded.js";
import type { ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, counterpartyCloses, fulfill, number, outcomes, pay } from "./scenario.js";

/** Runs the dance while the monitor hears nothing; it is told by `release`. */
async function unheard(p: ProtectedChannel, dance: () => Promise<void>): Promise<void> {
  p.held = [];
  await dance();
}

type HolderStep = Extract<UpdateStep, { kind: "latestHolderCommitment" }>;

/** The monitor is told what it had not heard, with its holder commitments changed. */
function tellHeld(p: ProtectedChannel, change: (step: HolderStep) => HolderStep): void {
  for (const steps of p.held?.splice(0) ?? []) {
    p.update(steps.map((item) => (item.kind === "latestHolderCommitment" ? change(item) : item)));
  }
}

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: event rules of updates, ${channelType}`, () => {
    it("G1, 2.9: inputs replayed with a restart at each give the same ids and events", async () => {
      const { p, htlc } = await forwarded(channelType, forwardSource(inboundHtlc("a", 640)));
      const from = p.state;
      const told = p.events.length;
      const inputs = recordInputs(p);
      const [settled, ours] = await pay(
        p,
        { from: "holder", sat: 20_000, name: "settled" },
        { from: "holder", sat: 30_000, name: "ours" },
      );
      assert.ok(settled !== undefined && ours !== undefined);
      await fulfill(p, settled, "settled");
      counterpartyCloses(p);
      const at = number(p, "counterparty");
      p.mine(htlcSuccessTx(p.channel, "counterparty", at, ours, secretNamed("ours").preimage));
      p.disconnect(1);
      p.mineTo(660);
      assert.deepEqual(outcomes(p, htlc), ["failed:block"]);
      let replayed = from;
      const events = inputs.flatMap((input) => {
        // The first try is lost with the process: nothing of it was durable.
        assert.ok(step(p.ctx, replayed, input).ok);
        const done = step(p.ctx, decodeState(encodeState(replayed)), input);
        assert.ok(done.ok);
        replayed = done.value.state;
        return done.value.events;
      });
      assert.deepEqual(events, p.events.slice(told));
      assert.deepEqual(replayed, p.state);
    });

    for (const where of ["the counterparty's", "our"] as const) {
      it(`2.4, R16: a claim told after ${where} commitment confirmed is told, no failure`, async () => {
        const { p, htlc } = await forwarded(channelType);
        await unheard(p, async () => {
          await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
          await takeRemoval(p);
        });
        if (where === "our") p.mine(p.commitmentOf("holder", number(p, "holder") - 1));
        else counterpartyCloses(p);
        p.release();
        assert.deepEqual(outcomes(p, htlc), ["claimed:update"]);
        assert.equal(p.relays.length, 1, "2.7");
        p.mineTo(600);
        p.minePublished();
        p.mineEmpty(10);
        assert.deepEqual(outcomes(p, htlc), ["claimed:update"]);
      });
    }

    it("2.4, R11: a failure told after a close without the HTLC is told at once, and once", async () => {
      const { p, htlc } = await forwarded(channelType);
      p.channel.failHtlc(htlc);
      await takeRemoval(p);
      await unheard(p, () => p.channel.settle());
      p.mine(p.commitmentOf("holder"));
      assert.deepEqual(outcomes(p, htlc), []);
      p.release();
      assert.deepEqual(outcomes(p, htlc), ["failed:update"]);
      p.mineEmpty(10);
      assert.deepEqual(outcomes(p, htlc), ["failed:update"]);
    });

    it("2.4: after our own broadcast, before it confirms, updates apply and tell", async () => {
      const { p, htlc } = await forwarded(channelType);
      p.apply({ kind: "broadcastHolder", reason: "test", overrideStale: false });
      await fulfill(p, htlc, "ours");
      assert.deepEqual(outcomes(p, htlc), ["claimed:update"]);
      assert.ok(p.state.holderBroadcast !== undefined);
    });

    it("2.12, G19: a claimed entry of an HTLC we do not know is told and costs no preimage", async () => {
      const { p, htlc } = await forwarded(channelType);
      await unheard(p, async () => {
        await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
        await takeRemoval(p);
      });
      const unknown = sourceKey("dd".repeat(32));
      tellHeld(p, (step) => ({
        ...step,
        claimed: step.claimed.map((one) => ({ ...one, sourceKey: unknown })),
      }));
      assert.deepEqual(outcomesOf(p.events, unknown), ["claimed:update"]);
      const { paymentHash, preimage } = secretNamed("ours");
      assert.deepEqual(p.state.preimages.get(paymentHash), preimage);
    });

    it("G14: a claim tells what the entry says of the skimmed fee and of hold times", async () => {
      const { p, htlc } = await forwarded(channelType);
      await unheard(p, async () => {
        await p.channel.fulfillHtlc(htlc, secretNamed("ours").preimage);
        await takeRemoval(p);
      });
      const more = { skimmedFeeMsat: msat(7), attributionData: new Uint8Array([1, 2, 3]) };
      tellHeld(p, (step) => ({
        ...step,
        claimed: step.claimed.map((one) => ({ ...one, ...more })),
      }));
      const [told] = bodiesOf(p.events, "htlcEvent");
      const { preimage } = secretNamed("ours");
      assert.deepEqual(told?.resolution, { kind: "claimed", preimage, ...more });
    });

    it("G19: a failure whose reason nobody told is still told; its secret is never refused", async () => {
      const { p, htlc } = await forwarded(channelType);
      await unheard(p, async () => {
        p.channel.failHtlc(htlc);
        await p.channel.settle();
      });
      tellHeld(p, (step) => ({ ...step, failed: [] }));
      assert.deepEqual(outcomes(p, htlc), ["failed:update"]);
      const [told] = bodiesOf(p.events, "htlcEvent");
      assert.ok(told?.resolution.kind === "failed");
      assert.deepEqual(told.resolution.reason.cause, { kind: "onChainTimeout" });
      assert.equal(p.state.counterpartyPrevious, undefined, "revoked");
    });

    describe("HTLCs revoked while they stand in the commitment on chain", () => {
      /** Failed and revoked by updates that come when the commitment with the HTLC has confirmed. */
      async function revokedOnChain() {
        const source = forwardSource(inboundHtlc("a", 640));
        const { p, htlc } = await forwarded(channelType, source);
        const at = number(p, "counterparty");
        await unheard(p, async () => {
          p.channel.failHtlc(htlc);
          await p.channel.settle();
          await pay(p, { from: "counterparty", sat: 20_000, name: "newer" });
        });
        counterpartyCloses(p, at);
        p.release();
        assert.deepEqual(outcomes(p, htlc), [], "the chain decides");
        return { p, htlc, at };
      }

      it("R21: fail with a commitment that confirms instead after a reorg", async () => {
        const { p, htlc } = await revokedOnChain();
        p.disconnect(1);
        p.reload();
        counterpartyCloses(p);
        p.mineEmpty(4);
        assert.deepEqual(outcomes(p, htlc), []);
        p.mine();
        assert.deepEqual(outcomes(p, htlc), ["failed:chain"]);
      });

      it("R22: are claimed when it confirms again and the cheater shows the preimage", async () => {
        const { p, htlc, at } = await revokedOnChain();
        p.disconnect(1);
        p.reload();
        counterpartyCloses(p, at);
        const { preimage } = secretNamed("ours");
        p.mine(htlcSuccessTx(p.channel, "counterparty", at, htlc, preimage));
        assert.deepEqual(outcomes(p, htlc), ["claimed:chain"]);
        assert.equal(p.relays.length, 1, "2.7");
      });

      it("R27: are failed back before the inbound HTLC expires", async () => {
        const { p, htlc } = await revokedOnChain();
        p.mineTo(636);
        assert.deepEqual(outcomes(p, htlc), []);
        p.reload();
        p.mine();
        assert.deepEqual(outcomes(p, htlc), ["failed:block"]);
      });

      it("R11: fail with the next secret when the channel is open again after a reorg", async () => {
        const { p, htlc } = await revokedOnChain();
        p.disconnect(1);
        p.mineEmpty(2);
        assert.deepEqual(outcomes(p, htlc), []);
        await pay(p, { from: "counterparty", sat: 20_000, name: "more" });
        assert.deepEqual(outcomes(p, htlc), ["failed:update"]);
        await pay(p, { from: "counterparty", sat: 20_000, name: "last" });
        assert.equal(p.state.reported.size, 0);
      });
    });
  });
}
