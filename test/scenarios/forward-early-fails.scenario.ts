/**
 * A's HTLC is about to expire while C's is still open on chain: B fails it back in time (R27). What C
 * does later is too late for A, unless A has not got the fail yet: then the claim overtakes it (D5).
 */
import assert from "node:assert/strict";
import { mineTo, outputOf, theirClaimOnOurs, theyClose, weClose } from "./acts/chain.js";
import { assertFailedBack, assertUndecided, seen } from "./acts/finality.js";
import {
  assertClaimedOnChain,
  endOf,
  failsTold,
  forward,
  forwardsTold,
  fulfil,
  nameOf,
  openHops,
  refuse,
  sentOn,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOfAll, unackedOf, userEvent, userEvents } from "./acts/look.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

/** LATENCY_GRACE_PERIOD_BLOCKS: past C's expiry B goes on chain, before A's it fails back. */
const GRACE_BLOCKS = 3;
const FAILED_EARLY = "49999 failed:block";
const CLAIMED = "49999 claimed:chain";
const OUR_CLOSE = ["closed for htlcDeadline:block"];
const TOLD = ["channelClosed", "htlcHandlingFailed"];

/** B has gone on chain for C's HTLC, nothing confirms, and A's is about to expire. */
async function failedEarly(world: World, one: Forward): Promise<void> {
  const { inbound, leg } = one;
  await mineTo(world, leg.htlc.cltvExpiry + GRACE_BLOCKS);
  await world.run();
  assert.deepEqual(eventsOfAll(world, leg.link), OUR_CLOSE);
  await mineTo(world, inbound.htlc.cltvExpiry - GRACE_BLOCKS - 1);
  await world.run();
  assertUndecided(world, one);
  await world.mine();
  await world.run();
  assert.deepEqual(eventsOfAll(world, leg.link), [...OUR_CLOSE, FAILED_EARLY]);
}

const ENDS = ["timeout on chain", "claim on chain", "fail off chain", "claim off chain"] as const;
for (const end of ENDS) {
  scenario({
    id: "S77",
    variant: end,
    async run(make) {
      const world = await make();
      const { ab, bc } = await openHops(world);
      const one = await forward(world, { ab, bc }, 50_000);
      await failedEarly(world, one);
      assertFailedBack(world, one);
      assert.deepEqual(userEvents(world), TOLD);
      assert.deepEqual(world.dangling(), []);
      const before = { ...seen(world), events: [] };
      if (end === "timeout on chain") {
        await world.mineBroadcasts();
        const output = outputOf(sentOn(one), "holder", bc.channel.received("holder"));
        assert.ok(world.chain.spenderOf(output), "our commitment and timeout confirmed");
        await world.mine(12);
        await world.run();
      } else if (end === "claim on chain") {
        await claimOnChain(world, one);
        await world.run();
        assert.deepEqual(userEvents(world), [...TOLD, "alarm", "forwardLost"]);
        const { amountMsat } = userEvent(world, "forwardLost").value;
        assert.equal(amountMsat, one.inbound.htlc.amountMsat);
        assert.equal(world.record.preimages(ab.channelId), 2, "our commitment may still have it");
      } else {
        if (end === "claim off chain") await fulfil(one);
        else refuse(one);
        await assert.rejects(bc.commit("counterparty"), /may not use the channel/);
        await world.run();
        assert.deepEqual(eventsOfAll(world, bc), [...OUR_CLOSE, FAILED_EARLY], "no event");
      }
      if (end !== "claim on chain") assert.deepEqual({ ...seen(world), events: [] }, before);
      assertFailedBack(world, one); // still once, and no second message to A
      assert.deepEqual(forwardsTold(world), []);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

/** Our commitment confirms, and C takes the HTLC from it. */
async function claimOnChain(world: World, one: Forward): Promise<void> {
  await weClose(world, one.leg.link);
  await world.mine(1, [theirClaimOnOurs(sentOn(one))]);
}

/** As failedEarly with A away, so that the fail waits in the holding cell; then C claims. */
async function overtaken(world: World, one: Forward): Promise<void> {
  const { link } = one.inbound;
  link.disconnect();
  await failedEarly(world, one);
  assert.deepEqual(
    [...link.held.values()].map(({ kind }) => kind),
    ["fail"],
  );
  assert.deepEqual(unackedOf(world), [FAILED_EARLY]);
  await claimOnChain(world, one);
  assert.equal(world.record.preimages(link.channelId), 2, "the inbound monitors have it at once");
  assert.deepEqual(unackedOf(world), [FAILED_EARLY, CLAIMED]);
}

/** HHF, then one FWD, and nothing is lost. */
function assertOvertaken(world: World, one: Forward): void {
  assert.deepEqual(failsTold(world), [nameOf(one.inbound)]);
  assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true })]);
  assert.ok(!userEvents(world).some((kind) => kind === "forwardLost" || kind === "alarm"));
  assert.deepEqual(world.dangling(), []);
}

scenario({
  id: "D5",
  variant: "A comes back",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    await overtaken(world, one);
    await world.run();
    assert.deepEqual(unackedOf(world), [FAILED_EARLY, CLAIMED], "A still has its HTLC");
    ab.reconnect();
    await world.run();
    assert.equal(endOf(one), "gone claim", "the only answer that A got");
    assertOvertaken(world, one);
  },
});

scenario({
  id: "D5",
  variant: "A stays away",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    await overtaken(world, one);
    await world.run();
    await world.mine();
    await world.run();
    assert.deepEqual(eventsOfAll(world, ab), OUR_CLOSE, "A's HTLC expires: B goes on chain");
    await world.mineBroadcasts();
    await assertClaimedOnChain(world, one, "holder");
    await world.run();
    assert.deepEqual(ab.sent, []);
    assertOvertaken(world, one);
  },
});

// What the node answers to a command may be lost with the session: then the command comes again, and
// a node that sent the claim says so, whatever has become of the HTLC.
for (const [moment, reached] of [
  ["waits for A", "standing"],
  ["is in no commitment", "removing"],
  ["is carried out", "gone"],
] as const) {
  scenario({
    id: "D5",
    variant: `the answer to the claim is lost while it ${moment}`,
    async run(make) {
      const world = await make();
      const { node } = world;
      const { ab, bc } = await openHops(world);
      const one = await forward(world, { ab, bc }, 50_000);
      await overtaken(world, one);
      obeySilently(world);
      if (reached !== "standing") ab.reconnect();
      if (reached === "gone") await ab.settle();
      await world.quiesce();
      assert.equal(ab.stageOf(one.inbound.htlc.id), reached);
      assert.deepEqual(forwardsTold(world), [], "it may be the fail that A has");
      assert.deepEqual(unackedOf(world), [FAILED_EARLY, CLAIMED]);
      await world.restart("manager");
      await world.restartNode(node.memory());
      ab.reconnect();
      await world.run();
      assert.equal(endOf(one), "gone claim");
      assertOvertaken(world, one);
    },
  });
}

/** The node claims as it is commanded, and its answer gets lost. */
function obeySilently({ node, client }: World): void {
  const claim = client.items.findLast(
    ({ item }) => item?.$case === "command" && item.value.command?.$case === "claimInbound",
  );
  assert.ok(claim !== undefined, "the claim is commanded");
  assert.ok(node.answerTo(claim) !== undefined);
}

scenario({
  id: "D5",
  variant: "A has the fail, and its channel closes",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    ab.disconnect();
    await failedEarly(world, one);
    ab.reconnect(); // update_fail_htlc goes out, and no commitment follows
    assert.equal(endOf(one), "removing fail");
    await claimOnChain(world, one);
    await world.quiesce();
    await world.node.handleItems();
    await theyClose(world, ab);
    await world.quiesce();
    await assertClaimedOnChain(world, one);
    await world.run();
    assertOvertaken(world, one);
  },
});
