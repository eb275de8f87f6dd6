/** The node's own payments whose channel goes on chain. */
import assert from "node:assert/strict";
import { theirClaim, theirClaimOnOurs, theyClose, weClose, weTakeBack } from "./acts/chain.js";
import { eventsOfAll, paymentEvents, unackedOf, userEvents } from "./acts/look.js";
import { handleHeld, hold, pay, type Paid } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { Link } from "../harness/routing/link.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
const FAILED = ["paymentPathFailed", "paymentFailed"];
/** Updates of adding one HTLC: two commitments and one secret. */
const ADD = 3;

for (const [variant, close, claim] of [
  ["on their commitment", theyClose, theirClaim],
  ["on ours", weClose, theirClaimOnOurs],
] as const) {
  scenario({
    id: "S28",
    variant,
    async run(make) {
      const world = await make();
      const ab = await world.open("ab");
      const paid = [await pay(world, ab, 50_000), await pay(world, ab, 60_000)] as const;
      await close(world, ab);
      await world.run();
      assert.deepEqual(userEvents(world), ["channelClosed"]);
      assert.deepEqual(world.dangling(), [], "a close is acked when it is stored");
      hold(world, "paymentSent");
      await world.mine(
        1,
        paid.map((one) => claim(one)),
      );
      await world.run();
      for (const { payment } of paid) assert.deepEqual(paymentEvents(world, payment), SENT);
      const claims = ["50000 claimed:chain", "60000 claimed:chain"];
      assert.deepEqual([...unackedOf(world)].sort(), claims, "until it is handled");
      await handleHeld(world);
      await world.run();
      assert.deepEqual(world.dangling(), []);
      const [spend, ...rest] = eventsOfAll(world, ab);
      const spentBy = close === theyClose ? "counterparty" : "holder";
      assert.deepEqual([spend, ...[...rest].sort()], [`spent by ${spentBy}:chain`, ...claims]);
      assert.equal(world.record.updates(ab.channelId), 2 * ADD + 1, "and the close");
      assert.equal(world.record.preimages(), 0);
    },
  });
}

const isolate = async (world: World): Promise<void> => {
  for (const { name } of world.monitors) await world.partition(name);
};
const reunite = async (world: World): Promise<void> => {
  for (const { name } of world.monitors) await world.heal(name);
};

/** The result is on chain, as deep as it must be; returns what showed it. */
const OUTCOMES = {
  async claimed(world: World, paid: Paid) {
    const claim = theirClaim(paid);
    await world.mine(1, [claim]);
    return { block: [claim], depth: 1 };
  },
  async "timed out"(world: World, paid: Paid) {
    const block = await weTakeBack(world, paid);
    await world.mine(5);
    return { block, depth: 6 };
  },
};
type Outcome = keyof typeof OUTCOMES;
const TOLD: Readonly<Record<Outcome, readonly string[]>> = { claimed: SENT, "timed out": FAILED };

/** When the manager, or the monitors, die around one result. */
const KILLS = {
  async "before it is recorded"(world: World, resolve: () => Promise<void>) {
    await isolate(world);
    await resolve();
    world.crash("manager");
    await reunite(world);
    await world.restart("manager");
  },
  async "before it is handled"(world: World, resolve: () => Promise<void>) {
    hold(world);
    await resolve();
    await world.run();
    world.crash("manager");
    await world.restart("manager");
    await world.run();
    const { told } = world.node;
    assert.ok(
      told.every(
        ({ deliveries, event: { $case } }) => deliveries === 2 || $case === "channelClosed",
      ),
      "told again under the same ids",
    );
    await handleHeld(world);
  },
  async "between its handling and its ack"(world: World, resolve: () => Promise<void>) {
    hold(world);
    await resolve();
    await world.run();
    await isolate(world);
    await handleHeld(world);
    await world.quiesce();
    await world.node.handleItems();
    world.crash("manager");
    await reunite(world);
    await world.restart("manager");
  },
  async "after its ack, all of them"(world: World, resolve: () => Promise<void>) {
    await resolve();
    await world.run();
    for (const name of ["m1", "m2", "manager"]) world.crash(name);
    for (const name of ["m1", "m2", "manager"]) await world.restart(name);
  },
};
type Kill = keyof typeof KILLS;

async function resultAround(world: World, ab: Link, outcome: Outcome, kill: Kill): Promise<void> {
  const paid = await pay(world, ab, 50_000);
  await theyClose(world, ab);
  await world.run();
  const shown: { readonly block: readonly Uint8Array[]; readonly depth: number }[] = [];
  await KILLS[kill](world, async () => {
    shown.push(await OUTCOMES[outcome](world, paid));
  });
  await world.run();
  assert.deepEqual(paymentEvents(world, paid.payment), TOLD[outcome]);
  assert.deepEqual(world.dangling(), []);
  for (const { block, depth } of shown) await world.reorg(depth, block);
  await world.mine(6);
  await world.run();
}

for (const outcome of ["claimed", "timed out"] as const) {
  for (const kill of [
    "before it is recorded",
    "before it is handled",
    "between its handling and its ack",
    "after its ack, all of them",
  ] as const) {
    scenario({
      id: "S29",
      variant: `${outcome}, killed ${kill}`,
      async run(make) {
        const world = await make();
        const ab = await world.open("ab");
        await resultAround(world, ab, outcome, kill);
        const word = outcome === "claimed" ? "claimed" : "failed";
        const told = ["spent by counterparty:chain", `50000 ${word}:chain`];
        assert.deepEqual(eventsOfAll(world, ab), told, "its block again tells nothing");
        assert.deepEqual(userEvents(world), ["channelClosed", ...TOLD[outcome]]);
        assert.deepEqual(world.dangling(), []);
        assert.equal(world.record.updates(ab.channelId), ADD + 1, "and the close");
        assert.equal(world.record.preimages(), 0);
      },
    });
  }
}
