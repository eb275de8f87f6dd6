/** What each role gets and in which order: events before `completed`, commands once a session. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { decodeEventPayload } from "@farwatch/protocol/convert/event";
import { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { CHANNEL, claimed, confirmed, NODE, receive, sign } from "../manager/testing/scene.js";
import { Bench, settle, WHO, type ToldItems, type ToldUpdates } from "./testing/bench.js";

const CLAIM = claimed({ part: 1 });

describe("roles in the shell", () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench();
    await bench.start();
  });
  afterEach(() => bench.remove());

  const open = (nodeEpoch: bigint, role: Role) => {
    const request = { nodeEpoch, role, ldkVersion: undefined, channels: [] };
    return bench.host.openSession(WHO, { nodeKey: Buffer.from(fromHex(NODE)), ...request });
  };
  const openedAs = async (role: Role): Promise<ToldUpdates> => {
    assert.ok((await open(1n, role)).ok);
    await bench.opened();
    return bench.updates().stream;
  };
  const subscribed = async (): Promise<ToldItems> => {
    const { items } = bench.subscribe();
    await settle();
    return items;
  };
  /** Update `id` is durable, and the monitors had this many events before it. */
  const durable = async (id: number, watermark: number, closed = false): Promise<void> => {
    await bench.a.receipt(id, { watermark, closed });
    await bench.b.receipt(id);
  };
  const done = async (items: ToldItems, index: number): Promise<void> => {
    const { itemId } = must(items.items[index], "item");
    assert.ok((await bench.host.done(WHO, [{ itemId, answer: { kind: "handled" } }])).ok);
  };

  it("refuses a node that comes back in another role than it has", async () => {
    await openedAs(Role.NODE_RESOLVES);
    const again = await open(2n, Role.MANAGER_RESOLVES);
    assert.equal(!again.ok && again.error.reason, "unknownRole");
    const none = await open(2n, Role.UNSPECIFIED);
    assert.equal(!none.ok && none.error.reason, "unknownRole");
    assert.ok((await open(2n, Role.NODE_RESOLVES)).ok);
    const view = await bench.host.channel(WHO, CHANNEL);
    assert.equal(view.ok && view.value.role, Role.NODE_RESOLVES);
  });

  it("hands the node that resolves by itself the event, and acks it by its Done", async () => {
    await openedAs(Role.NODE_RESOLVES);
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    await bench.a.event(CLAIM);
    const items = await subscribed();
    const item = items.items[0]?.item;
    assert.ok(item?.$case === "monitorEvent");
    const payload = decodeEventPayload(item.value.payload);
    assert.deepEqual(payload.ok && payload.value.body, CLAIM);
    assert.equal(item.value.eventId, 1n);
    assert.deepEqual([items.items.length, bench.a.acked.length], [1, 0]);
    await done(items, 0);
    assert.equal(bench.a.acked.length, 1);
  });

  it("says how many events wait for their ack, and since when the oldest does", async () => {
    await openedAs(Role.NODE_RESOLVES);
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    const waiting = async () => {
      const { pendingEvents, oldestPendingEventAtMs } = await bench.host.info();
      return [pendingEvents, oldestPendingEventAtMs];
    };
    assert.deepEqual(await waiting(), [0, undefined]);
    await bench.a.event(CLAIM);
    await bench.a.event(confirmed(false));
    assert.deepEqual(await waiting(), [2, 1_000]);
    await done(await subscribed(), 0);
    assert.deepEqual(await waiting(), [2, 1_000], "the ack is not confirmed yet");
    const acks = bench.a.host.pendingAcks(bench.a);
    const told = acks.map((ack) => ({ ack, result: "acked" as const }));
    await bench.a.host.acked(bench.a, told);
    assert.deepEqual(await waiting(), [1, 2_000]);
  });

  it("acks an event at once for a node with monitors of its own", async () => {
    await openedAs(Role.OBSERVE);
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    await bench.a.event(CLAIM);
    assert.equal(bench.a.acked.length, 1);
    assert.equal((await subscribed()).items[0]?.item?.$case, "monitorEvent");
  });

  it("completes for a node that resolves after the events before were handed over, without Done", async () => {
    const stream = await openedAs(Role.NODE_RESOLVES);
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    await bench.a.event(CLAIM);
    await durable(1, 1);
    assert.deepEqual(stream.told, ["completed 0", "accepted 1"]);
    const items = await subscribed();
    assert.deepEqual(stream.told, ["completed 0", "accepted 1", "completed 1"]);
    assert.equal(stream.itemWatermark, must(items.items[0], "the event").itemId);
    await bench.update(2, [receive(1)]);
    await durable(2, 1);
    assert.deepEqual(stream.told.slice(3), ["accepted 2", "completed 2"]);
  });

  it("completes for one that handled the event before it came back", async () => {
    await openedAs(Role.NODE_RESOLVES);
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    await bench.a.event(CLAIM);
    const { items, open: subscription } = bench.subscribe();
    await settle();
    subscription.close();
    const { stream } = bench.updates();
    await durable(1, 1);
    assert.deepEqual(stream.told, [], "handed over to a subscription that is gone");
    await done(items, 0);
    assert.deepEqual(stream.told, ["completed 1"]);
  });

  it("completes for the other roles without looking at events, as long as nothing is closed", async () => {
    const stream = await openedAs(Role.OBSERVE);
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    await bench.a.event(CLAIM);
    await durable(1, 1);
    assert.deepEqual(stream.told, ["completed 0", "accepted 1", "completed 1"]);
  });

  for (const role of [Role.NODE_RESOLVES, Role.OBSERVE]) {
    it(`tells that the channel is closed after the event that says so, in role ${Role[role]}`, async () => {
      const stream = await openedAs(role);
      await bench.update(1, [receive(1)]);
      await bench.a.event(confirmed(false));
      await durable(1, 1, true);
      assert.deepEqual(stream.told, ["completed 0", "accepted 1"]);
      const items = await subscribed();
      assert.deepEqual(
        items.items.map(({ item }) => item?.$case),
        ["monitorEvent"],
        "no ChannelClosed",
      );
      assert.equal(stream.told[2], "completed 1 closed");
      await done(items, 0);
      assert.equal(stream.told.length, 3, "told once on this stream");
      assert.deepEqual(bench.updates().stream.told, ["completed 1 closed"], "and on each new one");
    });
  }
});
