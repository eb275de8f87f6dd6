/** HTLCs that never left the node (R15; contract section 1, HtlcNotSent): told without any monitor event. */
import assert from "node:assert/strict";
import type { Link, OnLink } from "../harness/routing/link.js";
import type { Outgoing } from "../harness/routing/outgoing.js";
import { theyClose, weTakeBack } from "./acts/chain.js";
import { eventsOfAll, paymentEvents, userEvents } from "./acts/look.js";
import { fulfil, inSat, pay, refuse } from "./acts/payments.js";
import { assertRefused } from "./acts/refusals.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const FAILED = ["paymentPathFailed", "paymentFailed"];
const TIMED_OUT = "timed out in the holding cell";

/** Registered, planned, and kept in the holding cell. */
async function heldPart({ node }: World, link: Link, amountSat: number): Promise<Outgoing> {
  return node.planPart(await node.registerPayment(inSat(amountSat)), link, inSat(amountSat));
}

/** An HTLC from A whose forward stays in the holding cell. */
async function heldForward(world: World, from: Link, to: Link) {
  const received = await world.node.receive(from, inSat(50_000));
  return { received, outgoing: world.node.plan(received, to) };
}

/** What the peer of an inbound HTLC was sent: exactly one fail. */
function assertFailedUpstream({ link, htlc }: OnLink): void {
  const sent = link.sent.filter(({ htlcId }) => htlcId === htlc.id).map(({ kind }) => kind);
  assert.deepEqual(sent, ["fail"]);
  assert.equal(link.stageOf(htlc.id), "gone");
}

scenario({
  id: "S25",
  variant: "own payment",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const held = await heldPart(world, ab, 50_000);
    await world.node.notSent(held, TIMED_OUT);
    await world.run();
    assert.deepEqual(userEvents(world), FAILED);
    assert.deepEqual(eventsOfAll(world, ab), [], "no monitor is waited for");
    assert.equal(world.record.updates(ab.channelId), 0);
    await world.node.notSent(held, TIMED_OUT);
    await world.run();
    assert.deepEqual(userEvents(world), FAILED, "said twice, told once");
  },
});

scenario({
  id: "S25",
  variant: "forward",
  async run(make) {
    const world = await make();
    const [ab, bc] = [await world.open("ab"), await world.open("bc")];
    const { received, outgoing } = await heldForward(world, ab, bc);
    await world.node.notSent(outgoing, TIMED_OUT);
    await world.run();
    assert.deepEqual(userEvents(world), ["htlcHandlingFailed"]);
    assertFailedUpstream(received);
    for (const link of [ab, bc]) assert.deepEqual(eventsOfAll(world, link), []);
    assert.equal(world.record.updates(bc.channelId), 0);
    assert.equal(world.record.preimages(), 0);
  },
});

scenario({
  id: "S26",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const committed = await pay(world, ab, 50_000);
    const held = await heldPart(world, ab, 20_000);
    await theyClose(world, ab);
    await world.run();
    await world.node.notSent(held, "the channel failed");
    await world.run();
    assert.deepEqual(userEvents(world), ["channelClosed", ...FAILED], "the one that never left");
    assert.deepEqual(paymentEvents(world, committed.payment), [], "the other waits for the chain");
    await weTakeBack(world, committed);
    await world.mine(4);
    await world.run();
    assert.deepEqual(paymentEvents(world, committed.payment), []);
    await world.mine();
    await world.run();
    assert.deepEqual(paymentEvents(world, committed.payment), FAILED);
    const told = ["spent by counterparty:chain", "50000 failed:chain"];
    assert.deepEqual(eventsOfAll(world, ab), told);
    assert.deepEqual(world.dangling(), []);
    assert.equal(world.record.preimages(), 0);
  },
});

scenario({
  id: "D10",
  variant: "own payment",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const old = world.node.memory();
    const held = await heldPart(world, ab, 20_000);
    await fulfil(await pay(world, ab, 50_000));
    await world.run();
    await world.restartNode(old);
    assert.ok(ab.isBehind);
    await world.node.closeByMonitors(ab, "the node is behind");
    await world.node.notSent(held, "lost with the holding cell");
    await world.run();
    await world.restart("manager");
    await world.run();
    const others = ["paymentSent", "paymentPathSuccessful", "channelClosed"];
    assert.deepEqual([...userEvents(world)].sort(), [...FAILED, ...others].sort());
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "D10",
  variant: "forward",
  async run(make) {
    const world = await make();
    const [ab, bc] = [await world.open("ab"), await world.open("bc")];
    const old = world.node.memory();
    await fulfil(await pay(world, bc, 30_000));
    const { received, outgoing } = await heldForward(world, ab, bc);
    await world.run();
    const staleBc = old.cursors.filter(({ channelId }) => isOf(bc, channelId));
    const freshAb = world.node.memory().cursors.filter(({ channelId }) => isOf(ab, channelId));
    await world.restartNode({ ...world.node.memory(), cursors: [...staleBc, ...freshAb] });
    assert.ok(bc.isBehind && !ab.isBehind);
    await world.node.closeByMonitors(bc, "the node is behind");
    await world.node.notSent(outgoing, "lost with the holding cell");
    await world.run();
    await world.restart("manager");
    await world.run();
    assert.ok(userEvents(world).includes("htlcHandlingFailed"));
    assertFailedUpstream(received);
    const closed = ["30000 claimed:update", "closed for operator:command"];
    assert.deepEqual(eventsOfAll(world, bc), closed, "the forward is in no event");
    assert.deepEqual(eventsOfAll(world, ab), []);
    assert.deepEqual(world.dangling(), []);
  },
});

const isOf = (link: Link, id: Uint8Array): boolean =>
  Buffer.from(id).toString("hex") === link.channelId;

scenario({
  id: "D26",
  variant: "own payment, at every stage",
  async run(make) {
    const world = await make();
    const { node } = world;
    const ab = await world.open("ab");
    const payment = await node.registerPayment(inSat(50_000));
    const plan = await node.planPart(payment, ab, inSat(50_000));
    const part = node.offer(plan);
    const refused = async (): Promise<void> => {
      await assertRefused(node.notSent(plan, "it lies"), "htlcCommitted");
      await world.run();
    };
    await world.partition("m2");
    const dance = ab.settle();
    await world.quiesce();
    await assertRefused(node.notSent(plan, "accepted, in flight"), "htlcCommitted");
    await world.heal("m2");
    await dance;
    await refused();
    assert.deepEqual(userEvents(world), [], "only the monitors may resolve it");
    refuse({ payment, part });
    await ab.settle();
    await world.run();
    await refused();
    assert.deepEqual(userEvents(world), FAILED);
    assert.deepEqual(eventsOfAll(world, ab), ["50000 failed:update"]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "D26",
  variant: "forward",
  async run(make) {
    const world = await make();
    const { node } = world;
    const [ab, bc] = [await world.open("ab"), await world.open("bc")];
    const { received, outgoing } = await heldForward(world, ab, bc);
    const leg = node.offer(outgoing);
    await bc.settle();
    await assertRefused(node.notSent(outgoing, "it lies"), "htlcCommitted");
    await world.run();
    assert.deepEqual([userEvents(world), received.link.sent], [[], []], "nothing is failed");
    await bc.channel.fulfillHtlc(leg.htlc, received.secret.preimage);
    await world.run();
    assert.deepEqual(userEvents(world), ["paymentForwarded"]);
    assert.deepEqual(
      ab.sent.map(({ kind }) => kind),
      ["claim"],
    );
    assert.deepEqual(world.dangling(), []);
  },
});
