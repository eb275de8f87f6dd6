/**
 * More of HTLCs that only one of the commitments has (forward-sides.scenario.ts): dust, for which no
 * transaction shows what became of it, and preimages that come only after the reorganisation.
 */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import type { Side } from "../harness/channel/setup.js";
import type { Link } from "../harness/routing/link.js";
import { FINAL_DEPTH, mineTo, outputOf, theyClose } from "./acts/chain.js";
import { claim, forward, forwardsTold, openHops, toldOf, type Forward } from "./acts/forwards.js";
import { eventsOfAll, paymentEvents, userEvent, userEvents } from "./acts/look.js";
import { inSat, pay, refuse, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const FAILED = ["paymentPathFailed", "paymentFailed"];
/** LATENCY_GRACE_PERIOD_BLOCKS: past the expiry, before B goes on chain. */
const GRACE_BLOCKS = 3;
/** Below the dust limit: no commitment has an output for it. */
const DUST_SAT = 300;

/** The peer has B's signature and does not answer: its newest commitment alone has the payment. */
async function payUnanswered({ node }: World, link: Link, amountSat: number): Promise<Paid> {
  const payment = await node.registerPayment(inSat(amountSat));
  const part = node.offer(await node.planPart(payment, link, inSat(amountSat)));
  await link.commit("holder");
  return { payment, part };
}

/** The payment expires, and B goes on chain for it: its commitment confirms and decides. */
async function assertClosesFor(world: World, { part, payment }: Paid): Promise<void> {
  await mineTo(world, part.htlc.cltvExpiry + GRACE_BLOCKS - 1);
  await world.run();
  assert.deepEqual(userEvents(world), []);
  await world.mine();
  await world.run();
  assert.deepEqual(eventsOfAll(world, part.link), ["closed for htlcDeadline:block"]);
  const { reason } = userEvent(world, "channelClosed").value;
  assert.equal(reason, ClosureReason.HTLC_DEADLINE);
  const mined = await world.mineBroadcasts();
  assert.equal(mined.length, 1, "our commitment, and no HTLC transaction");
  await world.mine(FINAL_DEPTH - 2);
  await world.run();
  assert.deepEqual(paymentEvents(world, payment), []);
  await world.mine();
  await world.run();
  assert.deepEqual(paymentEvents(world, payment), FAILED);
  const told = ["closed for htlcDeadline:block", "spent by holder:chain"];
  assert.deepEqual(eventsOfAll(world, part.link), [...told, `${DUST_SAT} failed:chain`]);
  assert.deepEqual(world.dangling(), []);
}

scenario({
  id: "S66",
  variant: "dust in C's newest only",
  async run(make) {
    const world = await make();
    const bc = await world.open("bc");
    const paid = await payUnanswered(world, bc, DUST_SAT);
    bc.disconnect();
    await assertClosesFor(world, paid);
  },
});

for (const revoked of [true, false]) {
  scenario({
    id: "S66",
    variant: `dust in C's previous only, which C ${revoked ? "revokes" : "does not revoke"}`,
    async run(make) {
      const world = await make();
      const bc = await world.open("bc");
      const paid = await pay(world, bc, DUST_SAT);
      refuse(paid);
      await bc.commit("counterparty");
      await bc.revoke("holder");
      await bc.commit("holder");
      if (revoked) await bc.revoke("counterparty");
      bc.disconnect();
      if (!revoked) return assertClosesFor(world, paid);
      await mineTo(world, paid.part.htlc.cltvExpiry + GRACE_BLOCKS);
      await world.run();
      assert.deepEqual(eventsOfAll(world, bc), [`${DUST_SAT} failed:update`], "and no close");
      assert.deepEqual(paymentEvents(world, paid.payment), FAILED);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

/** A's HTLC in the commitment that confirmed is taken with the preimage, by a monitor. */
async function assertTaken(world: World, one: Forward, side: Side, number: number): Promise<void> {
  const { link, htlc } = one.inbound;
  const taken = { payment: one, part: { link, htlc } };
  await world.mineBroadcasts();
  const spender = world.chain.spenderOf(outputOf(taken, side, number));
  const ours = world.chain.broadcasts.find(({ txid }) => txid === spender);
  assert.ok(ours !== undefined && toHex(ours.raw).includes(toHex(one.secret.preimage)));
}

for (const after of ["ours", "A's previous"] as const) {
  scenario({
    id: "S67",
    variant: `${after} instead of A's newest, and then the preimage`,
    async run(make) {
      const world = await make();
      const { ab, bc } = await openHops(world);
      const one = await forward(world, { ab, bc }, 50_000);
      const own = await payUnanswered(world, ab, 10_000); // A's newest has it, and no other
      const { channel } = ab;
      await theyClose(world, ab);
      assert.deepEqual(world.chain.minable(), [], "nothing to claim with");
      const side = after === "ours" ? "holder" : "counterparty";
      const previous = channel.commitment("counterparty").number - 1;
      const number = after === "ours" ? channel.received("holder") : previous;
      await world.reorg(1, [broadcastableCommitment(channel, side, number)]);
      await claim(one);
      await world.quiesce();
      await assertTaken(world, one, side, number);
      await world.mine(FINAL_DEPTH);
      await world.run();
      assert.deepEqual(forwardsTold(world), [toldOf(one)]);
      assert.deepEqual(paymentEvents(world, own.payment), FAILED, "absent from what stands");
      const told = ["spent by counterparty:chain", "10000 failed:chain"];
      assert.deepEqual(eventsOfAll(world, ab), told);
      assert.deepEqual(world.dangling(), []);
    },
  });
}
