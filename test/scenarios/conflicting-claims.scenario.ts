/** Our claims of several HTLCs in one transaction, while the counterparty takes some of them (S40). */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { aggregatedSuccess } from "../harness/channel/aggregated-success.js";
import type { Link } from "../harness/routing/link.js";
import { FINAL_DEPTH, mineTo, outputOf, theirClaim, theyClose, type Sent } from "./acts/chain.js";
import { endOf, forward, forwardsTold, sentOn } from "./acts/forwards.js";
import { eventsOf, eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { fulfil, pay } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
const CHANNEL_TYPES = ["static_remote_key", "anchors_zero_fee_htlc"] as const;
/** Updates of one HTLC that is added: two commitments and one secret. */
const ADD = 3;

/** How many of these outputs transactions of ours would take in the next block. */
function wanted(world: World, all: readonly Sent[]): number {
  const minable = world.chain.minable().flatMap((raw) => world.chain.inputsOf(raw));
  const taken = all.filter((one) => {
    const { txid, vout } = outputOf(one, "counterparty");
    return minable.some((input) => input.txid === txid && input.vout === vout);
  });
  return taken.length;
}

/** Their commitment confirms with three expired HTLCs, which we take back together. */
async function threeExpired(world: World, link: Link, all: readonly Sent[]): Promise<void> {
  await theyClose(world, link);
  await world.run();
  assert.equal(wanted(world, all), 0, "not before they expire");
  await mineTo(world, must(all[0], "an HTLC").part.htlc.cltvExpiry);
  assert.equal(wanted(world, all), all.length);
}

for (const channelType of CHANNEL_TYPES) {
  scenario({
    id: "S40",
    variant: `payer, one by one, ${channelType}`,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab", { channelType });
      const all = [];
      for (const sat of [50_000, 60_000, 70_000]) all.push(await pay(world, ab, sat));
      const [x, y, z] = all;
      assert.ok(x !== undefined && y !== undefined && z !== undefined);
      await threeExpired(world, ab, all);
      await world.mine(1, [theirClaim(x)]);
      assert.equal(wanted(world, [x]), 0);
      assert.equal(wanted(world, [y, z]), 2, "the rest is taken without the one that is gone");
      await world.mine(1, [theirClaim(y)]);
      assert.equal(wanted(world, [z]), 1);
      const last = await world.mineBroadcasts();
      assert.equal(last.length, 1);
      await world.mine(FINAL_DEPTH - 2);
      await world.run();
      for (const { payment } of [x, y]) assert.deepEqual(paymentEvents(world, payment), SENT);
      assert.deepEqual(paymentEvents(world, z.payment), []);
      await world.mine(1);
      await world.run();
      assert.deepEqual(paymentEvents(world, z.payment), FAILED);
      assert.deepEqual(eventsOfAll(world, ab), [
        "spent by counterparty:chain",
        "50000 claimed:chain",
        "60000 claimed:chain",
        "70000 failed:chain",
      ]);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.updates(ab.channelId), 3 * ADD + 1, "and the close");
      assert.equal(world.record.preimages(), 0);
    },
  });
}

scenario({
  id: "S40",
  variant: "forwarder, two at once",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const bc = await world.open("bc", { channelType: "anchors_zero_fee_htlc" });
    const hops = { ab, bc };
    const all = [];
    for (const sat of [50_000, 60_000, 70_000]) all.push(await forward(world, hops, sat));
    const [x, y, z] = all;
    assert.ok(x !== undefined && y !== undefined && z !== undefined);
    await threeExpired(world, bc, all.map(sentOn));
    const { number } = bc.channel.commitment("counterparty");
    const successes = [x, y].map(({ leg, secret }) => ({
      htlc: leg.htlc,
      preimage: secret.preimage,
    }));
    await world.mine(1, [aggregatedSuccess(bc.channel, "counterparty", number, successes)]);
    await world.run();
    assert.equal(wanted(world, [sentOn(z)]), 1);
    for (const one of [x, y]) assert.equal(endOf(one), "gone claim", "at one confirmation");
    assert.equal(endOf(z), "standing");
    await world.mineBroadcasts();
    await world.mine(FINAL_DEPTH - 1);
    await world.run();
    assert.equal(endOf(z), "gone fail");
    assert.equal(forwardsTold(world).length, 2);
    const fails = userEvents(world).filter((kind) => kind === "htlcHandlingFailed");
    assert.equal(fails.length, 1);
    assert.deepEqual(eventsOf(world, ab), []);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(ab.channelId), 2 * world.monitors.length);
    assert.equal(world.record.preimages(bc.channelId), 0);
  },
});

scenario({
  id: "S40",
  variant: "payer, both fulfilled in one commitment",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const ab = await world.open("ab");
    const all = [await pay(world, ab, 50_000), await pay(world, ab, 60_000)];
    for (const paid of all) await fulfil(paid);
    const before = record.updates(ab.channelId);
    await ab.commit("counterparty");
    await world.quiesce();
    await node.handleItems();
    assert.deepEqual(userEvents(world), ["paymentSent", "paymentSent"]);
    assert.equal(record.updates(ab.channelId), before + 1, "handling them sends nothing");
    await ab.revoke("holder");
    await ab.commit("holder");
    assert.equal(record.updates(ab.channelId), before + 2);
    await ab.revoke("counterparty");
    assert.equal(record.updates(ab.channelId), before + 3, "the secret, at the revocation");
    await world.run();
    for (const { payment } of all) assert.deepEqual(paymentEvents(world, payment), SENT);
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.updates(ab.channelId), before + 3);
    assert.equal(record.preimages(), 0);
  },
});
