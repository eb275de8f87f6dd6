/** Ids of events, acks, and kills around them (contract 2.9, 2.10; section 3, D1 to D3, D13, D14). */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { theirClaim, theyClose } from "./acts/chain.js";
import { forger } from "./acts/forged.js";
import { paymentEvents, userEvents } from "./acts/look.js";
import { fulfil, handleHeld, hold, pay, refuse, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { DiskKind } from "./world/surroundings.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
const DISKS: readonly DiskKind[] = ["simulated", "sqlite"];

/** Un-acked events of m1: id and hash, which fixes every byte. */
const identities = (world: World): readonly string[] =>
  world
    .dangling()
    .filter(({ by }) => by === "m1")
    .map(({ event }) => `${event.eventId} ${event.eventHash}`);

/** The user answers what it was told of one payment. */
async function handlePayment({ node }: World, paid: Paid): Promise<void> {
  const id = paid.payment.paymentId;
  for (const { itemId, event, answer } of node.told) {
    if (answer.kind !== "hold" || !("paymentId" in event.value)) continue;
    if (Buffer.from(event.value.paymentId).toString("hex") !== id) continue;
    await node.finish(
      must(
        node.told.find((told) => told.itemId === itemId),
        "told",
      ),
      {
        kind: "handled",
      },
    );
  }
}

for (const disk of DISKS) {
  scenario({
    id: "D1",
    variant: disk,
    async run(make) {
      const world = await make({ monitors: 1, disk });
      const ab = await world.open("ab");
      const [first, second] = [await pay(world, ab, 50_000), await pay(world, ab, 60_000)];
      const third = await pay(world, ab, 70_000);
      hold(world);
      for (const paid of [first, second]) await fulfil(paid);
      await world.run();
      const [acked, kept] = identities(world);
      await handlePayment(world, first);
      await world.run();
      assert.deepEqual(identities(world), [kept], "acked alone, out of order");
      world.crash("manager");
      await theyClose(world, ab);
      await world.mine(1, [theirClaim(third)]);
      const before = identities(world);
      assert.equal(before.length, 3, "the claim, the spend and a claim on chain");
      world.crash("m1");
      await world.restart("m1");
      assert.deepEqual(identities(world), before, "the same ids mean the same");
      assert.ok(!before.includes(must(acked, "an ack")), "and an ack stays");
      await world.restart("manager");
      await world.run();
      await handleHeld(world);
      await world.run();
      for (const { payment } of [first, second, third]) {
        assert.deepEqual(paymentEvents(world, payment), SENT);
      }
      assert.deepEqual(world.dangling(), []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}

/** How many events the monitor sent when the manager's newest stream to it began. */
const replayed = (world: World, by: string): number =>
  Number(
    world.lines.findLast(
      ({ message, facts }) => message === "replay of events done" && facts["monitor"] === by,
    )?.facts["replayed"],
  );

for (const disk of DISKS) {
  scenario({
    id: "D2",
    variant: disk,
    async run(make) {
      const world = await make({ disk });
      const { node, record } = world;
      const ab = await world.open("ab");
      const paid = await pay(world, ab, 50_000);
      hold(world);
      await fulfil(paid);
      await world.run();
      assert.equal(world.dangling().length, 2);
      // On the simulated disk right after the commit, before the manager hears of it.
      if (disk === "simulated") world.killAt("m1", /after commit deleteEvent/);
      await handleHeld(world);
      await world.run();
      if (disk === "sqlite") world.crash("m1");
      await world.restart("m1");
      assert.deepEqual(world.dangling(), []);
      assert.equal(replayed(world, "m1"), 0, "not delivered again");
      await world.run();
      assert.deepEqual(userEvents(world), SENT);
      assert.ok(node.told.every(({ deliveries }) => deliveries === 1));
      const toM1 = record.of("ack").filter(({ by }) => by === "m1");
      const expected = disk === "simulated" ? 2 : 1;
      assert.equal(toM1.length, expected, "acked again only when the answer was lost");
    },
  });
}

/** The three places of a kill: whose, at which point, and how often the node hears of its result. */
const KILLS = {
  "before the commit of handled": ["manager", /before commit .*\back\b/, 2],
  "between that commit and the ack": ["manager", /before manager AckEvents/, 1],
  "between the ack and its commit": ["m1", /before commit deleteEvent/, 1],
} as const;

for (const outcome of ["claimed", "failed"] as const) {
  for (const [where, [victim, point, deliveries]] of Object.entries(KILLS)) {
    scenario({
      id: "D3",
      variant: `${outcome}, killed ${where}`,
      async run(make) {
        const world = await make({ monitors: 1 });
        const { node, record } = world;
        const ab = await world.open("ab");
        const paid = await pay(world, ab, 50_000);
        hold(world);
        if (outcome === "claimed") await fulfil(paid);
        else refuse(paid);
        await world.run();
        assert.equal(world.dangling().length, 1);
        world.killAt(victim, point);
        await handleHeld(world);
        await world.run();
        assert.equal(world.points.stillDue, 0, "killed there");
        assert.equal(replayed(world, "m1"), 1, "the monitor delivers it again");
        assert.deepEqual(userEvents(world), outcome === "claimed" ? SENT : FAILED);
        const last = outcome === "claimed" ? "paymentSent" : "paymentFailed";
        const told = node.told.find(({ event }) => event.$case === last);
        assert.equal(told?.deliveries, deliveries);
        assert.equal(told.shown, 1, "the user saw it once");
        assert.deepEqual(world.dangling(), []);
        assert.equal(record.updates(ab.channelId), 6);
        assert.equal(record.preimages(), 0);
      },
    });
  }
}

/** Where a batch of three events is cut: the manager dies, or the stream with the monitor. */
const CUTS = {
  "at its first commit": ["manager", /before commit .*\binbox\b/],
  "after its first commit": ["manager", /after commit .*\binbox\b/],
  "after the first event left": ["m1", /after m1 to manager StreamEvents answer/],
} as const;

/** Three results in one update, and the manager is cut off in the middle of their delivery. */
async function cutBatch(world: World, cut: () => void, reconnect: () => Promise<void>) {
  const { node, record } = world;
  const ab = await world.open("ab");
  const all: Paid[] = [];
  for (const sat of [50_000, 60_000, 70_000]) all.push(await pay(world, ab, sat));
  hold(world);
  for (const paid of all) await fulfil(paid);
  cut();
  const committed = ab.commit("counterparty");
  await world.quiesce();
  await reconnect();
  await committed;
  await world.run();
  const sent = node.eventsOf("paymentSent").map(({ value }) => value.amountMsat);
  assert.deepEqual(sent, [50_000_000n, 60_000_000n, 70_000_000n], "in the monitor's order");
  assert.equal(identities(world).length, 3);
  await handleHeld(world);
  await world.run();
  for (const { payment } of all) assert.deepEqual(paymentEvents(world, payment), SENT);
  assert.deepEqual(world.dangling(), []);
  const acked = record.of("ack").map(({ eventId }) => eventId);
  assert.deepEqual([...new Set(acked)], [1n, 2n, 3n], "each is acked");
  assert.equal(record.preimages(), 0);
}

for (const [where, [victim, point]] of Object.entries(CUTS)) {
  scenario({
    id: "D13",
    variant: `cut ${where}`,
    async run(make) {
      const world = await make({ monitors: 1 });
      const restarted = async (): Promise<void> =>
        assert.equal(world.points.stillDue, 0, "cut there");
      await cutBatch(world, () => world.killAt(victim, point), restarted);
    },
  });
}

scenario({
  id: "D13",
  variant: "cut by the network, nobody dies",
  async run(make) {
    let due = false;
    const world = await make({
      monitors: 1,
      watch(cut, { name }) {
        if (!due || !/after m1 to manager StreamEvents answer/.test(name)) return;
        due = false;
        cut.monitor("m1").isReachable = false;
      },
    });
    await cutBatch(
      world,
      () => (due = true),
      async () => {
        assert.equal(world.monitor("m1").isReachable, false, "cut there");
        await world.heal("m1");
      },
    );
    assert.ok(world.node.told.every(({ deliveries }) => deliveries === 1));
  },
});

scenario({
  id: "D14",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    hold(world);
    await fulfil(paid);
    await world.run();
    const { epoch: old } = await world.manager.host.info();
    world.crash("manager");
    await world.restart("manager");
    const { epoch } = await world.manager.host.info();
    assert.ok(epoch > old);
    const zombie = forger(world, old);
    for (const { by, event } of world.dangling()) {
      const { host, who } = world.monitor(by);
      const refused = await host.ackEvents(who, zombie.acks(host.info(), event));
      assert.ok(!refused.ok, "two managers: only the newer one acks");
      assert.equal(refused.error.reason, "fenced");
      assert.equal(refused.error.details["current_epoch"], String(epoch));
      const session = await host.openSession(who, zombie.session(host.info()));
      assert.ok(!session.ok);
      assert.equal(session.error.reason, "fenced");
    }
    assert.equal(world.dangling().length, world.monitors.length, "nothing was deleted");
    world.crash("m1");
    await world.restart("m1");
    assert.equal(world.dangling().length, world.monitors.length);
    await handleHeld(world);
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.deepEqual(world.dangling(), []);
  },
});
