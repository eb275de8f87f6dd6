/** The shell: nothing leaves before its commit, and a restart does again what was outstanding. */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { fromHex } from "@farwatch/protocol/bytes";
import { hash32, updateId } from "@farwatch/protocol/ids";
import {
  byte,
  CHANNEL,
  claimed,
  confirmed,
  hashOf,
  NODE,
  ownSource,
  PAYMENT,
  receive,
  sign,
} from "../manager/testing/scene.js";
import { StoreFailure } from "../store/store.js";
import { Bench, settle, SlowStore, WHO } from "./testing/bench.js";

const handled = (itemId: bigint) => [{ itemId, answer: { kind: "handled" } as const }];
const SENT = `payment-sent/${PAYMENT}`;

describe("the manager's shell", () => {
  const bench = new Bench();
  let again = new Bench();
  before(() => bench.start());
  after(() => bench.remove());
  beforeEach(() => {
    again = new Bench();
  });
  afterEach(() => again.remove());

  const restarted = async (): Promise<Bench> => {
    await again.start();
    await again.opened();
    return again;
  };

  it("watches, accepts, sends and completes, in that order", async () => {
    const watched = await bench.watch();
    assert.equal(watched.ok && watched.value.acceptedId, 0n);
    assert.equal(watched.ok && watched.value.completed, false);
    const { stream } = bench.updates();
    await bench.a.receipt(0);
    await bench.b.receipt(0);
    await Promise.all([bench.update(1, [receive(1)]), bench.update(2, [sign(1, [])])]);
    for (const link of [bench.a, bench.b]) {
      assert.deepEqual(
        link.sent.map((update) => update.updateId),
        [1n, 2n],
      );
    }
    await bench.a.receipt(2);
    await bench.b.receipt(2);
    assert.deepEqual(stream.told, ["completed 0", "accepted 1", "accepted 2", "completed 2"]);
    const found = await bench.watch();
    assert.equal(found.ok && found.value.completed, true);
  });

  it("answers an old update from what is stored, and refuses other bytes", async () => {
    const { stream } = bench.updates();
    await bench.update(1, [receive(1)]);
    await bench.update(4, [receive(1)]);
    await bench.update(2, [receive(1)]);
    assert.deepEqual(stream.told, [
      "completed 2",
      "accepted 1",
      "completed 2",
      "refused updateGap",
      "refused updateConflict",
    ]);
    const view = await bench.host.channel(WHO, CHANNEL);
    assert.equal(view.ok && view.value.frozen, true);
  });

  it("sends and tells nothing before the commit", async () => {
    const store = new SlowStore();
    await again.start(store.wrap);
    await again.opened();
    const { stream } = again.updates();
    store.hold();
    const done = again.update(1, [receive(1)]);
    await settle();
    assert.deepEqual([again.a.sent.length, stream.told], [0, ["completed 0"]]);
    store.release();
    await done;
    assert.deepEqual([again.a.sent.length, stream.told], [1, ["completed 0", "accepted 1"]]);
    await again.stop();
  });

  it("shows a reconnecting monitor no ack before its commit", async () => {
    const store = new SlowStore();
    await again.start(store.wrap);
    await again.opened();
    await again.update(1, [sign(1, [{ part: 1 }])]);
    await again.a.event(claimed({ part: 1 }));
    const { items } = again.subscribe();
    await settle();
    store.hold();
    const done = again.host.done(WHO, handled(items.items[0]?.itemId ?? 0n));
    await settle();
    assert.equal(again.a.host.pendingAcks(again.a).length, 0, "the item is not handled on disk");
    store.release();
    await done;
    const [ack] = again.a.host.pendingAcks(again.a);
    assert.deepEqual(again.a.acked, [ack]);
    await again.stop();
  });

  it("answers no question from rows that are not on disk yet", async () => {
    const store = new SlowStore();
    await again.start(store.wrap);
    await again.opened();
    await again.update(1, [sign(1, [{ part: 1 }])]);
    const { host } = again;
    store.hold();
    const going = [again.a.event(claimed({ part: 1 })), again.a.receipt(1), again.b.receipt(1)];
    await settle();
    const asked = {
      channel: host.channel(WHO, CHANNEL),
      channels: host.channels(WHO, undefined, 10),
      payments: host.payments(WHO, undefined, 10),
      pendingEvents: host.pendingEvents(WHO),
      monitors: host.monitors(),
      info: host.info(),
      watch: again.watch(),
    };
    const answered: string[] = [];
    const noted = Object.entries(asked).map(([name, answer]) =>
      Promise.resolve(answer).then(() => answered.push(name)),
    );
    await settle();
    assert.deepEqual(answered, []);
    store.release();
    await Promise.all([...going, ...noted]);
    const { unhandledItems } = await asked.info;
    assert.deepEqual([(await asked.payments).length, unhandledItems], [1, 1]);
    const view = await asked.channel;
    assert.equal(view.ok && view.value.durableId, 1n);
    await again.stop();
  });

  it("stops for good when the store fails, and answers nothing", async () => {
    let broken = false;
    await again.start((store) => ({
      load: () => store.load(),
      range: (...call) => store.range(...call),
      close: () => store.close(),
      transact: (changes) =>
        broken ? Promise.reject(new StoreFailure("disk")) : store.transact(changes),
    }));
    await again.opened();
    const { stream } = again.updates();
    broken = true;
    await assert.rejects(again.update(1, [receive(1)]), StoreFailure);
    assert.equal(again.fatal.length, 1);
    assert.deepEqual([again.a.sent.length, stream.told], [0, ["completed 0"]]);
    await again.stop();
  });

  it("raises its epoch and knows every stored update after a restart", async () => {
    await restarted();
    const first = again.running.epoch;
    await again.update(1, [receive(1)]);
    const [sent] = again.a.sent;
    await again.stop();
    await again.start();
    assert.equal(again.running.epoch, first + 1n);
    assert.deepEqual(await again.a.host.updates(CHANNEL, updateId(1), 9), [sent]);
    assert.equal(await again.a.host.hashAt(CHANNEL, updateId(1)), sent?.updateHash);
    assert.equal(again.a.host.channels().length, 1);
    assert.deepEqual(again.updates().stream.told, ["completed 0"]);
    await again.stop();
  });

  it("redelivers an un-handled item under its id, and keeps the ack until it is confirmed", async () => {
    await restarted();
    await again.host.registerPayment(WHO, {
      paymentId: PAYMENT,
      paymentHash: hashOf({ part: 1 }),
      totalMsat: msat(1000),
      isProbe: false,
    });
    await again.update(1, [sign(1, [{ part: 1 }])]);
    await again.a.event(claimed({ part: 1 }));
    await again.stop();
    await again.start();
    const { items } = again.subscribe();
    await settle();
    assert.deepEqual([items.keys, items.replayed], [[SENT], 1]);
    const itemId = items.items[0]?.itemId ?? 0n;
    assert.match(
      (await again.host.pendingEvents(WHO))[0]?.whyNotAcked ?? "",
      /not handled payment-sent/,
    );
    const unknown = await again.host.done(WHO, [...handled(itemId), ...handled(99n)]);
    assert.deepEqual(unknown.ok && unknown.value, [99n]);
    assert.equal(again.a.acked.length, 1);
    await again.stop();
    await again.start();
    const acks = again.a.host.pendingAcks(again.a);
    assert.equal(acks.length, 1, "the intent survived");
    await again.a.host.acked(
      again.a,
      acks.map((ack) => ({ ack, result: "alreadyAcked" as const })),
    );
    assert.equal((await again.host.pendingEvents(WHO)).length, 0);
    assert.equal((await again.host.info()).pendingAcks, 0);
    await again.stop();
  });

  it("takes an answer to an ack for the event it names, not for one that got the same id later", async () => {
    await restarted();
    await again.a.event(confirmed(true));
    const [ack] = again.a.acked;
    const other = hash32(byte(0x99));
    const stale = ack === undefined ? assert.fail("an ack") : { ...ack, eventHash: other };
    await again.a.host.acked(again.a, [{ ack: stale, result: "unknown" }]);
    assert.deepEqual(again.a.host.pendingAcks(again.a), [ack]);
    await again.a.host.acked(again.a, [{ ack: { ...stale, ...ack }, result: "unknown" }]);
    assert.deepEqual(again.a.host.pendingAcks(again.a), []);
    await again.stop();
  });

  it("tells a closed completion only after ChannelClosed was handed over", async () => {
    await restarted();
    const { stream } = again.updates();
    await again.update(1, [receive(1)]);
    await again.a.event(confirmed(false));
    await again.a.receipt(1, { watermark: 1, closed: true });
    await again.b.receipt(1);
    assert.deepEqual(stream.told, ["completed 0", "accepted 1"]);
    const { items } = again.subscribe();
    await settle();
    assert.deepEqual(items.keys, [`channel-closed/${CHANNEL}`, `close-channel/${CHANNEL}`]);
    assert.deepEqual(stream.told, ["completed 0", "accepted 1", "completed 1 closed"]);
    await again.stop();
  });

  it("ends the streams of a session that a newer node epoch replaced", async () => {
    await restarted();
    const open = (nodeEpoch: bigint) =>
      again.host.openSession(WHO, {
        nodeKey: Buffer.from(fromHex(NODE)),
        nodeEpoch,
        role: Role.MANAGER_RESOLVES,
        ldkVersion: undefined,
        channels: [],
      });
    const [first, overtaken] = await Promise.all([open(1n), open(1n)]);
    assert.deepEqual(overtaken, first, "the same epoch gets the same session");
    assert.equal(first.ok && first.value.channels.length, 1, "channels it did not name");
    const { stream } = again.updates();
    const { items } = again.subscribe();
    const older = await open(0n);
    assert.equal(!older.ok && older.error.reason, "fenced");
    assert.deepEqual([stream.ended, items.ended], [undefined, undefined]);
    const [second, third] = await Promise.all([open(2n), open(3n)]);
    const ids = [second, third].map(
      (opened) => opened.ok && opened.value.sessionId.toString("hex"),
    );
    assert.notEqual(ids[0], ids[1], "an overtaken session is not given the newer one's id");
    assert.equal(stream.ended?.reason, "fenced");
    assert.equal(items.ended?.reason, "fenced");
    const id = Buffer.from(first.ok ? first.value.sessionId : []).toString("hex");
    assert.equal(again.host.checkSession(WHO, id)?.reason, "fenced");
    await again.stop();
  });

  it("refuses HtlcNotSent for a committed HTLC and shows payments with their parts", async () => {
    await restarted();
    await again.update(1, [sign(1, [{ part: 1 }])]);
    const request = { channelId: CHANNEL, source: ownSource({ part: 1 }) };
    const refused = await again.host.htlcNotSent(WHO, {
      ...request,
      paymentHash: hashOf({ part: 1 }),
    });
    assert.equal(!refused.ok && refused.error.reason, "htlcCommitted");
    const [payment] = await again.host.payments(WHO, undefined, 10);
    assert.equal(payment?.parts.length, 1);
    const [first] = await again.host.monitors();
    assert.deepEqual([first?.name, first?.lagUpdates, first?.tipHeight], ["a", 1n, 7]);
    await again.stop();
  });
});
