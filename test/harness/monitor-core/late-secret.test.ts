/**
 * The secret that revokes the confirmed commitment arrives after its block: from then on it is a revoked
 * one, and everything the counterparty still has there is taken (BOLT 5; contract 2.4).
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { blockDelta } from "@farwatch/protocol/block";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { htlcSuccessTx } from "../channel/broadcast.js";
import { sweepSecondStage } from "../channel/claims.js";
import { offer, secretNamed } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, claimed, counterpartyCloses, number, outcomes, pay } from "./scenario.js";

/** Confirms the previous commitment before its secret is told; returns the updates not yet told. */
async function revokedTooLate(p: ProtectedChannel) {
  await pay(
    p,
    { from: "holder", sat: 20_000, name: "ours" },
    { from: "counterparty", sat: 30_000, name: "theirs" },
  );
  p.held = [];
  offer(p.channel, "holder", 25_000, "added");
  await p.channel.settle();
  const late = p.held;
  p.held = undefined;
  const at = late.findIndex((steps) => steps.some(({ kind }) => kind === "commitmentSecret"));
  for (const steps of late.slice(0, at)) p.update(steps);
  counterpartyCloses(p, number(p, "counterparty") - 1);
  assert.equal(p.state.spend?.kind, "counterpartyPrevious");
  return late.slice(at);
}

const claimKinds = (p: ProtectedChannel): readonly string[] =>
  p.state.claims.flatMap(({ inputs }) => inputs.map(({ kind }) => kind)).sort();

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: a late secret of a confirmed commitment, ${channelType}`, () => {
    it("takes to_local and both HTLC outputs", async () => {
      const p = await protectedChannel({ channelType });
      const late = await revokedTooLate(p);
      for (const steps of late) p.update(steps);
      assert.equal(p.state.spend?.kind, "revoked");
      assert.deepEqual(claimKinds(p), ["revokedHtlc", "revokedHtlc", "revokedToLocal"]);
      p.assertPublishable();
      p.minePublished("justice");
      p.mineEmpty(10);
      assert.deepEqual(p.published(), []);
      assert.deepEqual(p.state.claims, []);
    });

    it("leaves alone what is spent already, and takes the rest", async () => {
      const p = await protectedChannel({ channelType });
      const late = await revokedTooLate(p);
      const [refund] = p.state.claims;
      p.mineTo(refund?.inputs[0]?.notBefore ?? 0);
      p.minePublished("counterpartyHtlcClaim");
      for (const steps of late) p.update(steps);
      const taken = p.minePublished("justice").map(({ role }) => role);
      assert.ok(taken.length > 0);
      p.mineEmpty(10);
      assert.deepEqual(p.state.claims, []);
    });

    it("takes the second stage that the cheater confirmed before", async () => {
      const p = await protectedChannel({ channelType });
      const late = await revokedTooLate(p);
      const at = number(p, "counterparty") - 1;
      const [ours] = p.channel
        .commitment("counterparty", at)
        .htlcs.filter(({ offered }) => !offered);
      const htlc = must(ours, "the HTLC we offered").htlc;
      p.mineEmpty(1);
      const success = htlcSuccessTx(
        p.channel,
        "counterparty",
        at,
        htlc,
        secretNamed("ours").preimage,
      );
      p.mine(success);
      assert.deepEqual(outcomes(p, htlc), ["claimed:chain"]);
      p.mineEmpty(8); // its spend of the commitment is final
      p.reload();
      for (const steps of late) p.update(steps);
      assert.deepEqual(claimKinds(p), ["revokedHtlc", "revokedSecondStage", "revokedToLocal"]);
      assert.ok(claimed(p).has(`${parseTx(success).txid}:0`));
      p.minePublished("justice");
      p.mineEmpty(10);
      assert.deepEqual(p.state.claims, []);
      p.disconnect(20);
      p.mine(success);
      p.mineEmpty(10); // the claim of before is final at its own height
      assert.ok(claimed(p).has(`${parseTx(success).txid}:0`), "also when it confirms again");
    });

    it("leaves alone what the cheater has already taken behind its second stage", async () => {
      const keys = { channelKeysId: new Uint8Array(32).fill(0x11) };
      const p = await protectedChannel({
        channelType,
        holder: { ...keys, contestDelay: blockDelta(20) },
      });
      const late = await revokedTooLate(p);
      const at = number(p, "counterparty") - 1;
      const [ours] = p.channel
        .commitment("counterparty", at)
        .htlcs.filter(({ offered }) => !offered);
      const htlc = must(ours, "the HTLC we offered").htlc;
      p.mineEmpty(1);
      const success = htlcSuccessTx(
        p.channel,
        "counterparty",
        at,
        htlc,
        secretNamed("ours").preimage,
      );
      p.mine(success);
      p.mineEmpty(20);
      p.mine(sweepSecondStage(p.channel, "counterparty", at, success));
      for (const steps of late) p.update(steps);
      assert.ok(!claimed(p).has(`${parseTx(success).txid}:0`));
      p.assertPublishable();
      p.disconnect(1);
      p.mine();
      assert.ok(claimed(p).has(`${parseTx(success).txid}:0`), "a reorg gives it back");
    });

    it("is forgotten with its block, and the next commitment is an honest one", async () => {
      const p = await protectedChannel({ channelType });
      const late = await revokedTooLate(p);
      for (const steps of late) p.update(steps);
      p.disconnect(1);
      assert.deepEqual(p.state.claims, []);
      counterpartyCloses(p);
      assert.equal(p.state.spend?.kind, "counterparty");
      assert.ok(!claimKinds(p).includes("revokedToLocal"));
    });
  });
}
