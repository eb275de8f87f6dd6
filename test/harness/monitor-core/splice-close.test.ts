/** Closes of channels with splices: on the new funding in every class, on the old one while it can be. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { cooperativeCloseTx } from "../channel/cooperative-close.js";
import { NOWHERE, secretNamed } from "../channel/test-channel.js";
import { protectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  CHANNEL_TYPES,
  number,
  outcomes,
  pay,
  spendable,
  spendKind,
} from "./scenario.js";
import {
  busy,
  commitmentOn,
  discarded,
  isWatched,
  rawOf,
  revokedOutputsOn,
  spendsOf,
  spliced,
  spliceIn,
} from "./splicing.js";

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: closes of a spliced ${channelType} channel`, () => {
    it("is not closed by its splice", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const splice = await spliceIn(p, "holder", 200_000n);
      assert.ok(isWatched(p, splice) && isWatched(p, { funding: NOWHERE }));
      p.mine(rawOf(splice));
      assert.equal(p.state.spend, undefined);
      assert.equal(p.state.alternativeFunding?.txid, splice.funding.txid);
      p.mineEmpty(10);
      await p.channel.splices.lock(splice);
      assert.deepEqual(p.state.parameters.funding, splice.funding);
      assert.equal(p.state.alternativeFunding, undefined);
      assert.equal(p.state.fundingConfirmedAt, 501);
      assert.deepEqual(p.events, []);
    });

    it("claims HTLCs on the counterparty's commitment on the new funding", async () => {
      const p = await protectedChannel({ channelType });
      const [out, , dust] = await busy(p);
      await spliced(p);
      await pay(p, { from: "holder", sat: 20_000, name: "later", expiry: 560 });
      p.mine(p.commitmentOf("counterparty"));
      assert.equal(spendKind(p), "counterparty");
      p.mineEmpty(5);
      assert.deepEqual(outcomes(p, must(dust, "dust")), ["failed:chain"]);
      p.mineTo(560);
      p.assertPublishable();
      const claims = p.minePublished("counterpartyHtlcClaim");
      assert.equal(claims.flatMap(({ raw }) => p.chain.inputsOf(raw)).length, 2);
      p.mineEmpty(6);
      assert.deepEqual(outcomes(p, must(out, "out")), ["failed:chain"]);
      assert.ok(spendable(p).length >= 2);
    });

    it("recognizes the previous commitment on the new funding", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const splice = await spliced(p);
      p.held = [];
      await pay(p, { from: "holder", sat: 20_000, name: "later" });
      const told = must(p.held[0], "the new commitment");
      p.held = undefined;
      p.update(told);
      p.mine(commitmentOn(p, splice.funding, "counterparty", number(p, "counterparty") - 1));
      assert.equal(spendKind(p), "counterpartyPrevious");
    });

    it("punishes a revoked commitment on the new funding, negotiated before the lock", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const splice = await spliceIn(p, "holder", 200_000n);
      await pay(p, { from: "counterparty", sat: 50_000, name: "between" });
      const at = number(p, "counterparty");
      p.mine(rawOf(splice));
      p.mineEmpty(5);
      await p.channel.splices.lock(splice);
      await pay(p, { from: "holder", sat: 10_000, name: "later" });
      p.mine(commitmentOn(p, splice.funding, "counterparty", at));
      assert.equal(spendKind(p), "revoked");
      assertClaims(p, revokedOutputsOn(p, splice.funding, at));
      p.minePublished();
      p.mineEmpty(6);
      assert.deepEqual(p.state.claims, []);
    });

    it("punishes the first commitment on the new funding when it is revoked after it confirmed", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const splice = await spliceIn(p, "holder", 200_000n);
      const at = number(p, "counterparty");
      p.held = [];
      await pay(p, { from: "holder", sat: 10_000, name: "later" });
      p.mine(rawOf(splice), commitmentOn(p, splice.funding, "counterparty", at));
      assert.equal(spendKind(p), "counterparty");
      p.release();
      assert.equal(p.state.spend?.kind, "revoked");
      assertClaims(p, revokedOutputsOn(p, splice.funding, at));
    });

    it("punishes a revoked commitment on the old funding while the splice is pending", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const at = number(p, "counterparty");
      const splice = await spliceIn(p, "holder", 200_000n);
      await pay(p, { from: "counterparty", sat: 50_000, name: "between" });
      p.mine(commitmentOn(p, NOWHERE, "counterparty", at));
      assert.equal(spendKind(p), "revoked");
      assertClaims(p, revokedOutputsOn(p, NOWHERE, at));
      p.minePublished();
      assert.deepEqual(discarded(p), []);
      p.mineEmpty(4);
      assert.deepEqual(discarded(p), [outpointKey(splice.funding)], "six deep");
      p.mineEmpty(10);
      assert.equal(discarded(p).length, 1);
      assert.ok(!isWatched(p, splice));
    });

    it("brings our commitment on the new funding through", async () => {
      const p = await protectedChannel({ channelType });
      await busy(p);
      const splice = await spliced(p);
      await p.channel.learnPreimage("holder", secretNamed("in").preimage);
      await p.channel.forceClose("holder");
      assert.deepEqual(spendsOf(p), [outpointKey(splice.funding)]);
      p.assertPublishable();
      p.minePublished("holderCommitment");
      assert.equal(spendKind(p), "holder");
      assert.equal(p.state.holderHtlcClaims.length, 2);
      p.assertPublishable();
      p.mineEmpty(143);
      assert.equal(spendable(p).length, 1, "to_local after its delay");
    });

    it("takes a cooperative close of the new funding for one", async () => {
      const p = await protectedChannel({ channelType });
      await spliced(p);
      p.mine(cooperativeCloseTx(p.channel, 500n));
      assert.equal(spendKind(p), "mutual");
      p.mineEmpty(5);
      assert.equal(spendable(p).length, 1);
    });
  });
}
