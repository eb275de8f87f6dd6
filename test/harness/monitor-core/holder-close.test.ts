/**
 * We go on chain with our own commitment (BOLT 5, "Local Commitment Transaction"): published until it
 * confirms, second stages at the right height, delayed outputs told when they can be spent.
 */
import assert from "node:assert/strict";
import { claimWithPreimage, sweepSecondStage, sweepToLocal } from "../channel/claims.js";
import { offer, secretNamed } from "../channel/test-channel.js";
import { bodiesOf } from "./event-rules.js";
import { protectedChannel, type ProtectedChannel } from "./protected-channel.js";
import {
  assertClaims,
  CHANNEL_TYPES,
  counterpartyCloses,
  htlcOutpoint,
  number,
  outcomes,
  pay,
  spendable,
  spendKind,
} from "./scenario.js";

const CONTEST_DELAY = 144;

async function withBoth(channelType: (typeof CHANNEL_TYPES)[number]) {
  const p = await protectedChannel({ channelType });
  const [ours, theirs, dust] = await pay(
    p,
    { from: "holder", sat: 20_000, name: "ours", expiry: 520 },
    { from: "counterparty", sat: 30_000, name: "theirs", expiry: 560 },
    { from: "holder", sat: 100, name: "dust", expiry: 700 },
  );
  assert.ok(ours !== undefined && theirs !== undefined && dust !== undefined);
  return { p, ours, theirs, dust, at: number(p, "holder") };
}

const toLocal = (p: ProtectedChannel): string => {
  const { built } = p.channel.commitment("holder");
  return `${built.txid}:${built.toLocalIndex}`;
};

for (const channelType of CHANNEL_TYPES) {
  describe(`monitor core: our commitment of ${channelType}`, () => {
    it("is published on the node's request until it confirms", async () => {
      const { p } = await withBoth(channelType);
      await p.channel.forceClose("holder", true, "asked");
      const [told] = bodiesOf(p.events, "holderForceClosed");
      assert.deepEqual(told?.reason, { kind: "nodeRequested", text: "asked" });
      p.mineEmpty(3);
      p.assertPublishable();
      const [commitment] = p.minePublished("holderCommitment");
      assert.equal(commitment?.txid, told.commitmentTxid);
      assert.equal(spendKind(p), "holder");
      assert.deepEqual(p.published("holderCommitment"), []);
    });

    it("tells to_local when its delay is over, and not before", async () => {
      const { p } = await withBoth(channelType);
      await p.channel.forceClose("holder", true);
      p.minePublished();
      const confirmedAt = p.height;
      p.mineTo(confirmedAt + CONTEST_DELAY - 2);
      assert.deepEqual(spendable(p), []);
      assert.ok(p.chain.hindrance(sweepToLocal(p.channel, "holder", number(p, "holder"))));
      p.mineEmpty(1);
      assert.deepEqual(spendable(p), [toLocal(p)]);
      p.mine(sweepToLocal(p.channel, "holder", number(p, "holder")));
    });

    it("fails dust 6 deep and a preimage seen on chain settles at once", async () => {
      const { p, ours, dust, at } = await withBoth(channelType);
      await p.channel.forceClose("holder", true);
      p.minePublished();
      p.mineEmpty(1);
      p.mine(claimWithPreimage(p.channel, "holder", at, ours, secretNamed("ours").preimage));
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
      p.mineEmpty(2);
      assert.deepEqual(outcomes(p, dust), []);
      p.mineEmpty(1);
      assert.deepEqual(outcomes(p, dust), ["failed:chain"]);
      p.mineTo(530);
      assert.deepEqual(outcomes(p, ours), ["claimed:chain"]);
      assert.deepEqual(p.published(), []);
    });

    it("gives way to a counterparty commitment that confirms instead", async () => {
      const { p, theirs } = await withBoth(channelType);
      await p.channel.forceClose("holder", true);
      counterpartyCloses(p);
      p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      const at = number(p, "counterparty");
      assertClaims(p, [htlcOutpoint(p, "counterparty", at, theirs)]);
    });

    it("stays the one we chose when a later update replaces the newest", async () => {
      const { p, ours } = await withBoth(channelType);
      p.held = [];
      offer(p.channel, "holder", 40_000, "later", 900);
      await p.channel.settle();
      const late = p.held;
      p.held = undefined;
      const chosen = p.state.holder.txid;
      p.mineTo(523);
      for (const steps of late) assert.equal(p.update(steps).afterClose, true);
      assert.notEqual(p.state.holder.txid, chosen);
      const [published] = p.minePublished("holderCommitment");
      assert.equal(published?.txid, chosen);
      assert.equal(spendKind(p), "holder");
      assert.deepEqual(outcomes(p, ours), []);
      const later = p.channel.liveHtlcs().find(({ cltvExpiry }) => cltvExpiry === 900);
      assert.ok(later !== undefined);
      p.mineEmpty(5);
      assert.deepEqual(outcomes(p, later), ["failed:chain"]);
    });
  });
}

describe("monitor core: second stages of our commitment", () => {
  it("HTLC-timeout goes out at expiry, its output is told after the delay", async () => {
    const { p, ours, at } = await withBoth("static_remote_key");
    await p.channel.forceClose("holder", true);
    p.minePublished();
    p.mineTo(519);
    assert.deepEqual(p.published(), []);
    p.mineTo(520);
    assertClaims(p, [htlcOutpoint(p, "holder", at, ours)]);
    const [timeout] = p.minePublished("holderHtlcTimeout");
    assert.ok(timeout !== undefined);
    const confirmedAt = p.height;
    p.mineEmpty(5);
    assert.deepEqual(outcomes(p, ours), ["failed:chain"]);
    p.mineTo(confirmedAt + CONTEST_DELAY - 2);
    assert.ok(!spendable(p).includes(`${timeout.txid}:0`));
    p.mineEmpty(1);
    assert.ok(spendable(p).includes(`${timeout.txid}:0`));
    p.mine(sweepSecondStage(p.channel, "holder", at, timeout.raw));
  });

  for (const when of ["before", "after"] as const) {
    it(`HTLC-success goes out when the preimage is known ${when} the close`, async () => {
      const { p, theirs, at } = await withBoth("static_remote_key");
      const learn = () => p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
      if (when === "before") learn();
      await p.channel.forceClose("holder", true);
      const published = p.published().map(({ role }) => role);
      const before = ["holderCommitment", "holderHtlcSuccess"];
      assert.deepEqual(published, when === "before" ? before : ["holderCommitment"]);
      p.minePublished("holderCommitment");
      if (when === "after") learn();
      assertClaims(p, [htlcOutpoint(p, "holder", at, theirs)]);
      const [success] = p.minePublished("holderHtlcSuccess");
      assert.deepEqual(p.published(), []);
      p.mineEmpty(CONTEST_DELAY);
      assert.ok(spendable(p).includes(`${success?.txid}:0`));
      assert.deepEqual(outcomes(p, theirs), []);
    });
  }

  it("can be in the block of the commitment, whose HTLCs then are resolved at once", async () => {
    const { p, theirs } = await withBoth("static_remote_key");
    p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
    await p.channel.forceClose("holder", true);
    const [, success] = p.minePublished();
    assert.equal(success?.role, "holderHtlcSuccess");
    assert.deepEqual(p.published(), []);
    p.mineEmpty(CONTEST_DELAY);
    assert.ok(spendable(p).includes(`${success.txid}:0`));
  });

  it("those of anchor channels pay no fee and are not published", async () => {
    const { p, theirs } = await withBoth("anchors_zero_fee_htlc");
    p.learn(secretNamed("theirs").preimage, theirs.source.sourceKey);
    await p.channel.forceClose("holder", true);
    p.minePublished("holderCommitment");
    p.mineTo(530);
    assert.deepEqual(p.published(), []);
    assert.equal(p.state.holderHtlcClaims.length, 2);
  });
});
