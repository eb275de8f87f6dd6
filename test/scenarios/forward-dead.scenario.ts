/**
 * B's node is dead, or its manager too, when C claims: A's monitors learn the preimage, go on chain before
 * A's HTLC expires, and claim it (contract 2.7).
 */
import assert from "node:assert/strict";
import { mineTo, theirClaimOnOurs, weClose } from "./acts/chain.js";
import {
  assertClaimedOnChain,
  forward,
  forwardsTold,
  fulfil,
  openHops,
  sentOn,
  toldOf,
  type Forward,
  type Hops,
} from "./acts/forwards.js";
import { eventsOf, userEvents } from "./acts/look.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

/** Blocks before the expiry of A's HTLC by which its monitors must have gone on chain. */
const IN_TIME = 18;

/** With nobody awake but monitors, B gets A's money; what its node hears when it is back. */
async function assertRelayedInTime(
  world: World,
  { ab, bc }: Hops,
  one: Forward,
  onChain: boolean,
): Promise<void> {
  await mineTo(world, one.inbound.htlc.cltvExpiry - IN_TIME);
  await world.mineBroadcasts();
  await assertClaimedOnChain(world, one, "holder");
  const closed = ["closed for htlcDeadline:block", "spent by holder:chain"];
  assert.deepEqual(eventsOf(world, ab), closed);
  for (const name of world.down()) await world.restart(name);
  await world.restartNode();
  await world.run();
  assert.ok(ab.isClosed && bc.isClosed);
  assert.deepEqual([...userEvents(world)].sort(), [
    "channelClosed",
    "channelClosed",
    "paymentForwarded",
  ]);
  assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain })]);
  assert.deepEqual(ab.sent, [], "A is paid by the chain alone");
  assert.deepEqual(world.dangling(), []);
}

scenario({
  id: "D22",
  variant: "the manager alone knows the preimage",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    await fulfil(one);
    await world.node.fastPath(one.leg, one.secret);
    world.client.close();
    await world.quiesce();
    assert.equal(world.record.preimages(hops.ab.channelId), 1);
    assert.deepEqual(eventsOf(world, hops.bc), [], "no commitment shows the claim");
    await weClose(world, hops.bc);
    await world.mine(1, [theirClaimOnOurs(sentOn(one))]);
    await assertRelayedInTime(world, hops, one, false);
  },
});

scenario({
  id: "D22",
  variant: "C claims on chain",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    world.client.close();
    await weClose(world, hops.bc);
    await world.mine(1, [theirClaimOnOurs(sentOn(one))]);
    assert.equal(world.record.preimages(hops.ab.channelId), 1, "at once, without the node");
    await assertRelayedInTime(world, hops, one, true);
  },
});

scenario({
  id: "D23",
  async run(make) {
    const world = await make({ monitors: 1 });
    const hops = await openHops(world);
    const one = await forward(world, hops, 50_000);
    world.client.close();
    world.crash("manager");
    await weClose(world, hops.bc);
    await world.mine(1, [theirClaimOnOurs(sentOn(one))]);
    assert.equal(world.record.preimages(), 0, "nobody sends a record: one host has both channels");
    await assertRelayedInTime(world, hops, one, true);
  },
});
