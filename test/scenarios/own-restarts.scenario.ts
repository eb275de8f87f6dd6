/** Own payments, and a forward, of a node that starts anew without knowing them; the channel is on chain. */
import assert from "node:assert/strict";
import { NOTHING } from "../harness/routing/memory.js";
import { outputOf, theirClaim, theyClose, weTakeBack } from "./acts/chain.js";
import { claim, forward, forwardsTold, openHops, toldOf } from "./acts/forwards.js";
import { eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { fulfil, pay, register } from "./acts/payments.js";
import { assertRefused } from "./acts/refusals.js";
import { scenario } from "./scenario.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];

// LDK lets the id be used again after PaymentFailed; here a finished payment's id never is (contract
// section 1, RegisterPayment), so the invoice is paid again under another one.
for (const [variant, amountSat] of [
  ["dust", 100],
  ["not dust", 50_000],
] as const) {
  scenario({
    id: "S30",
    variant,
    async run(make) {
      const world = await make();
      const { node } = world;
      const ab = await world.open("ab");
      const old = node.memory();
      const paid = await pay(world, ab, amountSat);
      const refused = () => assertRefused(register(world, paid.payment, amountSat), "malformed");
      await world.restartNode(old);
      assert.ok(ab.isBehind);
      await node.closeByMonitors(ab, "the node is behind");
      await world.run();
      await refused();
      await world.mineBroadcasts();
      if (variant === "not dust") await weTakeBack(world, paid);
      await world.mine(4);
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), [], "five blocks are not enough");
      await refused();
      await world.mine();
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), FAILED);
      await refused();
      const { secret } = paid.payment;
      const again = await pay(world, await world.open("ac"), 50_001, { secret });
      await fulfil(again);
      await world.run();
      assert.deepEqual(paymentEvents(world, again.payment), SENT);
      await world.restart("manager");
      await world.restartNode();
      await world.run();
      await refused();
      await assertRefused(register(world, again.payment, 50_001), "malformed");
      assert.deepEqual(paymentEvents(world, paid.payment), FAILED);
      const failed = `${amountSat} failed:chain`;
      assert.deepEqual(
        eventsOfAll(world, ab).filter((told) => /^\d/.test(told)),
        [failed],
      );
      assert.deepEqual(world.dangling(), []);
    },
  });
}

for (const when of ["before", "after"] as const) {
  scenario({
    id: "S31",
    variant: `payer, their commitment confirms ${when} the node starts anew`,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab");
      const [claimed, lost] = [await pay(world, ab, 50_000), await pay(world, ab, 60_000)];
      if (when === "before") await theyClose(world, ab);
      await world.restartNode(NOTHING);
      if (when === "after") await theyClose(world, ab);
      await world.mine(1, [theirClaim(claimed)]);
      await world.run();
      assert.deepEqual(paymentEvents(world, claimed.payment), SENT);
      await weTakeBack(world, lost);
      await world.mine(5);
      await world.run();
      assert.deepEqual(paymentEvents(world, lost.payment), FAILED);
      const { secret } = lost.payment;
      const again = await pay(world, await world.open("ac"), 60_001, { secret });
      await fulfil(again);
      await world.run();
      await world.restart("manager"); // with a session that does not name the channel
      await world.run();
      assert.deepEqual(paymentEvents(world, again.payment), SENT);
      assert.deepEqual(paymentEvents(world, lost.payment), FAILED);
      assert.deepEqual(eventsOfAll(world, ab), [
        "spent by counterparty:chain",
        "50000 claimed:chain",
        "60000 failed:chain",
      ]);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });

  scenario({
    id: "S31",
    variant: `forwarder, A's commitment confirms ${when} C claims`,
    async run(make) {
      const world = await make();
      const hops = await openHops(world);
      const { ab, bc } = hops;
      const one = await forward(world, hops, 50_000);
      if (when === "before") await theyClose(world, ab);
      await world.run();
      await claim(one);
      await world.quiesce(); // B's node does nothing yet
      if (when === "after") await theyClose(world, ab);
      await world.run();
      const sent = () => world.record.of("preimage").length;
      const records = sent();
      assert.deepEqual(forwardsTold(world), [toldOf(one)], "with its fee, although A is on chain");
      assert.equal(world.record.preimages(), world.record.preimages(ab.channelId));
      if (world.undisturbed) assert.ok(records <= world.monitors.length, "one per monitor");
      await world.mineBroadcasts();
      const output = outputOf({ payment: one, part: one.inbound }, "counterparty");
      assert.ok(world.chain.spenderOf(output), "B takes A's HTLC on the chain");
      await bc.settle();
      await world.run();
      if (world.undisturbed) assert.equal(sent(), records, "and none for the event again");
      assert.deepEqual(forwardsTold(world), [toldOf(one)]);
      assert.deepEqual(eventsOfAll(world, bc), ["49999 claimed:update"]);
      assert.deepEqual(eventsOfAll(world, ab), ["spent by counterparty:chain"]);
      assert.deepEqual(world.dangling(), []);
      assert.ok(userEvents(world).includes("channelClosed"));
    },
  });
}
