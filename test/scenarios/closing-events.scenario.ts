/** Events of a closing channel that a block could repeat (G16, G17; section 3, D15, D16). */
import assert from "node:assert/strict";
import { FINAL_DEPTH, mineTo, theirClaim, theyClose, weTakeBack } from "./acts/chain.js";
import { endOf, forward, openHops, sentOn } from "./acts/forwards.js";
import { eventsOfAll, paymentEvents, unackedOf, userEvents } from "./acts/look.js";
import { pay } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
/** Blocks before the inbound expiry at which a forward is failed back (R27). */
const LATENCY_GRACE_PERIOD_BLOCKS = 3;
/** More blocks than any rule waits between two broadcasts. */
const MANY_BLOCKS = 40;

async function restartMonitors(world: World): Promise<void> {
  for (const { name } of world.monitors) world.crash(name);
  for (const { name } of world.monitors) await world.restart(name);
}

for (const outcome of ["timed out", "claimed"] as const) {
  scenario({
    id: "D15",
    variant: outcome,
    async run(make) {
      const world = await make();
      const { disk } = world.monitor("m1");
      const ab = await world.open("ab");
      const paid = await pay(world, ab, 50_000);
      world.crash("manager");
      await mineTo(world, paid.part.htlc.cltvExpiry + 10);
      const closed = ["closed for htlcDeadline:block"];
      assert.deepEqual(eventsOfAll(world, ab), closed);
      const [first] = disk.told();
      for (let block = 0; block < MANY_BLOCKS; block++) await world.mine();
      await restartMonitors(world);
      await world.mine(5);
      assert.deepEqual(eventsOfAll(world, ab), closed, "no block repeats it while it is not acked");
      assert.deepEqual(unackedOf(world), closed);
      assert.deepEqual(disk.told(), [first]);
      await world.restart("manager");
      await world.run();
      assert.deepEqual(world.dangling(), [], "acked when the close is stored");
      await world.mine(MANY_BLOCKS);
      await restartMonitors(world);
      await world.mine(5);
      await world.run();
      assert.deepEqual(eventsOfAll(world, ab), closed, "nor after its ack");
      assert.deepEqual(userEvents(world), ["channelClosed"]);
      if (outcome === "claimed") {
        await theyClose(world, ab);
        await world.mine(1, [theirClaim(paid)]);
      } else {
        await world.mineBroadcasts();
        await weTakeBack(world, paid);
        await world.mine(FINAL_DEPTH);
      }
      await world.run();
      const result = outcome === "claimed" ? SENT : FAILED;
      assert.deepEqual(paymentEvents(world, paid.payment), result);
      const told = eventsOfAll(world, ab).filter((event) => event.startsWith("closed"));
      assert.deepEqual(told, closed);
      assert.equal(userEvents(world).filter((kind) => kind === "channelClosed").length, 1);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}

scenario({
  id: "D16",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await theyClose(world, hops.bc);
    await world.run();
    const limit = one.inbound.htlc.cltvExpiry - LATENCY_GRACE_PERIOD_BLOCKS;
    await mineTo(world, limit - 1);
    await world.run();
    const sat = Number(one.leg.htlc.amountMsat / 1_000n);
    const early = `${sat} failed:block`;
    assert.ok(!eventsOfAll(world, hops.bc).includes(early), "not a block too early");
    await world.mine(1);
    await world.run();
    const events = ["spent by counterparty:chain", early];
    assert.deepEqual(eventsOfAll(world, hops.bc), events);
    assert.equal(endOf(one), "gone fail", "the inbound channel is saved");
    assert.deepEqual(world.dangling(), [], "acked when it is removed and told");
    const told = ["channelClosed", "htlcHandlingFailed"];
    assert.deepEqual(userEvents(world), told);
    await restartMonitors(world);
    await world.mine(1);
    world.crash("manager");
    await world.restart("manager");
    for (let block = 0; block < 10; block++) await world.mine();
    await restartMonitors(world);
    await world.mine(1);
    await world.run();
    assert.deepEqual(eventsOfAll(world, hops.bc), events, "its ack is remembered");
    assert.deepEqual(userEvents(world), told);
    await weTakeBack(world, sentOn(one));
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual(userEvents(world), told, "the end on chain is told nobody");
    assert.equal(endOf(one), "gone fail");
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(), 0);
  },
});
