/** The world itself: the same run every time, and each way of disturbing it. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { Verdict } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { fullySigned, htlcSuccessTx } from "../../harness/channel/broadcast.js";
import { forgetful } from "../../harness/routing/memory.js";
import { FIRST_HEIGHT } from "./world-chain.js";
import { World, type WorldOptions } from "./world.js";

const AMOUNT = msat(50_000_000);

describe("the world of the scenarios", () => {
  const worlds: World[] = [];
  const create = (options?: WorldOptions): Promise<World> =>
    World.create(options, (world) => worlds.push(world));
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.end();
  });

  /** A forward from "ab" to "bc", committed on both. */
  async function forwarded(options: WorldOptions = {}) {
    const world = await create(options);
    const ab = await world.open("ab");
    const bc = await world.open("bc");
    const inbound = await world.node.receive(ab, AMOUNT);
    const leg = await world.node.forward(inbound, bc);
    return { world, ab, bc, inbound, leg };
  }

  it("runs the same every time, point by point", async () => {
    const [first, second] = [await forwarded(), await forwarded()];
    assert.deepEqual(first.world.points.passed, second.world.points.passed);
    assert.ok(first.world.points.passed.length > 300);
    assert.equal(first.world.pump.nowMs(), second.world.pump.nowMs());
  });

  it("crashes exactly the victim of the point asked for, once, and starts it again", async () => {
    const points = (await forwarded()).world.points.passed;
    for (const victim of ["manager", "m1", "m2"]) {
      const point = points.filter((one) => one.victim === victim)[30];
      const { world } = await forwarded({ crashAt: point?.index ?? 0 });
      assert.deepEqual(
        world.record.of("crash").map(({ by, at }) => [by, at]),
        [[victim, point?.name]],
      );
      assert.deepEqual(world.down(), []);
      assert.equal(world.record.of("start").filter(({ by }) => by === victim).length, 2);
    }
  });

  it("completes no update while a monitor cannot be reached, and does when it can", async () => {
    const world = await create();
    const ab = await world.open("ab");
    await world.partition("m2");
    let paid = false;
    const paying = world.node.receive(ab, AMOUNT).then(() => (paid = true));
    await world.quiesce();
    assert.equal(paid, false);
    assert.ok(world.record.of("stored").every(({ by }) => by === "m1"));
    await world.heal("m2");
    await paying;
    assert.equal(ab.lastUpdateId, 3n);
  });

  it("holds what a test names, and lets the rest pass", async () => {
    const { world, ab, bc, inbound, leg } = await forwarded();
    const release = world.hold(/manager PutPreimages$/);
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    await world.run();
    assert.equal(bc.lastUpdateId, 6n, "the outbound channel goes on");
    assert.deepEqual(world.record.userEvents(), []);
    assert.equal(world.holds.names.length, 2);
    assert.equal(ab.stageOf(inbound.htlc.id), "standing");
    await release();
    await world.run();
    assert.deepEqual(world.record.userEvents(), ["paymentForwarded"]);
    assert.equal(ab.stageOf(inbound.htlc.id), "gone");
  });

  it("puts a backup of the manager back: the monitors are ahead of it", async () => {
    const world = await create({ monitors: 1 });
    const ab = await world.open("ab");
    const restore = world.manager.disk.backup();
    await world.node.receive(ab, AMOUNT);
    world.crash("manager");
    restore();
    await world.restart("manager");
    assert.ok(world.lines.some(({ facts }) => facts["reason"] === "managerBehind"));
  });

  it("keeps what was durable over crashes of everything", async () => {
    const { world, bc, inbound, leg } = await forwarded();
    for (const name of ["manager", "m1", "m2"]) world.crash(name);
    assert.deepEqual(world.down(), ["manager", "m1", "m2"]);
    for (const name of ["m2", "m1", "manager"]) await world.restart(name);
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    await world.run();
    assert.deepEqual(world.record.userEvents(), ["paymentForwarded"]);
    assert.equal(world.dangling().length, 0);
    assert.equal(world.record.preimages(), 2);
  });

  it("restarts a node with or without its memory", async () => {
    const { world, ab, bc, inbound, leg } = await forwarded();
    await world.restartNode();
    assert.equal(world.node.undecidedInbound().length, 0);
    const epoch = world.client.session?.sessionId;
    await world.restartNode(forgetful(world.node.memory()));
    assert.notDeepEqual(world.client.session?.sessionId, epoch);
    assert.equal(world.client.session?.ownedInbound.length, 1, "the manager owns the forward");
    const verdicts = world.client.session.channels.map(({ verdict }) => verdict);
    assert.deepEqual(verdicts, [Verdict.IN_SYNC, Verdict.IN_SYNC]);
    await bc.channel.fulfillHtlc(leg.htlc, inbound.secret.preimage);
    await world.run();
    assert.equal(ab.stageOf(inbound.htlc.id), "gone");
  });

  it("shows monitors blocks with witnesses, and reorganises them", async () => {
    const { world, bc, inbound, leg } = await forwarded({ monitors: 1 });
    const { number } = bc.channel.commitment("counterparty");
    const commitment = fullySigned(bc.channel.setup, bc.channel.commitment("counterparty"));
    const { preimage } = inbound.secret;
    const claim = htlcSuccessTx(bc.channel, "counterparty", number, leg.htlc, preimage);
    assert.throws(() => world.chain.mine([claim]), /spends nothing known/);
    await world.mine(1, [commitment]);
    await world.reorg(1);
    assert.equal(world.chain.height, FIRST_HEIGHT + 2);
    assert.equal(world.chain.confirmed(bc.channel.commitment("counterparty").built.txid), false);
    await world.mine(1, [commitment]);
    await world.mine(1, [claim]);
    await world.run();
    assert.ok(world.record.userEvents().includes("paymentForwarded"));
    assert.equal(world.monitor("m1").host.info().tip.hash, world.chain.tip.hash);
  });

  it("says what stands still when a test waits for ever", async () => {
    const world = await create();
    const ab = await world.open("ab");
    await world.partition("m1");
    await assert.rejects(Promise.race([world.node.receive(ab, AMOUNT), world.pump.stalled]), {
      name: "Stalled",
    });
  });
});
