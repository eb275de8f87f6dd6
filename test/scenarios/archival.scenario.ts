/** When a channel may be forgotten (contract 2.16; section 3, S8, S10, D12): never with an un-acked event. */
import assert from "node:assert/strict";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import { fromHex } from "@farwatch/protocol/bytes";
import type { NodeChannel } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { ClosureReason } from "@farwatch/protocol/gen/manager/v1/event";
import type { ChannelId } from "@farwatch/protocol/ids";
import { NEVER_FUNDED_REASON } from "@farwatch/protocol/update";
import type { Link } from "../harness/routing/link.js";
import { theirClaim, theyClose } from "./acts/chain.js";
import { forger } from "./acts/forged.js";
import { eventsOf, paymentEvents, userEvent, userEvents } from "./acts/look.js";
import { fulfil, handleHeld, hold, pay } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
/** Blocks after everything is told and acked (ARCHIVAL_DELAY_BLOCKS). */
const DELAY = 4_032;
/** Blocks without a funding (NEVER_FUNDED_DELAY_BLOCKS). */
const NEVER_FUNDED_DELAY = 2_016;

/** Why m1 keeps the channel; "archived" when it does not. */
async function archivalOf(world: World, id: ChannelId): Promise<string> {
  const { host, who } = world.monitor("m1");
  const view = await host.anyChannel(who, id);
  assert.ok(view.ok, "it is somewhere");
  return view.value.archivedAt === undefined ? view.value.archival.kind : "archived";
}

/** Everything that was ever told of a channel, acked once more. */
async function ackAgain(world: World, { channelId }: Link): Promise<readonly string[]> {
  const { host, who, disk } = world.monitor("m1");
  const { epoch } = await world.manager.host.info();
  const told = disk.told().filter((event) => event.channelId === channelId);
  const acked = await host.ackEvents(who, forger(world, epoch).acks(host.info(), ...told));
  assert.ok(acked.ok);
  return acked.value;
}

scenario({
  id: "S8",
  async run(make) {
    const world = await make({ monitors: 1 });
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    await theyClose(world, ab);
    hold(world, "paymentSent");
    await world.mine(1, [theirClaim(paid)]);
    await world.run();
    await world.mine(DELAY);
    assert.equal(await archivalOf(world, ab.channelId), "unackedEvents", "however long it takes");
    await handleHeld(world);
    await world.run();
    assert.deepEqual(world.dangling(), []);
    await world.mine(1);
    await world.mine(DELAY - 1);
    assert.equal(await archivalOf(world, ab.channelId), "delay");
    await world.mine(1);
    assert.equal(await archivalOf(world, ab.channelId), "archived");
    await world.run();
    assert.deepEqual(paymentEvents(world, paid.payment), SENT);
    assert.deepEqual(eventsOf(world, ab), ["spent by counterparty:chain", "50000 claimed:chain"]);
    assert.equal(world.record.preimages(), 0);
  },
});

/** What is told and not acked while the channel could otherwise go. */
const UNACKED = {
  "a claim off chain": async (world: World, ab: Link) => {
    const paid = await pay(world, ab, 50_000);
    hold(world, "paymentSent");
    await fulfil(paid);
    await world.run();
    await theyClose(world, ab);
    await world.run();
  },
  "a claim on chain": async (world: World, ab: Link) => {
    const paid = await pay(world, ab, 50_000);
    await theyClose(world, ab);
    hold(world, "paymentSent");
    await world.mine(1, [theirClaim(paid)]);
    await world.run();
  },
  "the spend": async (world: World, ab: Link) => {
    await fulfil(await pay(world, ab, 50_000));
    await world.run();
    world.crash("manager");
    await theyClose(world, ab);
  },
} as const;

for (const [variant, leaveUnacked] of Object.entries(UNACKED)) {
  scenario({
    id: "D12",
    variant,
    async run(make) {
      const world = await make({ monitors: 1 });
      const ab = await world.open("ab");
      await leaveUnacked(world, ab);
      const before = world.dangling().map(({ event }) => event.eventHash);
      assert.ok(before.length > 0);
      await world.mine(DELAY + 20);
      world.crash("m1");
      await world.restart("m1");
      assert.equal(await archivalOf(world, ab.channelId), "unackedEvents");
      const after = world.dangling().map(({ event }) => event.eventHash);
      assert.ok(
        before.every((hash) => after.includes(hash)),
        "delivered, not acked: kept",
      );
      if (!world.down().includes("manager")) await handleHeld(world);
      else await world.restart("manager");
      await world.run();
      assert.deepEqual(world.dangling(), []);
      await world.mine(DELAY + 1);
      assert.equal(await archivalOf(world, ab.channelId), "archived");
      const again = await ackAgain(world, ab);
      assert.deepEqual([...new Set(again)], ["alreadyAcked"], "an ack for the archive is no error");
      assert.equal(await archivalOf(world, ab.channelId), "archived");
      assert.deepEqual([...userEvents(world)].sort(), ["channelClosed", ...SENT].sort());
    },
  });
}

/** The channel that is being opened and that its link does not know yet. */
async function openingAt(world: World): Promise<ChannelId> {
  const { host, who } = world.monitor("m1");
  const { views } = await host.channels(who, { filter: "all", after: undefined, limit: 1 });
  const [view] = views;
  assert.ok(view !== undefined && "state" in view, "the watch has reached m1");
  return view.state.parameters.channelId;
}

/** What a node says of a channel without updates. */
const firstCursor = (id: ChannelId): NodeChannel => ({
  channelId: Buffer.from(fromHex(id)),
  lastUpdateId: 0n,
  holderCommitmentNumber: 0n,
  counterpartyCommitmentNumber: 0n,
  revokedCommitments: 0n,
});

for (const who of ["the node remembers that it opened it", "the node never died"] as const) {
  scenario({
    id: "S10",
    variant: who,
    async run(make) {
      const world = await make();
      await world.partition("m2");
      const opening = world.open("ab");
      const opened = opening.then(
        () => "opened",
        () => "lost",
      );
      await world.quiesce();
      const id = await openingAt(world);
      world.crash("manager");
      await world.restart("manager");
      if (who !== "the node never died") {
        const memory = world.node.memory();
        await world.restartNode({ ...memory, cursors: [...memory.cursors, firstCursor(id)] });
        assert.equal(await opened, "lost");
      }
      const last = [
        { kind: "channelForceClosed", shouldBroadcast: false, reason: NEVER_FUNDED_REASON },
      ] as const;
      const closing = world.client.update(id, 1n, encodeUpdatePayload(last));
      await world.quiesce();
      await world.heal("m2");
      await closing;
      await world.run();
      assert.deepEqual(userEvents(world), ["channelClosed"]);
      const { reason } = userEvent(world, "channelClosed").value;
      assert.equal(reason, ClosureReason.NEVER_FUNDED);
      for (const { disk } of world.monitors) assert.deepEqual(disk.told(), [], "no events");
      await world.mine(NEVER_FUNDED_DELAY - 1);
      assert.equal(await archivalOf(world, id), "delay");
      await world.mine(1);
      assert.equal(await archivalOf(world, id), "archived");
      assert.deepEqual(world.chain.broadcasts, []);
      assert.equal(world.record.preimages(), 0);
    },
  });
}

scenario({
  id: "S10",
  variant: "a restart with the first state in flight",
  async run(make) {
    const world = await make();
    const { record } = world;
    for (const { name } of world.monitors) await world.partition(name);
    const opening = world.open("ab");
    await world.quiesce();
    for (let times = 0; times < 2; times++) {
      world.crash("manager");
      await world.restart("manager");
    }
    for (const { name } of world.monitors) await world.heal(name);
    const ab = await opening;
    const paid = await pay(world, ab, 50_000);
    await fulfil(paid);
    await world.run();
    assert.deepEqual(userEvents(world), SENT, "it is a channel like any other");
    assert.deepEqual(world.dangling(), []);
    assert.equal(record.updates(ab.channelId), 6);
  },
});
