/**
 * HTLCs that only one of the commitments has: what confirms decides, and B goes on chain for them when
 * it has to. After a reorganisation only what then stands is claimed. The manager only listens.
 */
import assert from "node:assert/strict";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import { toHex } from "@farwatch/protocol/bytes";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import type { Side } from "../harness/channel/setup.js";
import type { Link } from "../harness/routing/link.js";
import { FINAL_DEPTH, mineTo, outputOf, theirClaim, theyClose, weTakeBack } from "./acts/chain.js";
import {
  assertClaimedOnChain,
  claim,
  forward,
  forwardsTold,
  openHops,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOfAll, paymentEvents, userEvent, userEvents } from "./acts/look.js";
import { inSat, pay, refuse, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
/** LATENCY_GRACE_PERIOD_BLOCKS: past the expiry, before B goes on chain. */
const GRACE_BLOCKS = 3;
/** CLTV_CLAIM_BUFFER of the profile that these channels have: before the expiry, to claim in time. */
const CLAIM_BUFFER = 36;
/** Plain and dust: sat. */
const SIZES = { plain: 50_000, dust: 300 } as const;

/** C has B's signature and does not answer: its newest commitment alone has the payment. */
async function payUnanswered({ node }: World, bc: Link, amountSat: number): Promise<Paid> {
  const payment = await node.registerPayment(inSat(amountSat));
  const part = node.offer(await node.planPart(payment, bc, inSat(amountSat)));
  await bc.commit("holder");
  return { payment, part };
}

function assertClosedAt(world: World, link: Link): void {
  assert.deepEqual(eventsOfAll(world, link), ["closed for htlcDeadline:block"]);
  const { reason } = userEvent(world, "channelClosed").value;
  assert.equal(reason, ClosureReason.HTLC_DEADLINE);
}

scenario({
  id: "S66",
  variant: "only in ours: we claim it in time",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, SIZES.plain);
    await claim(one);
    await world.quiesce();
    await world.node.handleItems();
    await ab.commit("holder"); // A's newest is without it, and A does not answer
    ab.disconnect();
    await mineTo(world, one.inbound.htlc.cltvExpiry - CLAIM_BUFFER - 1);
    await world.run();
    assert.deepEqual(eventsOfAll(world, ab), []);
    await world.mine();
    await world.run();
    assertClosedAt(world, ab);
    await world.mineBroadcasts();
    await assertClaimedOnChain(world, one, "holder");
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    const told = ["closed for htlcDeadline:block", "spent by holder:chain"];
    assert.deepEqual(eventsOfAll(world, ab), told);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S66",
  variant: "only in ours: A's confirms, and nothing is left to claim",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, SIZES.plain);
    await claim(one);
    await world.quiesce();
    await world.node.handleItems();
    await ab.commit("holder");
    await theyClose(world, ab);
    await world.run();
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual(world.chain.minable(), []);
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.deepEqual(eventsOfAll(world, ab), ["spent by counterparty:chain"]);
    assert.deepEqual(world.dangling(), []);
  },
});

for (const end of ["claimed", "timed out"] as const) {
  scenario({
    id: "S66",
    variant: `only in C's newest, which confirms: ${end}`,
    async run(make) {
      const world = await make();
      const bc = await world.open("bc");
      const paid = await payUnanswered(world, bc, SIZES.plain);
      await theyClose(world, bc);
      await world.mine(FINAL_DEPTH);
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), [], "not failed with the commitment");
      if (end === "claimed") await world.mine(1, [theirClaim(paid)]);
      else await weTakeBack(world, paid);
      await world.mine(FINAL_DEPTH);
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), end === "claimed" ? SENT : FAILED);
      const outcome = end === "claimed" ? "50000 claimed:chain" : "50000 failed:chain";
      assert.deepEqual(eventsOfAll(world, bc), ["spent by counterparty:chain", outcome]);
      assert.deepEqual(world.dangling(), []);
    },
  });
}

for (const [size, amountSat] of Object.entries(SIZES)) {
  scenario({
    id: "S66",
    variant: `only in C's newest, ${size}: ours goes on chain at its expiry and fails it`,
    async run(make) {
      const world = await make();
      const bc = await world.open("bc");
      const paid = await payUnanswered(world, bc, amountSat);
      bc.disconnect();
      await mineTo(world, paid.part.htlc.cltvExpiry + GRACE_BLOCKS - 1);
      await world.run();
      assert.deepEqual(userEvents(world), []);
      await world.mine();
      await world.run();
      assertClosedAt(world, bc);
      const mined = await world.mineBroadcasts();
      assert.equal(mined.length, 1, "our commitment, and no HTLC transaction");
      await world.mine(FINAL_DEPTH - 2);
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), []);
      await world.mine();
      await world.run();
      assert.deepEqual(paymentEvents(world, paid.payment), FAILED);
      assert.deepEqual(world.dangling(), []);
    },
  });

  for (const revoked of [true, false]) {
    scenario({
      id: "S66",
      variant: `only in C's previous, ${size}, which is ${revoked ? "" : "not "}revoked`,
      async run(make) {
        const world = await make();
        const bc = await world.open("bc");
        const paid = await pay(world, bc, amountSat);
        refuse(paid);
        await bc.commit("counterparty");
        await bc.revoke("holder");
        await bc.commit("holder");
        if (revoked) await bc.revoke("counterparty");
        bc.disconnect();
        await mineTo(world, paid.part.htlc.cltvExpiry + GRACE_BLOCKS);
        await world.run();
        if (revoked) {
          assert.deepEqual(eventsOfAll(world, bc), [`${amountSat} failed:update`], "and no close");
        } else {
          assertClosedAt(world, bc);
          await world.mineBroadcasts();
          await world.mine(FINAL_DEPTH);
          await world.run();
        }
        assert.deepEqual(paymentEvents(world, paid.payment), FAILED);
        assert.deepEqual(world.dangling(), []);
      },
    });
  }
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
  for (const known of ["before", "after"] as const) {
    scenario({
      id: "S67",
      variant: `${after} instead of A's newest, the preimage known ${known}`,
      async run(make) {
        const world = await make();
        const { ab, bc } = await openHops(world);
        const one = await forward(world, { ab, bc }, SIZES.plain);
        const own = await payUnanswered(world, ab, 10_000); // A's newest has it, and no other
        if (known === "before") await claim(one);
        await theyClose(world, ab);
        await world.quiesce();
        assert.equal(world.chain.minable().length > 0, known === "before", "a claim on A's newest");
        const side = after === "ours" ? "holder" : "counterparty";
        const number = after === "ours" ? ab.channel.received("holder") : previousOf(ab);
        await world.reorg(1, [broadcastableCommitment(ab.channel, side, number)]);
        if (known === "after") await claim(one);
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
}

const previousOf = ({ channel }: Link): number => channel.commitment("counterparty").number - 1;
