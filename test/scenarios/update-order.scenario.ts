/** The order of updates is strict: anything else is a typed refusal that changes nothing (contract 1, 2.2). */
import assert from "node:assert/strict";
import { encodeUpdatePayload } from "@farwatch/protocol/convert/update";
import { must } from "@farwatch/protocol/assert";
import { hash32, updateId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { SignedPayload } from "@farwatch/monitor-service/runtime/monitor-host";
import type { Link } from "../harness/routing/link.js";
import { UpdateRefused } from "../harness/routing/manager-connection.js";
import { theyClose } from "./acts/chain.js";
import { forgerAt, stateAt } from "./acts/forged.js";
import { receive } from "./acts/forwards.js";
import { eventsOfAll, userEvents } from "./acts/look.js";
import { fulfil, pay } from "./acts/payments.js";
import { scenario } from "./scenario.js";
import type { World } from "./world/world.js";

const SENT = ["paymentSent", "paymentPathSuccessful"];
/** Newest update after one HTLC was added. */
const ADDED = 3n;
/** Nobody's hash. */
const NO_HASH = hash32("ff".repeat(32));

const stepsOf = ({ updates }: Link, id: bigint): readonly UpdateStep[] =>
  must(updates[Number(id) - 1], "an update of the node");

/** What the node may see of its channel, and everything the monitor's state and log hold. */
const everything = (world: World, link: Link) => ({
  states: world.monitors.map(({ name }) => stateAt(world, link, name)),
  logs: world.monitors.map(({ disk }) => disk.logRows()),
  events: world.monitors.map(({ disk }) => disk.told()),
});

/** The manager refuses it for this reason. */
const assertRefused = (work: Promise<unknown>, reason: string): Promise<void> =>
  assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof UpdateRefused);
    assert.equal(error.reason, reason);
    return true;
  });

scenario({
  id: "S2",
  variant: "from the node",
  async run(make) {
    const world = await make();
    const { client } = world;
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    const before = everything(world, ab);
    const rows = world.manager.disk.rows();
    const offer = (id: bigint, steps: readonly UpdateStep[]) =>
      client.update(ab.channelId, id, encodeUpdatePayload(steps));
    const next = [{ kind: "channelForceClosed", shouldBroadcast: true, reason: "order" }] as const;
    await assertRefused(offer(ADDED + 2n, next), "updateGap");
    await assertRefused(offer(ADDED + 3n, stepsOf(ab, 1n)), "updateGap");
    for (const id of [1n, 2n, ADDED]) {
      const { updateId: upTo } = await offer(id, stepsOf(ab, id));
      assert.equal(upTo, ADDED, "the same bytes are answered again");
    }
    await world.quiesce();
    assert.deepEqual(world.manager.disk.rows(), rows);
    assert.deepEqual(everything(world, ab), before);
    await fulfil(paid);
    await world.run();
    assert.deepEqual(userEvents(world), SENT, "the right order still succeeds");
    assert.deepEqual(eventsOfAll(world, ab), ["50000 claimed:update"]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S2",
  variant: "other bytes under a known id",
  async run(make) {
    const world = await make();
    const { client } = world;
    const ab = await world.open("ab");
    await pay(world, ab, 50_000);
    const before = everything(world, ab);
    const offer = (id: bigint, steps: readonly UpdateStep[]) =>
      client.update(ab.channelId, id, encodeUpdatePayload(steps));
    await assertRefused(offer(2n, stepsOf(ab, 3n)), "updateConflict");
    await assertRefused(offer(ADDED + 1n, stepsOf(ab, 3n)), "channelHalted");
    await world.quiesce();
    assert.deepEqual(everything(world, ab), before, "no monitor hears of it");
    await world.run();
    assert.deepEqual(userEvents(world), ["alarm"]);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S2",
  variant: "at a monitor",
  async run(make) {
    const world = await make();
    const ab = await world.open("ab");
    const paid = await pay(world, ab, 50_000);
    const { epoch } = await world.manager.host.info();
    const before = everything(world, ab);
    const { host, who, disk } = world.monitor("m1");
    const forged = (tamper: Parameters<ReturnType<typeof forgerAt>["update"]>[2]) => {
      const manager = forgerAt(world, ab, "m1", epoch);
      return { manager, update: manager.update(ab.channelId, stepsOf(ab, ADDED), tamper) };
    };
    const submit = async (manager: ReturnType<typeof forgerAt>, update: SignedPayload) => {
      const { receipts, refused } = await host.submitUpdates(who, manager.batch(update));
      return {
        durable: receipts?.receipts.map((receipt) => receipt.updateId) ?? [],
        refused: refused.map(({ refusal: { reason, details } }) => [
          reason,
          details["expected_update_id"],
        ]),
      };
    };
    for (const [tamper, reason, expected] of [
      [{ updateId: updateId(ADDED + 2n) }, "updateGap", "4"],
      [{ updateId: updateId(ADDED + 9n) }, "updateGap", "4"],
      [{ updateId: updateId(2n) }, "updateConflict", undefined],
      [{ updateId: updateId(ADDED) }, "updateConflict", undefined],
      [{ prevHash: NO_HASH }, "updateConflict", undefined],
    ] as const) {
      const { manager, update } = forged(tamper);
      assert.deepEqual(await submit(manager, update), {
        durable: [],
        refused: [[reason, expected]],
      });
    }
    for (const { kind, header, payload, updateId: id } of disk.logRows()) {
      if (kind !== "update") continue;
      const again = await submit(forgerAt(world, ab, "m1", epoch), { header, payload });
      assert.deepEqual(again, { durable: [id], refused: [] }, "the same bytes: no-op");
    }
    assert.deepEqual(everything(world, ab), before);
    await fulfil(paid);
    await world.run();
    assert.deepEqual(userEvents(world), SENT);
    assert.deepEqual(world.dangling(), []);
  },
});

scenario({
  id: "S2",
  variant: "after the last update of a channel",
  async run(make) {
    const world = await make();
    const { client } = world;
    const ab = await world.open("ab");
    const received = await receive(world, ab, 50_000);
    ab.giveUp(true, "the user wants it");
    await ab.closing;
    const closed = ab.lastUpdateId;
    const before = everything(world, ab);
    const offer = (id: bigint, steps: readonly UpdateStep[]) =>
      client.update(ab.channelId, id, encodeUpdatePayload(steps));
    await offer(closed, stepsOf(ab, closed));
    await world.quiesce();
    assert.deepEqual(everything(world, ab), before, "the close again: no-op");
    await assertRefused(offer(closed + 1n, stepsOf(ab, ADDED)), "noFurtherUpdates");
    assert.deepEqual(everything(world, ab), before);
    const told = eventsOfAll(world, ab);
    await ab.channel.learnPreimage("holder", received.secret.preimage);
    // An echo of the close under an id of its own is no error, and does nothing (ADR M-16).
    await offer(closed + 2n, stepsOf(ab, closed));
    assert.deepEqual(eventsOfAll(world, ab), told);
    for (const { name } of world.monitors) {
      const { latestUpdateId } = stateAt(world, ab, name);
      assert.equal(latestUpdateId, closed + 2n, "a preimage is taken in every state");
    }
    await theyClose(world, ab);
    assert.equal((await world.mineBroadcasts()).length, 1, "and claims");
    await world.run();
    assert.deepEqual(userEvents(world).slice(0, 1), ["channelClosed"]);
    assert.deepEqual(world.dangling(), []);
  },
});
