/** RemoteWatch and a manager-service that goes away, refuses, or says what cannot be read. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { RemoteWatchError } from "@farwatch/manager-service/ldk";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { refuse } from "@farwatch/protocol/reasons";
import { ldk, loadLdk } from "../../fixture-recorder/ldk/module.js";
import { mine, settle } from "../../harness/in-process-ldk/settle.js";
import { closeStages, openedChannel, stage } from "../../harness/in-process-ldk/stage.js";

const AMOUNT_MSAT = 5_000_000n;
/** Longer than the first waits between two attempts. */
const AWAY_MS = 600;

describe("RemoteWatch: connection", function () {
  this.timeout(120_000);
  before(() => loadLdk());
  afterEach(closeStages);

  it("goes on where it was when the manager-service is back", async () => {
    const seen: boolean[] = [];
    const onConnection = (isUp: boolean): void => void seen.push(isUp);
    const { manager, a, pair } = await openedChannel({ watch: { onConnection } });
    const { port } = manager;
    manager.stop();
    const hash = pair.pay(a.node, pair.b, AMOUNT_MSAT);
    pair.exchange();
    a.save();
    await sleep(AWAY_MS);
    assert.equal(a.watch.backlog.unaccepted, 1);
    await manager.start(port);
    for (let look = 0; look < 400 && !a.node.has(ldk.Event_PaymentSent, hash); look++) {
      await settle(pair, a);
      await sleep(10);
    }
    assert.ok(a.node.has(ldk.Event_PaymentSent, hash));
    assert.equal(seen.at(0), true);
    assert.equal(seen.at(-1), true);
    assert.ok(seen.includes(false));
    assert.deepEqual(a.alarms, []);
  });

  it("waits for a manager-service that is not there yet", async () => {
    const { manager, a } = await stage();
    const { port } = manager;
    await a.kill();
    manager.stop();
    const started = a.start();
    await sleep(AWAY_MS);
    await manager.start(port);
    await started;
  });

  it("sends again what a passing refusal turned away", async () => {
    const { manager, a, pair } = await openedChannel();
    let refusals = 0;
    manager.refusesUpdate = () => {
      refusals += 1;
      return refusals > 1 ? undefined : refuse("storeUnavailable", "later");
    };
    const hash = pair.pay(a.node, pair.b, AMOUNT_MSAT);
    await settle(pair, a);
    await sleep(AWAY_MS);
    await settle(pair, a);
    assert.ok(a.node.has(ldk.Event_PaymentSent, hash));
    assert.deepEqual(a.alarms, []);
  });

  it("stops a channel that was refused, loudly, and no other", async () => {
    const { manager, a, pair } = await openedChannel();
    const [first] = manager.channels.keys();
    pair.startChannel(a.node, 1_000_000n, 400_000_000n);
    await settle(pair, a);
    await mine(pair, a, 4);
    assert.equal(a.node.manager.list_usable_channels().length, 2);
    manager.refusesUpdate = (id) =>
      id === first ? refuse("updateConflict", "another history") : undefined;
    pair.pay(a.node, pair.b, AMOUNT_MSAT);
    pair.pay(pair.b, a.node, 300_000_000n);
    pair.pay(pair.b, a.node, 300_000_000n);
    await settle(pair, a);
    const refused = manager.received.filter(({ channelId }) => channelId === first).length;
    assert.deepEqual(
      a.alarms.map(({ code, channelId }) => [code, channelId]),
      [["updateConflict", first]],
    );
    // Its Completed comes no more, so LDK holds it; the other one pays on.
    const hash = pair.pay(pair.b, a.node, 1_000_000n);
    await settle(pair, a);
    const later = manager.received.filter(({ channelId }) => channelId === first).length;
    assert.equal(later, refused);
    assert.ok(pair.b.has(ldk.Event_PaymentSent, hash) || pair.b.has(ldk.Event_PaymentSent));
    assert.equal(a.watch.failure, undefined);
  });

  it("says that the first ChannelMonitor was refused", async () => {
    const { manager, a, pair, chain } = await stage();
    manager.refusesWatch = refuse("keysMismatch", "other keys");
    pair.startChannel(a.node, 1_000_000n, 0n);
    await settle(pair, a);
    assert.deepEqual(
      a.alarms.map(({ code }) => code),
      ["keysMismatch"],
    );
    assert.deepEqual(chain.mempool, []);
  });

  it("holds Completed until Subscribe has come as far as its watermark", async () => {
    const { manager, a, pair } = await openedChannel();
    manager.watermark = () => 1n;
    const hash = pair.pay(a.node, pair.b, AMOUNT_MSAT);
    await settle(pair, a);
    const { length } = a.completed;
    assert.equal(pair.b.has(ldk.Event_PaymentClaimable, hash), false);
    const alarm = { code: "test", text: "of a person", channelId: undefined };
    const value = { event: { $case: "alarm", value: alarm } } as const;
    manager.tell({ $case: "userEvent", value });
    await settle(pair, a);
    assert.ok(a.completed.length > length);
    assert.ok(a.node.has(ldk.Event_PaymentSent, hash));
    assert.deepEqual(a.alarms, [alarm]);
    assert.deepEqual(manager.done, [1n]);
  });

  it("fails for good on what it cannot read, and LDK goes on without it", async () => {
    const { manager, a, pair } = await openedChannel();
    const [id] = manager.channels.keys();
    const nothing = Buffer.alloc(0);
    const value = {
      channelId: Buffer.from(fromHex(must(id, "a channel"))),
      eventId: 1n,
      header: nothing,
      eventHash: nothing,
      payload: Buffer.from("not an event"),
      subjectKey: nothing,
      createdAtMs: 0n,
      signature: nothing,
    };
    manager.tell({ $case: "monitorEvent", value });
    await settle(pair, a).catch(() => undefined);
    assert.ok(a.watch.failure instanceof RemoteWatchError);
    assert.deepEqual(
      a.alarms.map(({ code }) => code),
      ["internal"],
    );
    const { length } = a.completed;
    pair.pay(a.node, pair.b, AMOUNT_MSAT);
    pair.exchange();
    assert.throws(() => a.watch.beginSnapshot(), RemoteWatchError);
    assert.equal(a.completed.length, length);
    assert.deepEqual(manager.done, []);
  });

  it("is fenced out by a newer life of the same node", async () => {
    const { manager, a } = await openedChannel();
    manager.refusesSession = refuse("fenced", "a newer node_epoch");
    const { port } = manager;
    manager.stop();
    await manager.start(port);
    for (let look = 0; look < 300 && a.alarms.length === 0; look++) await sleep(10);
    assert.equal(a.alarms[0]?.code, "refused");
    assert.equal(manager.sessions.length, 2);
  });
});
