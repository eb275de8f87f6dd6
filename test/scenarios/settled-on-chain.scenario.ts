/** What the chain decided counts, whatever was told before it and whoever has not handled that. */
import assert from "node:assert/strict";
import { claimableBalances } from "@farwatch/monitor-service/monitor/balances/claimable-balances";
import { ARCHIVAL_DELAY_BLOCKS } from "@farwatch/monitor-service/monitor/constants";
import type { ChannelView } from "@farwatch/monitor-service/runtime/monitor-host";
import type { Link } from "../harness/routing/link.js";
import { mineTo, outputOf, theirClaim, theyClose, FINAL_DEPTH } from "./acts/chain.js";
import {
  claim,
  endOf,
  failsTold,
  forward,
  forwardsTold,
  fulfil,
  openHops,
  sentOn,
  toldOf,
} from "./acts/forwards.js";
import { eventsOf, eventsOfAll, unackedOf, userEvents } from "./acts/look.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

function viewOf(world: World, { channelId }: Link): ChannelView {
  const { host, who } = world.monitor("m1");
  const view = host.channel(who, channelId);
  assert.ok(view.ok);
  return view.value;
}

/** Nothing of ours is left in the closing; only the un-acked event keeps the channel. */
function assertOnlyUnacked(world: World, link: Link): void {
  const { state, archival } = viewOf(world, link);
  assert.deepEqual(claimableBalances(state), []);
  assert.deepEqual(archival, { kind: "unackedEvents" });
}

/** Acked: the delay begins with the next block, and the channel is archived when it is over. */
async function assertArchived(world: World, link: Link): Promise<void> {
  await world.mine(ARCHIVAL_DELAY_BLOCKS);
  assert.equal(viewOf(world, link).archival.kind, "delay");
  await world.mine();
  const { host, who } = world.monitor("m1");
  const found = host.channel(who, link.channelId);
  assert.ok(!found.ok && found.error.reason === "channelArchived");
}

scenario({
  id: "D6",
  variant: "timed out on chain beside an un-acked fail",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    ab.disconnect();
    await theyClose(world, bc);
    await mineTo(world, one.inbound.htlc.cltvExpiry - 3); // early fail-back
    await world.run();
    await world.mineBroadcasts();
    assert.ok(world.chain.spenderOf(outputOf(sentOn(one), "counterparty")));
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.ok(unackedOf(world).includes("49999 failed:block"));
    assertOnlyUnacked(world, bc);
    ab.reconnect();
    await world.run();
    assert.equal(endOf(one), "gone fail");
    assert.deepEqual(failsTold(world), ["ab/0"]);
    assert.deepEqual(world.dangling(), []);
    await assertArchived(world, bc);
  },
});

scenario({
  id: "D6",
  variant: "claimed on chain beside an un-acked claim",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    ab.disconnect();
    await claim(one);
    await world.quiesce();
    await world.node.handleItems();
    assert.deepEqual(unackedOf(world), ["49999 claimed:update"]);
    await theyClose(world, bc);
    await world.mine(1, [theirClaim(sentOn(one))]);
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.ok(unackedOf(world).includes("49999 claimed:update"));
    assertOnlyUnacked(world, bc);
    ab.reconnect();
    await world.run();
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.deepEqual(world.dangling(), []);
    await assertArchived(world, bc);
  },
});

/** Below the dust limit: no commitment has an output for it. */
const DUST_SAT = 400;

for (const when of ["before A revoked it", "after A revoked it"] as const) {
  scenario({
    id: "S78",
    variant: `the fail comes ${when}`,
    async run(make) {
      const world = await make();
      const { node } = world;
      const { ab, bc } = await openHops(world);
      const one = await forward(world, { ab, bc }, DUST_SAT);
      if (when === "before A revoked it") ab.disconnect();
      await fulfil(one);
      await node.fastPath(one.leg, one.secret);
      bc.disconnect();
      await world.run();
      assert.deepEqual(forwardsTold(world), [toldOf(one)], "on the word of the fulfil");
      assert.deepEqual(eventsOf(world, bc), []);
      await theyClose(world, bc);
      await world.mine(FINAL_DEPTH - 1);
      await world.quiesce();
      const told = ["spent by counterparty:chain", "399 failed:chain"];
      assert.deepEqual(eventsOfAll(world, bc), told);
      const waiting = when === "before A revoked it" ? ["399 failed:chain"] : [];
      assert.deepEqual(unackedOf(world), waiting);
      ab.reconnect();
      await world.run();
      assert.equal(endOf(one), "gone claim", "never a fail after it");
      assert.deepEqual(userEvents(world), ["paymentForwarded", "channelClosed"]);
      assert.deepEqual(forwardsTold(world), [toldOf(one)]);
      assert.deepEqual(world.dangling(), []);
    },
  });
}
