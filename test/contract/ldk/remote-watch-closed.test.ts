/** Events of a closed channel and the node that waits, dies and comes back (restart rules R7 to R9). */
import assert from "node:assert/strict";
import { RemoteWatchError } from "@farwatch/manager-service/ldk";
import { decodeEventPayload, encodeEventPayload } from "@farwatch/protocol/convert/event";
import { must } from "@farwatch/protocol/assert";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { closedWithHtlcs, closesAlone } from "../../harness/in-process-ldk/closing.js";
import { mine, settle } from "../../harness/in-process-ldk/settle.js";
import {
  closeStages,
  openedChannel,
  restart,
  type Stage,
} from "../../harness/in-process-ldk/stage.js";

/** Blocks until both HTLCs that A offered have run out and are buried. */
const UNTIL_TIMED_OUT = 60;
/** h1 and h2. */
const OUTBOUND_HTLCS = 2;

describe("RemoteWatch: closed channels", function () {
  this.timeout(120_000);
  before(() => loadLdk());
  afterEach(closeStages);

  it("holds HTLC events until LDK has closed the channel and seen their block (R8)", async () => {
    const { a, pair, remote, manager, h2 } = await closesAlone();
    // The monitors are ahead: B's commitment and its claim of h2 are in blocks A has not seen.
    assert.equal(remote.monitorEvents.length, 1);
    assert.deepEqual(a.handed, []);
    assert.equal(a.node.has(ldk.Event_PaymentSent, h2), false);
    a.node.catchUp();
    await settle(pair, a);
    assert.ok(a.node.has(ldk.Event_ChannelClosed));
    assert.deepEqual(
      a.handed,
      remote.monitorEvents.map(({ hex }) => hex),
    );
    assert.ok(a.node.has(ldk.Event_PaymentSent, h2));
    assert.deepEqual(manager.done, [remote.monitorEvents[0]?.itemId]);
  });

  it("hands an event over again until a snapshot begun after it was saved (R9)", async () => {
    const made = await closesAlone();
    const { a, pair, manager, h2 } = made;
    a.node.catchUp();
    const begun = a.beginSave(); // begun before the event was handed over
    pair.exchange();
    assert.equal(a.handed.length, 1);
    a.endSave(begun);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(manager.done, []);
    await restart(made);
    assert.ok(a.node.has(ldk.Event_PaymentSent, h2));
    assert.equal(a.handed.length, 2);
    assert.equal(manager.done.length, 1);
  });

  it("passes the replica and all its HTLC events while an outcome is missing, then nothing (R7)", async () => {
    const made = await closedWithHtlcs(false);
    const { a, pair, manager, remote, h1 } = made;
    const held = must([...manager.channels.values()][0], "a channel");
    held.unresolvedHtlcs = 1;
    await mine(pair, a, 3);
    const claims = remote.monitorEvents.length;
    assert.equal(manager.done.length, claims);
    const handed = a.handed.length;
    await restart(made);
    // HolderForceClosed is not wanted again, the claim of h2 is.
    assert.equal(a.handed.length, handed + claims - 1);
    for (let n = 0; n < UNTIL_TIMED_OUT; n++) await mine(pair, a, 1);
    assert.ok(a.node.has(ldk.Event_PaymentFailed, h1));
    held.unresolvedHtlcs = 0;
    a.save();
    await settle(pair, a);
    const { length } = a.handed;
    const { length: received } = manager.received;
    await restart(made);
    await mine(pair, a, 2);
    assert.equal(a.handed.length, length);
    assert.equal(manager.received.length, received);
    await restart(made); // settled now: not even asked for
    assert.equal(a.handed.length, length);
    assert.deepEqual(a.alarms, []);
  });

  it("passes no replica of a cooperatively closed channel: LDK would close it by force (R7)", async () => {
    const made = await openedChannel();
    const { a, pair, manager } = made;
    const [channel] = a.node.manager.list_channels();
    const id = must(channel, "a channel").get_channel_id();
    assert.ok(a.node.manager.close_channel(id, pair.b.id).is_ok());
    await settle(pair, a);
    assert.deepEqual(a.node.manager.list_channels(), []);
    a.save();
    await settle(pair, a);
    const { length } = manager.received;
    await restart(made); // the monitors have not seen it confirm yet
    await mine(pair, a, 2);
    assert.equal(manager.received.length, length);
    assert.deepEqual(a.alarms, []);
  });

  it("fails inside a callback without LDK noticing", async () => {
    const made = await closesAlone();
    const { a, pair, manager, remote } = made;
    const [told] = remote.monitorEvents;
    const item = must(manager.items.get(must(told, "an event").itemId), "its item");
    assert.ok(item.item?.$case === "monitorEvent");
    const decoded = decodeEventPayload(item.item.value.payload);
    assert.ok(decoded.ok && decoded.value.body.kind === "htlcEvent");
    const { body, origin } = decoded.value;
    // Another monitor's word for it, with a source that LDK does not read.
    const source = { ...body.source, opaque: Uint8Array.of(9) };
    const payload = Buffer.from(encodeEventPayload({ body: { ...body, source }, origin }));
    manager.tell({ $case: "monitorEvent", value: { ...item.item.value, payload } });
    await settle(pair, a);
    a.node.catchUp();
    a.watch.tick();
    pair.exchange();
    assert.ok(a.watch.failure instanceof RemoteWatchError);
    assert.deepEqual(a.handed, []);
    assert.throws(() => a.watch.beginSnapshot(), RemoteWatchError);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(
      a.alarms.map(({ code }) => code),
      ["internal"],
    );
    assert.ok(a.node.manager.write().length > 0); // LDK is still there
    assert.deepEqual(manager.done, []);
  });

  for (const offset of [0, 1, 2]) {
    it(`killed in every block while HTLCs are resolved on chain, variant ${offset}`, async () => {
      const made = await closedWithHtlcs(false);
      const { a, pair, manager, remote, h1, h2 } = made;
      const held = must([...manager.channels.values()][0], "a channel");
      const isOver = () => a.has(ldk.Event_PaymentFailed, h1) && a.has(ldk.Event_PaymentSent, h2);
      for (let n = 0; n < UNTIL_TIMED_OUT; n++) {
        held.unresolvedHtlcs = OUTBOUND_HTLCS - remote.resolvedHtlcs;
        pair.mine();
        if (isQuiet(n)) continue;
        await dieAt((n + offset) % 3, made);
      }
      assert.ok(isOver());
      held.unresolvedHtlcs = 0;
      a.save();
      await settle(pair, a);
      const sent = a.count(ldk.Event_PaymentSent, h2);
      const failed = a.count(ldk.Event_PaymentFailed, h1);
      await restart(made);
      await mine(pair, a, 2);
      assert.equal(a.count(ldk.Event_PaymentSent, h2), sent);
      assert.equal(a.count(ldk.Event_PaymentFailed, h1), failed);
      assert.equal(a.has(ldk.Event_PaymentFailed, h2), false);
      assert.equal(a.has(ldk.Event_PaymentSent, h1), false);
      assert.deepEqual(
        [...manager.items.values()].map(({ item }) => item?.$case),
        userEvents(made),
      );
      assert.deepEqual(a.alarms, []);
      assert.deepEqual(
        made.lines.filter((line) => line.includes("stale compared")),
        [],
      );
    });
  }
});

/** Claims are buried, and nothing has run out. */
const isQuiet = (block: number): boolean => block > 10 && block < 38;

/** Before LDK's events are processed, after them and before anything is saved, or when the save is not told. */
async function dieAt(point: number, made: Stage): Promise<void> {
  const { a, pair } = made;
  if (point > 0) {
    a.watch.tick();
    pair.exchange();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  if (point > 1) {
    const { snapshot, manager } = a.beginSave();
    a.disk = { manager, told: snapshot.told };
  }
  await restart(made);
}

/** Nobody takes them here. */
const userEvents = ({ manager }: Stage): string[] =>
  [...manager.items.values()].flatMap(({ item }) =>
    item?.$case === "userEvent" ? [item.$case] : [],
  );
