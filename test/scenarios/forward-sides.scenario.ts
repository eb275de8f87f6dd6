/** Forwards that stand in one commitment only, or in another one than confirms first. */
import assert from "node:assert/strict";
import { parseTx } from "@farwatch/monitor-service/tx/parsed-tx";
import { broadcastableCommitment } from "../harness/channel/broadcast.js";
import type { Side } from "../harness/channel/setup.js";
import { FINAL_DEPTH, mineTo, theirClaim, theyClose } from "./acts/chain.js";
import {
  answersTo,
  assertClaimedOnChain,
  claim,
  endOf,
  forward,
  forwardsTold,
  openHops,
  receive,
  refuse,
  sentOn,
  toldOf,
  type Forward,
} from "./acts/forwards.js";
import { eventsOfAll, userEvents } from "./acts/look.js";
import { inSat } from "./acts/payments.js";
import { scenario, type MakeWorld } from "./scenario.js";
import type { World } from "./world/world.js";

/** Blocks after the expiry of an HTLC we offered until our monitors go on chain for it. */
const GRACE_BLOCKS = 3;

/** B has C's preimage and told A, who never answers. */
async function silentAfterClaim(make: MakeWorld) {
  const world = await make();
  const hops = await openHops(world);
  const one = await forward(world, hops, 50_000);
  await claim(one);
  await hops.bc.settle();
  await world.quiesce();
  await world.node.handleItems();
  await hops.ab.commit("holder");
  const has = (side: "holder" | "counterparty"): number =>
    hops.ab.channel.commitment(side).htlcs.length;
  assert.deepEqual([has("holder"), has("counterparty")], [1, 0]);
  return { world, hops, one };
}

scenario({
  id: "S66",
  variant: "a: A's HTLC in our commitment only",
  async run(make) {
    const { world, hops, one } = await silentAfterClaim(make);
    await mineTo(world, one.inbound.htlc.cltvExpiry - GRACE_BLOCKS);
    await world.run();
    await world.mineBroadcasts();
    await world.run();
    assert.deepEqual(eventsOfAll(world, hops.ab), [
      "closed for htlcDeadline:block",
      "spent by holder:chain",
    ]);
    await assertClaimedOnChain(world, one, "holder");
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual([...userEvents(world)].sort(), ["channelClosed", "paymentForwarded"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one)]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S66",
  variant: "a: A publishes its newest commitment, without the HTLC",
  async run(make) {
    const { world, hops, one } = await silentAfterClaim(make);
    await theyClose(world, hops.ab);
    await world.run();
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual(eventsOfAll(world, hops.ab), ["spent by counterparty:chain"]);
    assert.deepEqual(forwardsTold(world), [toldOf(one)], "what it pays us is our balance there");
    assert.deepEqual(world.dangling(), []);
  },
});

/** Our monitors go on chain for the outbound HTLC, which our commitment lacks: it fails 6 deep. */
async function assertFailsSixDeep(world: World, one: Forward, first: readonly string[]) {
  const { link, htlc } = one.leg;
  await mineTo(world, htlc.cltvExpiry + GRACE_BLOCKS);
  await world.run();
  await world.mineBroadcasts();
  assert.deepEqual(eventsOfAll(world, link), [
    ...first,
    "closed for htlcDeadline:block",
    "spent by holder:chain",
  ]);
  await world.mine(FINAL_DEPTH - 2);
  await world.run();
  assert.deepEqual(answersTo(one), [], "five confirmations");
  await world.mine();
  await world.run();
  assert.deepEqual(eventsOfAll(world, link).at(-1), "49999 failed:chain");
  assert.equal(endOf(one), "gone fail");
  assert.deepEqual(userEvents(world), ["channelClosed", "htlcHandlingFailed"]);
  assert.deepEqual(world.dangling(), []);
}

/** C has it in its newest commitment and never answers. */
async function silentAfterAdd(make: MakeWorld) {
  const world = await make();
  const { ab, bc } = await openHops(world);
  const inbound = await receive(world, ab, 50_000);
  const leg = world.node.offer(world.node.plan(inbound, bc));
  await bc.commit("holder");
  const one: Forward = { inbound, leg, secret: inbound.secret };
  return { world, bc, one };
}

scenario({
  id: "S66",
  variant: "b: in C's newest commitment only, timed out on ours",
  async run(make) {
    const { world, one } = await silentAfterAdd(make);
    await assertFailsSixDeep(world, one, []);
  },
});

scenario({
  id: "S66",
  variant: "b: in C's newest commitment only, claimed there",
  async run(make) {
    const { world, bc, one } = await silentAfterAdd(make);
    await theyClose(world, bc);
    await world.mine(1, [theirClaim(sentOn(one))]);
    await world.run();
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual(eventsOfAll(world, bc), [
      "spent by counterparty:chain",
      "49999 claimed:chain",
    ]);
    assert.deepEqual(userEvents(world), ["channelClosed", "paymentForwarded"]);
    assert.equal(endOf(one), "gone claim");
  },
});

/** C failed it, has our signature for a commitment without it, and has not revoked the one before. */
async function silentAfterFail(make: MakeWorld) {
  const world = await make();
  const hops = await openHops(world);
  const one = await forward(world, hops, 50_000);
  refuse(one);
  await hops.bc.commit("counterparty");
  await hops.bc.revoke("holder");
  await hops.bc.commit("holder");
  await world.quiesce();
  assert.deepEqual(world.record.userEvents(), [], "C could still publish the previous one");
  return { world, bc: hops.bc, one };
}

scenario({
  id: "S66",
  variant: "previous: C revokes it",
  async run(make) {
    const { world, bc, one } = await silentAfterFail(make);
    await bc.revoke("counterparty");
    await mineTo(world, one.leg.htlc.cltvExpiry + GRACE_BLOCKS);
    await world.run();
    assert.deepEqual(eventsOfAll(world, bc), ["49999 failed:update"]);
    assert.ok(bc.isUsable, "nothing to close for");
    assert.equal(endOf(one), "gone fail");
    assert.deepEqual(userEvents(world), ["htlcHandlingFailed"]);
  },
});

scenario({
  id: "S66",
  variant: "previous: C keeps silent",
  async run(make) {
    const { world, one } = await silentAfterFail(make);
    await assertFailsSixDeep(world, one, []);
  },
});

scenario({
  id: "S66",
  variant: "previous: C publishes it and claims",
  async run(make) {
    const { world, bc, one } = await silentAfterFail(make);
    const previous = bc.channel.commitment("counterparty").number - 1;
    await theyClose(world, bc, previous);
    await world.mine(1, [theirClaim(sentOn(one), previous)]);
    await world.run();
    await world.mine(FINAL_DEPTH);
    await world.run();
    assert.deepEqual(eventsOfAll(world, bc), [
      "spent by counterpartyPrevious:chain",
      "49999 claimed:chain",
    ]);
    assert.equal(endOf(one), "gone claim");
    assert.deepEqual(userEvents(world), ["channelClosed", "paymentForwarded"]);
  },
});

interface Confirmed {
  readonly side: Side;
  readonly number: number;
}

/** One commitment of A's channel confirms, is reorganised away, and another one confirms. */
async function assertClaimsOnlyTheSecond(
  world: World,
  one: Forward,
  first: Confirmed,
  second: Confirmed,
): Promise<void> {
  const { channel } = one.inbound.link;
  const rawOf = ({ side, number }: Confirmed) => broadcastableCommitment(channel, side, number);
  await world.mine(1, [rawOf(first)]);
  await world.run();
  const { txid } = parseTx(rawOf(first));
  const claims = (from: number): number =>
    world.chain.broadcasts
      .slice(from)
      .filter(({ raw }) => parseTx(raw).inputs.some(({ outpoint }) => outpoint.txid === txid))
      .length;
  assert.ok(claims(0) > 0, "the first one's HTLC is claimed while it stands");
  const before = world.chain.broadcasts.length;
  await world.reorg(1, [rawOf(second)]);
  await assertClaimedOnChain(world, one, second.side, second.number);
  await world.mine(FINAL_DEPTH);
  await world.run();
  assert.equal(claims(before), 0, "nothing more is claimed from what is gone");
  assert.deepEqual(forwardsTold(world), [toldOf(one)]);
  assert.deepEqual(eventsOfAll(world, one.leg.link), ["49999 claimed:update"]);
  assert.deepEqual(userEvents(world).filter((kind) => kind === "channelClosed").length, 1);
  assert.deepEqual(world.dangling(), []);
}

/** A went away before it heard of C's claim, and has two commitments that are not revoked. */
async function claimedWhileAway(make: MakeWorld) {
  const world = await make();
  const hops = await openHops(world);
  const one = await forward(world, hops, 50_000);
  const payment = await world.node.registerPayment(inSat(20_000));
  world.node.offer(await world.node.planPart(payment, hops.ab, inSat(20_000)));
  await hops.ab.commit("holder");
  hops.ab.disconnect();
  await claim(one);
  await world.run();
  const newest = hops.ab.channel.commitment("counterparty").number;
  return {
    world,
    one,
    ours: { side: "holder", number: hops.ab.channel.received("holder") },
    newest: { side: "counterparty", number: newest },
    previous: { side: "counterparty", number: newest - 1 },
  } as const;
}

scenario({
  id: "S67",
  variant: "our commitment after A's",
  async run(make) {
    const { world, one, ours, newest } = await claimedWhileAway(make);
    await assertClaimsOnlyTheSecond(world, one, newest, ours);
  },
});

scenario({
  id: "S67",
  variant: "A's commitment after ours",
  async run(make) {
    const { world, one, ours, newest } = await claimedWhileAway(make);
    await assertClaimsOnlyTheSecond(world, one, ours, newest);
  },
});

scenario({
  id: "S67",
  variant: "A's previous commitment after its newest",
  async run(make) {
    const { world, one, newest, previous } = await claimedWhileAway(make);
    await assertClaimsOnlyTheSecond(world, one, newest, previous);
  },
});

scenario({
  id: "S67",
  variant: "A's newest commitment after its previous",
  async run(make) {
    const { world, one, newest, previous } = await claimedWhileAway(make);
    await assertClaimsOnlyTheSecond(world, one, previous, newest);
  },
});
