/** Trampoline forwards, two HTLCs in and two out: one outcome for all of them (R54, R59a). */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import type { Link, OnLink } from "../harness/routing/link.js";
import type { Received } from "../harness/routing/routing-node.js";
import { theyClose } from "./acts/chain.js";
import {
  answersTo,
  assertClaimedOnChain,
  failsTold,
  forwardsTold,
  reasonSent,
  receive,
  type Forward,
} from "./acts/forwards.js";
import { eventsOf, unackedOf, userEvents } from "./acts/look.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const FEE_MSAT = 10_000n;
/** BOLT 4, NODE|25 temporary_trampoline_failure: one outgoing failure says nothing of the others. */
const TEMPORARY_TRAMPOLINE_FAILURE = 0x2000 | 25;

interface Trampoline {
  readonly inbound: readonly Received[];
  readonly legs: readonly OnLink[];
  readonly a2: Link;
  readonly c1: Link;
  readonly c2: Link;
}

/** 30000 and 20000 sat come in; 25000 and 24990 go out. */
async function open(world: World): Promise<Trampoline> {
  const [a1, a2] = [await world.open("a1"), await world.open("a2")];
  const [c1, c2] = [await world.open("c1"), await world.open("c2")];
  const first = await receive(world, a1, 30_000);
  const second = await receive(world, a2, 20_000, { secret: first.secret });
  const inbound = [first, second];
  const legs = [
    await world.node.forward(inbound, c1, { amountMsat: msat(25_000_000) }),
    await world.node.forward(inbound, c2, { amountMsat: msat(24_990_000) }),
  ];
  return { inbound, legs, a2, c1, c2 };
}

/** As forwards of one HTLC each, for the acts that look at one. */
const asForwards = ({ inbound, legs }: Trampoline): readonly Forward[] =>
  inbound.flatMap((one, index) => {
    const leg = legs[index];
    return leg === undefined ? [] : [{ secret: one.secret, inbound: one, leg }];
  });

const endsOf = (trampoline: Trampoline): readonly string[] =>
  asForwards(trampoline).map(({ inbound: { link, htlc }, ...rest }) => {
    const answers = answersTo({ inbound: { link, htlc, secret: rest.secret }, ...rest });
    return `${link.stageOf(htlc.id)} ${answers.join()}`.trim();
  });

async function claimLeg({ inbound }: Trampoline, leg: OnLink | undefined): Promise<void> {
  assert.ok(leg !== undefined && inbound[0] !== undefined);
  await leg.link.channel.fulfillHtlc(leg.htlc, inbound[0].secret.preimage);
  await leg.link.commit("counterparty");
}

/** One PaymentForwarded that names both inbound HTLCs. */
function assertForwarded(world: World, next: readonly string[], feeMsat: bigint): void {
  const prev = ["a1/0", "a2/0"];
  const told = { prev, next, feeMsat, skimmedMsat: undefined, onChain: false };
  assert.deepEqual(forwardsTold(world), [told]);
  assert.deepEqual(failsTold(world), []);
}

scenario({
  id: "D19",
  variant: "the second claim comes after everything",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { record } = world;
    const trampoline = await open(world);
    const { c1, c2, legs } = trampoline;
    await claimLeg(trampoline, legs[0]);
    await world.run();
    assert.deepEqual(endsOf(trampoline), ["gone claim", "gone claim"]);
    assertForwarded(world, ["c1/0", "c2/0"], FEE_MSAT);
    assert.deepEqual(world.dangling(), []);
    await claimLeg(trampoline, legs[1]);
    await world.run();
    assertForwarded(world, ["c1/0", "c2/0"], FEE_MSAT);
    assert.deepEqual(eventsOf(world, c1), ["25000 claimed:update"]);
    assert.deepEqual(eventsOf(world, c2), ["24990 claimed:update"]);
    assert.deepEqual(world.dangling(), []);
    assert.deepEqual(record.preimages(), 2, "one on each inbound channel");
  },
});

scenario({
  id: "D19",
  variant: "one inbound channel closes midway",
  async run(make) {
    const world = await make({ monitors: 1 });
    const trampoline = await open(world);
    const { a2, legs } = trampoline;
    await claimLeg(trampoline, legs[0]);
    await claimLeg(trampoline, legs[1]);
    await world.quiesce();
    assert.equal(unackedOf(world).length, 2, "both wait for both inbound HTLCs");
    await theyClose(world, a2);
    await world.run();
    const [, second] = asForwards(trampoline);
    assert.ok(second !== undefined);
    await assertClaimedOnChain(world, second);
    await world.run();
    assert.equal(endsOf(trampoline)[0], "gone claim", "the other one is taken on chain");
    assertForwarded(world, ["c1/0", "c2/0"], FEE_MSAT);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "D19",
  variant: "one outgoing HTLC fails, then the other is claimed",
  async run(make) {
    const world = await make({ monitors: 1 });
    const trampoline = await open(world);
    const { c1, legs } = trampoline;
    await failLeg(world, legs[0]);
    assert.deepEqual(endsOf(trampoline), ["standing", "standing"], "not failed: c2 is pending");
    assert.deepEqual(userEvents(world), []);
    assert.deepEqual(unackedOf(world), ["25000 failed:update"]);
    await claimLeg(trampoline, legs[1]);
    await world.run();
    assert.deepEqual(endsOf(trampoline), ["gone claim", "gone claim"]);
    assertForwarded(world, ["c2/0"], 25_010_000n);
    assert.deepEqual(eventsOf(world, c1), ["25000 failed:update"]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "D19",
  variant: "both outgoing HTLCs fail",
  async run(make) {
    const world = await make({ monitors: 1 });
    const trampoline = await open(world);
    const { legs } = trampoline;
    await failLeg(world, legs[0]);
    assert.deepEqual(endsOf(trampoline), ["standing", "standing"]);
    await failLeg(world, legs[1]);
    assert.deepEqual(endsOf(trampoline), ["gone fail", "gone fail"]);
    assert.deepEqual(failsTold(world), ["a1/0", "a2/0"]);
    assert.deepEqual(userEvents(world), ["htlcHandlingFailed"], "one for the whole forward");
    for (const one of asForwards(trampoline)) {
      const { cause } = reasonSent(one);
      assert.ok(cause.kind === "local" && cause.failureCode === TEMPORARY_TRAMPOLINE_FAILURE);
    }
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(), 0);
  },
});

async function failLeg(world: World, leg: OnLink | undefined): Promise<void> {
  assert.ok(leg !== undefined);
  leg.link.channel.failHtlc(leg.htlc);
  await leg.link.settle();
  await world.run();
}
