/** The node's own payments on chain, and blocks that go away (R6, R25). */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import type { ChannelType } from "@farwatch/protocol/channel";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { aggregatedSuccess } from "../harness/channel/aggregated-success.js";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import { FINAL_DEPTH, mineTo, outputOf, theirClaim, theyClose, weTakeBack } from "./acts/chain.js";
import { eventsOfAll, paymentEvents, userEvent, userEvents } from "./acts/look.js";
import { fulfil, pay, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];

scenario({
  id: "S36",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const { number: old } = ab.channel.commitment("counterparty");
    await fulfil(await pay(world, ab, 1_000));
    await world.run();
    const [claimed, dust] = [await pay(world, ab, 50_000), await pay(world, ab, 100)];
    await theyClose(world, ab, old);
    await world.mine(FINAL_DEPTH - 2);
    await world.run();
    world.chain.disconnect(FINAL_DEPTH - 1);
    await world.mine(1, [broadcastableCommitment(ab.channel, "counterparty")]);
    await world.mine(1, [theirClaim(claimed)]);
    await world.run();
    assert.deepEqual(paymentEvents(world, claimed.payment), SENT);
    await world.mine(FINAL_DEPTH - 3);
    await world.run();
    assert.deepEqual(paymentEvents(world, dust.payment), [], "the old spend counts for nothing");
    await world.mine();
    await world.run();
    assert.deepEqual(paymentEvents(world, dust.payment), FAILED);
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual(paymentEvents(world, claimed.payment), SENT, "nothing follows a claim");
    assert.deepEqual(eventsOfAll(world, ab), [
      "1000 claimed:update",
      "spent by revoked:chain",
      "50000 claimed:chain",
      "100 failed:chain",
    ]);
    assert.deepEqual(world.dangling(), []);
  },
});

/** What the counterparty takes two HTLCs with: one transaction where the format allows it. */
const theirClaims = (claimed: readonly Paid[], channelType: ChannelType): readonly Uint8Array[] => {
  if (channelType === "static_remote_key") return claimed.map((one) => theirClaim(one));
  const { channel } = must(claimed[0], "a payment").part.link;
  const { number } = channel.commitment("counterparty");
  const successes = claimed.map(({ payment, part }) => ({
    htlc: part.htlc,
    preimage: payment.secret.preimage,
  }));
  return [aggregatedSuccess(channel, "counterparty", number, successes)];
};

/** Of the outputs of these payments: whether a transaction of ours spends it. */
const oursSpend = (world: World, payments: readonly Paid[]): readonly boolean[] => {
  const ours = world.broadcastTxids();
  return payments.map((one) => {
    const spender = world.chain.spenderOf(outputOf(one, "counterparty"));
    return spender !== undefined && ours.has(spender);
  });
};

async function splitExpiries(
  world: World,
  channelType: ChannelType,
  { withThird, reorg }: { readonly withThird: boolean; readonly reorg: boolean },
): Promise<void> {
  const ab = await world.open("ab", { channelType });
  const claimed = [await pay(world, ab, 50_000), await pay(world, ab, 60_000)];
  const third = withThird ? [await pay(world, ab, 70_000)] : [];
  const all = [...claimed, ...third];
  await theyClose(world, ab);
  await mineTo(world, must(all[0], "a payment").part.htlc.cltvExpiry);
  assert.ok(world.chain.minable().length > 0, "our claims are out");
  await world.mine(1, theirClaims(claimed, channelType));
  await world.run();
  for (const { payment } of claimed) assert.deepEqual(paymentEvents(world, payment), SENT);
  if (reorg) await world.reorg(1);
  await world.mineBroadcasts();
  const expected = [...claimed.map(() => reorg), ...third.map(() => true)];
  assert.deepEqual(oursSpend(world, all), expected, "what they left, or all of it again");
  await world.mine(FINAL_DEPTH - 2);
  await world.run();
  for (const { payment } of third) assert.deepEqual(paymentEvents(world, payment), []);
  await world.mine();
  await world.run();
  for (const { payment } of third) assert.deepEqual(paymentEvents(world, payment), FAILED);
  for (const { payment } of claimed) assert.deepEqual(paymentEvents(world, payment), SENT);
  const [spend, ...rest] = eventsOfAll(world, ab);
  const failed = third.map(() => "70000 failed:chain");
  const claims = ["50000 claimed:chain", "60000 claimed:chain", ...failed];
  assert.deepEqual([spend, ...[...rest].sort()], ["spent by counterparty:chain", ...claims]);
  assert.deepEqual(world.dangling(), []);
  assert.equal(world.record.preimages(), 0);
}

for (const channelType of ["static_remote_key", "anchors_zero_fee_htlc"] as const) {
  for (const withThird of [true, false]) {
    for (const reorg of [true, false]) {
      scenario({
        id: "S37",
        variant: `${channelType}, ${withThird ? "a third is left" : "both claimed"}${reorg ? ", reorganised" : ""}`,
        run: async (make) => splitExpiries(await make(), channelType, { withThird, reorg }),
      });
    }
  }
}

for (const variant of ["never confirms again", "confirms again"] as const) {
  scenario({
    id: "S38",
    variant: `it ${variant}`,
    async run(make) {
      const world = await make({ funding: "mined" });
      const ab = await world.open("ab");
      await world.mine(5);
      const paid = await pay(world, ab, 50_000);
      const [funding] = world.fundings;
      await world.reorg(6);
      ab.giveUp(true, "the funding transaction is no longer confirmed");
      await ab.closing;
      await world.run();
      const names = ["manager", "m1", "m2"];
      for (const name of names) world.crash(name);
      for (const name of names) await world.restart(name);
      await world.run();
      await world.mine(FINAL_DEPTH);
      await world.run();
      assert.deepEqual(userEvents(world), ["channelClosed"]);
      const { reason } = userEvent(world, "channelClosed").value;
      assert.equal(reason, ClosureReason.HOLDER_FORCE_CLOSED);
      assert.deepEqual(eventsOfAll(world, ab), ["closed for nodeRequested:command"]);
      assert.deepEqual(paymentEvents(world, paid.payment), [], "nothing decides the payment yet");
      if (variant === "never confirms again") return;
      await world.mine(1, [must(funding, "funding")]);
      await world.mineBroadcasts();
      await weTakeBack(world, paid);
      await world.mine(FINAL_DEPTH - 1);
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), FAILED);
      const told = [
        "closed for nodeRequested:command",
        "spent by holder:chain",
        "50000 failed:chain",
      ];
      assert.deepEqual(eventsOfAll(world, ab), told);
      assert.deepEqual(world.dangling(), []);
    },
  });
}
