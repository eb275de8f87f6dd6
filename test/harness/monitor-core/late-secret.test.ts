/**
 * The secret that revokes the confirmed commitment arrives after its block: from then on it is a revoked
 * one, and everything the counterparty still has there is taken (BOLT 5; contract 2.4).
 */
import assert from "node:assert/strict";
import { offer } from "../channel/test-channel.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import { CHANNEL_TYPES, counterpartyCloses, number, pay } from "./scenario.js";

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
