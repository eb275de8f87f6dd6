/** Forwards that C fails off chain: A hears of it when nobody can bring the HTLC back. */
import assert from "node:assert/strict";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { Link } from "../harness/routing/link.js";
import { forgetful, type NodeMemory } from "../harness/routing/memory.js";
import { HOLD } from "../harness/routing/policy.js";
import { theyClose } from "./acts/chain.js";
import {
  endOf,
  fail,
  failsTold,
  forward,
  nameOf,
  openHops,
  reasonSent,
  receive,
  type Forward,
} from "./acts/forwards.js";
import { eventsOf, eventsOfAll, unackedOf, userEvent, userEvents } from "./acts/look.js";
import { handleHeld, pay } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const FAILED = "49999 failed:update";
/** Updates of one HTLC: two commitments and one secret to add it, the same to remove it. */
const UPDATES = 6;

/** What C says; B passes it on as it is, wrapping is the node's work. */
const REASON: HtlcFailReason = {
  cause: { kind: "onionError", packet: new Uint8Array(292).fill(7) },
  holdTime: undefined,
  attributionData: undefined,
};
/** BOLT 4, BADONION|PERM|5 invalid_onion_hmac: what update_fail_malformed_htlc carries. */
const MALFORMED: HtlcFailReason = {
  cause: { kind: "local", failureCode: 0x8000 | 0x4000 | 5, data: new Uint8Array(32).fill(9) },
  holdTime: undefined,
  attributionData: undefined,
};

const holdEvents = ({ node }: World): void => {
  node.policy = { ...node.policy, answer: () => HOLD };
};

/** The node does what it was told; no dance. */
async function obey(world: World): Promise<void> {
  await world.quiesce();
  await world.node.handleItems();
  await world.quiesce();
}

/** C fails it up to its revocation, which is on its way to B. */
async function failAlmost({ leg: { link, htlc } }: Pick<Forward, "leg">) {
  link.channel.failHtlc(htlc, REASON);
  await link.commit("counterparty");
  await link.revoke("holder");
  await link.commit("holder");
  await link.channel.revoke("counterparty");
}

function assertFailedOnce(world: World, one: Forward, reason = REASON): void {
  assert.deepEqual(failsTold(world), [nameOf(one.inbound)]);
  assert.equal(endOf(one), "gone fail");
  assert.deepEqual(reasonSent(one).cause, reason.cause, "as C said it");
  assert.deepEqual(world.dangling(), []);
  assert.equal(world.record.preimages(), 0);
}

scenario({
  id: "S68",
  async run(make) {
    const world = await make({ monitors: 1 });
    const { record } = world;
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    holdEvents(world);
    await failAlmost(one);
    await obey(world);
    assert.deepEqual(eventsOf(world, bc), [], "C could still claim it");
    assert.equal(endOf(one), "standing", "A hears nothing before C has revoked");
    await bc.channel.receiveRevocation("holder");
    await obey(world);
    assert.deepEqual(userEvents(world), ["htlcHandlingFailed"]);
    await ab.commit("holder");
    await world.quiesce();
    assert.deepEqual(unackedOf(world), [FAILED], "A has not revoked the HTLC");
    await ab.revoke("counterparty");
    await world.quiesce();
    assert.deepEqual(unackedOf(world), [], "acked though nobody has handled the user event");
    await handleHeld(world);
    await world.run();
    assertFailedOnce(world, one);
    assert.deepEqual(eventsOf(world, bc), [FAILED]);
    for (const link of [ab, bc]) assert.equal(record.updates(link.channelId), UPDATES);
  },
});

/** C's revocation is durable on m1 alone: what it says is final there. */
async function almostFinal(world: World, hops: { readonly ab: Link; readonly bc: Link }) {
  const one = await forward(world, hops, 50_000);
  await failAlmost(one);
  await world.partition("m2");
  const hung = hops.bc.channel.receiveRevocation("holder");
  await obey(world);
  return { one, hung };
}

scenario({
  id: "S69",
  variant: "an add waits behind it",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const { ab, bc } = hops;
    const next = await receive(world, ab, 20_000);
    const { one, hung } = await almostFinal(world, hops);
    const offered = world.node.offer(world.node.plan(next, bc));
    await obey(world);
    assert.deepEqual(userEvents(world), [], "no user event");
    assert.equal(endOf(one), "standing", "and no fail to A");
    await world.heal("m2");
    await hung;
    await world.run();
    assertFailedOnce(world, one);
    const live = bc.channel.liveHtlcs().map(({ id }) => id);
    assert.deepEqual(live, [offered.htlc.id], "the add went out too");
    assert.deepEqual(eventsOfAll(world, bc), [FAILED]);
  },
});

scenario({
  id: "S69",
  variant: "the channel closes meanwhile",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const { one, hung } = await almostFinal(world, hops);
    await theyClose(world, hops.bc);
    await obey(world);
    assert.deepEqual(userEvents(world), ["channelClosed"], "which is told at once");
    assert.equal(endOf(one), "standing");
    await world.heal("m2");
    await hung;
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", "htlcHandlingFailed"]);
    assertFailedOnce(world, one);
    await world.mine(6);
    await world.run();
    assertFailedOnce(world, one);
  },
});

scenario({
  id: "D21",
  variant: "forward, and the manager restarts",
  async run(make) {
    const world = await make();
    const hops = await openHops(world);
    const { one, hung } = await almostFinal(world, hops);
    assert.deepEqual(unackedOf(world, "m1"), [FAILED], "m1 tells it");
    await world.restart("manager");
    await obey(world);
    assert.deepEqual([userEvents(world), endOf(one)], [[], "standing"], "and nobody acts on it");
    assert.deepEqual(unackedOf(world, "m1"), [FAILED]);
    await world.heal("m2");
    await hung;
    await world.run();
    assertFailedOnce(world, one);
    assert.deepEqual(eventsOfAll(world, hops.bc), [FAILED]);
  },
});

scenario({
  id: "D21",
  variant: "own payment",
  async run(make) {
    const world = await make();
    const bc = await world.open("bc");
    const paid = await pay(world, bc, 50_000);
    await failAlmost({ leg: paid.part });
    await world.partition("m2");
    const hung = bc.channel.receiveRevocation("holder");
    await obey(world);
    assert.deepEqual(unackedOf(world, "m1"), ["50000 failed:update"]);
    assert.deepEqual(userEvents(world), []);
    await world.heal("m2");
    await hung;
    await world.run();
    assert.deepEqual(userEvents(world), ["paymentPathFailed", "paymentFailed"]);
    assert.deepEqual(eventsOfAll(world, bc), ["50000 failed:update"]);
    assert.deepEqual(world.dangling(), []);
  },
});

/** What the node is once it lost the newest states of one channel. */
function behindOn(world: World, { channelId }: Link, old: NodeMemory): NodeMemory {
  const isIt = (cursor: NodeMemory["cursors"][number]): boolean =>
    Buffer.from(cursor.channelId).toString("hex") === channelId;
  const memory = world.node.memory();
  const others = memory.cursors.filter((cursor) => !isIt(cursor));
  return { ...memory, cursors: [...others, ...old.cursors.filter(isIt)] };
}

scenario({
  id: "S70",
  async run(make) {
    const world = await make();
    const { node } = world;
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    const old = node.memory();
    await fail(one, REASON);
    await world.quiesce();
    await world.restartNode(behindOn(world, bc, old));
    assert.ok(bc.isBehind && !ab.isBehind);
    assert.deepEqual(unackedOf(world), [FAILED]);
    await node.closeByMonitors(bc, "the node is behind");
    await world.run();
    assert.deepEqual([...userEvents(world)].sort(), ["channelClosed", "htlcHandlingFailed"]);
    const { reason } = userEvent(world, "channelClosed").value;
    assert.equal(reason, ClosureReason.OUTDATED_NODE);
    assertFailedOnce(world, one);
    assert.deepEqual(eventsOfAll(world, bc), [FAILED, "closed for operator:command"]);
    await world.mineBroadcasts();
    await world.mine(6);
    await world.restart("manager"); // its next session tells the node to close
    await world.run();
    assertFailedOnce(world, one);
  },
});

scenario({
  id: "S71",
  async run(make) {
    const world = await make();
    const { node, record } = world;
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    ab.disconnect();
    await fail(one, REASON);
    await obey(world);
    assert.equal(ab.held.size, 1, "the fail waits for A in the holding cell");
    const before = record.updates(ab.channelId);
    await world.restartNode(forgetful(node.memory()));
    assert.equal(ab.held.size, 0, "which is lost");
    await obey(world);
    assert.equal(ab.held.size, 1, "and filled again by the manager");
    assert.deepEqual(node.undecidedInbound(), [], "nothing is forwarded again");
    assert.deepEqual(failsTold(world), [nameOf(one.inbound)]);
    assert.equal(record.updates(ab.channelId), before);
    assert.deepEqual(unackedOf(world), [FAILED]);
    ab.reconnect();
    await world.run();
    assertFailedOnce(world, one);
  },
});

scenario({
  id: "S72",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    await fail(one, MALFORMED);
    await obey(world);
    assert.equal(endOf(one), "removing fail", "an ordinary update_fail_htlc");
    assert.deepEqual(unackedOf(world), [FAILED], "A has not revoked");
    await world.run();
    assertFailedOnce(world, one, MALFORMED);
    assert.deepEqual(eventsOfAll(world, bc), [FAILED]);
  },
});

scenario({
  id: "S73",
  async run(make) {
    const world = await make();
    const { ab, bc } = await openHops(world);
    const one = await forward(world, { ab, bc }, 50_000);
    await fail(one, REASON);
    await obey(world);
    assert.equal(endOf(one), "removing fail");
    await world.restartNode(forgetful(world.node.memory()));
    assert.equal(ab.stageOf(one.inbound.htlc.id), "standing", "no commitment had the fail");
    await obey(world);
    const [first, second, ...more] = ab.sent;
    assert.deepEqual(second, first, "the same message again");
    assert.deepEqual(more, []);
    assert.deepEqual(unackedOf(world), [FAILED]);
    await world.run();
    assert.equal(ab.stageOf(one.inbound.htlc.id), "gone");
    assert.deepEqual(failsTold(world), [nameOf(one.inbound)]);
    assert.deepEqual(eventsOfAll(world, bc), [FAILED]);
    assert.deepEqual(world.dangling(), []);
  },
});
