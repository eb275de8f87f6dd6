/** Forwards that end on chain without a preimage: A has the HTLC back when that is final. */
import assert from "node:assert/strict";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { broadcastableCommitment, htlcTimeoutTx } from "../harness/channel/broadcast.js";
import {
  FINAL_DEPTH,
  mineTo,
  outputOf,
  theirClaim,
  theyClose,
  weClose,
  weTakeBack,
} from "./acts/chain.js";
import { almostFinal, assertFailedBack, assertUndecided, oneMore, seen } from "./acts/finality.js";
import {
  endOf,
  forward,
  forwardsTold,
  openHops,
  reasonSent,
  receive,
  sentOn,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOf, eventsOfAll, unackedOf, userEvent, userEvents } from "./acts/look.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const FAILED = "49999 failed:chain";
/** Past the expiry, before B goes on chain (LATENCY_GRACE_PERIOD_BLOCKS). */
const GRACE_BLOCKS = 3;
const CLOSED = "channelClosed";
const HANDLING_FAILED = "htlcHandlingFailed";

/** C's commitment has the HTLC, and B takes it back when it expires. */
async function timedOut(world: World, one: Forward): Promise<void> {
  await theyClose(world, one.leg.link);
  await weTakeBack(world, sentOn(one));
  await world.run();
  const spender = world.chain.spenderOf(outputOf(sentOn(one), "counterparty"));
  assert.ok(spender !== undefined && world.broadcastTxids().has(spender), "B's timeout confirmed");
}

scenario({
  id: "S74",
  variant: "A's channel stays open",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { record } = world;
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    await timedOut(world, one);
    await almostFinal(world);
    assertUndecided(world, one);
    await oneMore(world);
    assertFailedBack(world, one);
    assert.equal(reasonSent(one).cause.kind, "onChainTimeout");
    assert.deepEqual(userEvents(world), [CLOSED, HANDLING_FAILED]);
    assert.deepEqual(eventsOf(world, bc), ["spent by counterparty:chain", FAILED]);
    assert.deepEqual(world.dangling(), []);
    assert.deepEqual([record.updates(ab.channelId), record.preimages()], [6, 0]);
  },
});

scenario({
  id: "S74",
  variant: "A's channel closes with the fail under way",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    await timedOut(world, one);
    ab.disconnect();
    await world.mine(5);
    await world.run();
    assert.equal(ab.held.size, 1, "the fail waits for A");
    assert.deepEqual(unackedOf(world), [FAILED]);
    await theyClose(world, ab);
    await world.run();
    assert.deepEqual(unackedOf(world), [], "acked: on chain there is nothing to fail");
    const { htlc } = one.inbound;
    await mineTo(world, htlc.cltvExpiry);
    const at = ab.channel.commitment("counterparty").number;
    await world.mine(6, [htlcTimeoutTx(ab.channel, "counterparty", at, htlc)]);
    await world.run();
    assert.deepEqual(ab.sent, [], "A was never told, and took it back");
    assert.deepEqual(userEvents(world), [CLOSED, HANDLING_FAILED, CLOSED]);
    assert.deepEqual(eventsOf(world, ab), ["spent by counterparty:chain"]);
    assert.deepEqual(world.dangling(), []);
  },
});

for (const whose of ["C's", "our"] as const) {
  scenario({
    id: "S75",
    variant: `on ${whose} commitment`,
    async run(make) {
      const world = await make();
      const { ab, bc } = await openHops(world);
      const one = await forward(world, { ab, bc }, 50_000);
      await (whose === "our" ? weClose(world, bc) : theyClose(world, bc));
      await world.run();
      await weTakeBack(world, sentOn(one));
      const side = whose === "our" ? "holder" : "counterparty";
      const number = whose === "our" ? bc.channel.received("holder") : undefined;
      const output = outputOf(sentOn(one), side, number);
      assert.ok(world.chain.spenderOf(output), "our timeout confirmed");
      await almostFinal(world);
      assertUndecided(world, one);
      await world.reorg(5); // and it is gone again
      await world.run();
      assert.equal(world.chain.spenderOf(output), undefined);
      await world.mineBroadcasts();
      await almostFinal(world);
      assertUndecided(world, one); // counted anew
      await oneMore(world);
      assertFailedBack(world, one);
      assert.equal(reasonSent(one).cause.kind, "onChainTimeout", "the channel it was on is closed");
      assert.deepEqual(userEvents(world), [CLOSED, HANDLING_FAILED]);
      const spent = whose === "our" ? "holder" : "counterparty";
      assert.deepEqual(eventsOfAll(world, bc), [`spent by ${spent}:chain`, FAILED]);
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}

scenario({
  id: "S76",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const inbound = await receive(world, ab, 50_000);
    const leg = node.offer(node.plan(inbound, bc));
    await bc.channel.signCommitment("holder"); // C never gets it
    const one = { secret: inbound.secret, inbound, leg };
    await weClose(world, bc);
    await world.run();
    await almostFinal(world);
    assertUndecided(world, one);
    await oneMore(world);
    assertFailedBack(world, one);
    assert.deepEqual(userEvents(world), [CLOSED, HANDLING_FAILED]);
    assert.deepEqual(eventsOfAll(world, bc), ["spent by holder:chain", FAILED]);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(), 0);
  },
});

for (const end of ["claimed", "timed out"] as const) {
  scenario({
    id: "S81",
    variant: `then ${end}`,
    async run(make) {
      const world = await make();
      const { ab, bc } = await openHops(world);
      const one = await forward(world, { ab, bc }, 50_000);
      await theyClose(world, bc);
      await world.mine(12);
      await world.run();
      assertUndecided(world, one); // however deep: C can still claim it
      assert.deepEqual(userEvents(world), [CLOSED]);
      if (end === "claimed") {
        await world.mine(1, [theirClaim(sentOn(one))]);
        await world.run();
        assert.deepEqual(forwardsTold(world), [toldOf(one, { onChain: true })]);
        assert.equal(endOf(one), "gone claim");
        assert.equal(world.record.preimages(ab.channelId), 2, "one record a monitor");
      } else {
        await weTakeBack(world, sentOn(one));
        await almostFinal(world);
        assertUndecided(world, one);
        await oneMore(world);
        assertFailedBack(world, one);
      }
      assert.deepEqual(world.dangling(), []);
    },
  });
}

/** The newest blocks come once more, with what they held, and everybody starts anew. */
async function again(world: World, depth: number, txs: readonly Uint8Array[]): Promise<void> {
  const before = seen(world);
  await world.reorg(depth, txs);
  await world.run();
  for (const { name } of world.monitors) await world.restart(name);
  await world.follow();
  await world.run();
  assert.deepEqual(seen(world), before, "blocks that come again tell nothing");
}

scenario({
  id: "S83",
  variant: "a revoked commitment without the HTLC",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const old = bc.channel.commitment("counterparty").number;
    const one = await forward(world, { ab, bc }, 50_000);
    await theyClose(world, bc, old);
    await almostFinal(world);
    assertUndecided(world, one);
    await oneMore(world);
    assertFailedBack(world, one);
    const { reason } = userEvent(world, CLOSED).value;
    assert.equal(reason, ClosureReason.COUNTERPARTY_REVOKED_STATE);
    await again(world, FINAL_DEPTH, [broadcastableCommitment(bc.channel, "counterparty", old)]);
    assert.deepEqual(eventsOfAll(world, bc), ["spent by revoked:chain", FAILED]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S83",
  variant: "C's commitment confirms after B decided to close",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    await mineTo(world, one.leg.htlc.cltvExpiry + GRACE_BLOCKS - 1);
    assert.deepEqual(eventsOfAll(world, bc), []);
    await world.mine();
    await world.run();
    const { reason } = userEvent(world, CLOSED).value;
    assert.equal(reason, ClosureReason.HTLC_DEADLINE);
    await theyClose(world, bc);
    await again(world, 1, [broadcastableCommitment(bc.channel, "counterparty")]);
    await world.mineBroadcasts();
    await almostFinal(world);
    assertUndecided(world, one);
    await oneMore(world);
    assertFailedBack(world, one);
    await again(world, 1, []);
    const closed = ["closed for htlcDeadline:block", "spent by counterparty:chain"];
    assert.deepEqual(eventsOfAll(world, bc), [...closed, FAILED]);
    assert.deepEqual(userEvents(world), [CLOSED, HANDLING_FAILED]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S83",
  variant: "an HTLC larger than what is left to us",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 350_000);
    const { built } = bc.channel.commitment("holder");
    const { vout } = outputOf(sentOn(one), "holder", bc.channel.received("holder"));
    assert.ok(vout > (built.toLocalIndex ?? vout), "its output comes after ours");
    await weClose(world, bc);
    const taken = await weTakeBack(world, sentOn(one));
    await almostFinal(world);
    assertUndecided(world, one);
    await oneMore(world);
    assertFailedBack(world, one);
    await again(world, FINAL_DEPTH, taken);
    assert.deepEqual(eventsOfAll(world, bc), ["spent by holder:chain", "349999 failed:chain"]);
    assert.deepEqual(userEvents(world), [CLOSED, HANDLING_FAILED]);
    assert.deepEqual(world.dangling(), []);
  },
});
