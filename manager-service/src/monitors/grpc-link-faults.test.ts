/** The link against monitors that lie, refuse, fence, or cannot be reached. */
import assert from "node:assert/strict";
import { AckResult } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { must } from "@farwatch/protocol/assert";
import { eventId, updateId } from "@farwatch/protocol/ids";
import { refuse } from "@farwatch/protocol/reasons";
import { BACKOFF_BASE_MS } from "./backoff.js";
import { OTHER_SECRET, STORE_ID, testChannel, testEvent } from "./testing/fixtures.js";
import { LinkBench, strangerTls, testTls } from "./testing/link-bench.js";
import { MemoryHost, pause, until } from "./testing/memory-host.js";

describe("grpc link and bad monitors", function () {
  this.timeout(20_000);
  let bench: LinkBench;
  beforeEach(async () => {
    bench = new LinkBench();
    await bench.start();
  });
  afterEach(() => bench.stop());

  const reasons = (host: MemoryHost): readonly string[] =>
    host.told.alarms.map(({ refusal }) => refusal.reason);

  it("believes no receipt under another key", async () => {
    bench.monitor.script.secret = OTHER_SECRET;
    const { host } = await bench.run(testChannel(1, 3));
    await until("disconnected", () => host.told.disconnected.length > 0);
    assert.deepEqual(host.told.receipts, []);
    assert.equal(reasons(host)[0], "signatureInvalid");
    assert.match(host.told.disconnected[0] ?? "", /not believed/);
  });

  it("believes no event under another key, and goes on with the next", async () => {
    const channel = testChannel(2, 0);
    bench.monitor.events = [testEvent(channel, 1, OTHER_SECRET), testEvent(channel, 2)];
    const { host } = await bench.run();
    await until("replayed", () => host.told.replays === 1);
    assert.deepEqual(
      host.told.events.map((event) => event.eventId),
      [2n],
    );
    assert.deepEqual(reasons(host), ["signatureInvalid"]);
  });

  it("sends nothing to a monitor with another key than the pinned one", async () => {
    bench.monitor.script.infoSecret = OTHER_SECRET;
    const { host, link } = await bench.run(testChannel(3, 1));
    await until("alarm", () => host.told.alarms.length > 0);
    await until("second attempt", () => bench.monitor.infoCalls.length >= 2);
    assert.deepEqual(reasons(host), ["otherStore"], "told once");
    assert.deepEqual(bench.monitor.epochs, []);
    assert.deepEqual(bench.monitor.watches, []);
    assert.equal(link.status().connected, false);
    assert.match(link.status().lastError ?? "", /another key/);
  });

  it("stops for good when it is fenced at OpenSession", async () => {
    const current = { current_epoch: "7" };
    bench.monitor.script.refuseSession = refuse("fenced", "epoch 4 is over", current);
    const { host, link } = await bench.run(testChannel(4, 1));
    await until("alarm", () => host.told.alarms.length > 0);
    await pause(3 * BACKOFF_BASE_MS);
    assert.deepEqual(reasons(host), ["fenced"]);
    assert.equal(bench.monitor.infoCalls.length, 1);
    assert.match(link.status().lastError ?? "", /is over/);
    const text = host.told.alarms[0]?.refusal.message ?? "";
    assert.match(text, /serves epoch 7 .* ours is 4; .* database is an older copy/);
  });

  it("stops for good when it is fenced in the middle of its work", async () => {
    const channel = testChannel(5, 2);
    bench.monitor.script.refuseUpdate = (id) =>
      id === 2n ? refuse("fenced", "epoch 4 is over") : undefined;
    const { host } = await bench.run(channel);
    await until("alarm", () => host.told.alarms.length > 0);
    await pause(3 * BACKOFF_BASE_MS);
    assert.deepEqual(reasons(host), ["fenced"]);
    assert.deepEqual(host.receiptIds(), [0, 1]);
    assert.equal(bench.monitor.infoCalls.length, 1);
    assert.equal(host.told.disconnected.length, 1);
  });

  it("alarms and sends nothing on a channel where the monitor is ahead", async () => {
    const ahead = testChannel(6, 5);
    const healthy = testChannel(7, 1);
    const last = must(ahead.updates[4], "update 5");
    bench.monitor.heads.set(ahead.watch.channelId, { id: 5n, hash: last.updateHash });
    const { host } = await bench.run({ ...ahead, updates: ahead.updates.slice(0, 2) }, healthy);
    await until("the other channel", () => host.receiptIds().includes(1));
    assert.deepEqual(host.told.alarms[0]?.channelId, ahead.watch.channelId);
    assert.deepEqual(reasons(host), ["managerBehind"]);
    assert.match(host.told.alarms[0]?.refusal.message ?? "", /by 3 updates/);
    assert.deepEqual(bench.monitor.batchIds(), [[1]]);
  });

  it("goes on with a channel where the monitor is ahead once the manager has caught up", async () => {
    const { monitor } = bench;
    const channel = testChannel(14, 5);
    const last = must(channel.updates[4], "update 5");
    monitor.heads.set(channel.watch.channelId, { id: 5n, hash: last.updateHash });
    const { host, link } = await bench.run({ ...channel, updates: channel.updates.slice(0, 2) });
    await until("judged", () => host.told.replays === 1);
    for (const update of channel.updates.slice(2)) {
      host.accept({ ...channel, updates: channel.updates.slice(0, Number(update.updateId)) });
      link.send([update]);
    }
    await until("its receipt", () => host.receiptIds().includes(5));
    assert.deepEqual(reasons(host), ["managerBehind"]);
    assert.deepEqual(monitor.batchIds(), [[5]], "what it has already is not sent");
    const more = must(testChannel(14, 6).updates[5], "update 6");
    host.accept(testChannel(14, 6));
    link.send([more]);
    await until("the next", () => host.receiptIds().includes(6));
  });

  it("sends a monitor whose store is an older copy what it lost, and says by how much", async () => {
    const { monitor } = bench;
    const channel = testChannel(15, 4);
    const { host } = await bench.run(channel);
    await until("receipts", () => host.receiptIds().includes(4));
    host.confirmed = updateId(4);
    const second = must(channel.updates[1], "update 2");
    monitor.heads.set(channel.watch.channelId, { id: 2n, hash: second.updateHash });
    monitor.endStreams();
    await until("again", () => host.told.replays === 2 && host.receiptIds().at(-1) === 4);
    assert.equal(host.told.comparisons.at(-1)?.monitorLacksUpdates, 2n);
    assert.deepEqual(reasons(host), []);
  });

  it("passes on where the monitor's events stand, and does not trust what it cannot read", async () => {
    const { monitor } = bench;
    const channel = testChannel(16, 1);
    await bench.run(channel).then(({ host }) => until("one", () => host.receiptIds().includes(1)));
    monitor.script.channel = { nextEventId: 4n, unackedEventIds: [2n], halted: true };
    const { host } = await bench.run(channel);
    await until("compared", () => host.told.comparisons.length === 1);
    assert.equal(host.told.comparisons[0]?.managerLacksEvents, 2n);
    assert.deepEqual(host.told.halted, [true]);
    monitor.script.channel = { nextEventId: 0n };
    const other = await bench.run(channel);
    await until("alarm", () => other.host.told.alarms.length === 1);
    assert.deepEqual(reasons(other.host), ["malformed"]);
  });

  it("alarms and sends nothing on a channel with another history", async () => {
    const ours = testChannel(8, 3);
    const theirs = must(testChannel(8, 3, "b").updates[1], "update 2");
    bench.monitor.heads.set(ours.watch.channelId, { id: 2n, hash: theirs.updateHash });
    const { host } = await bench.run(ours);
    await until("replayed", () => host.told.replays === 1);
    assert.deepEqual(reasons(host), ["updateConflict"]);
    assert.deepEqual(bench.monitor.batches, []);
  });

  it("refuses the channel for good when a receipt proves another update than ours", async () => {
    const channel = testChannel(17, 3);
    const { script } = bench.monitor;
    const { host, link } = await bench.run({ ...channel, updates: channel.updates.slice(0, 1) });
    await until("one", () => host.receiptIds().includes(1));
    script.receiptHash = must(testChannel(17, 2, "b").updates[1], "another").updateHash;
    host.accept(channel);
    link.send(channel.updates.slice(1));
    await until("refused", () => host.told.refused.length > 0);
    assert.deepEqual(
      host.told.refused.map(({ updateId: id, refusal }) => [id, refusal.reason]),
      [
        [2n, "updateConflict"],
        [3n, "updateConflict"],
      ],
    );
    assert.deepEqual(host.receiptIds(), [0, 1]);
    const sent = bench.monitor.batches.length;
    host.accept(testChannel(17, 4));
    link.send(testChannel(17, 4).updates.slice(3));
    await pause(3 * BACKOFF_BASE_MS);
    assert.equal(bench.monitor.batches.length, sent);
  });

  it("tells a final refusal once and sends no more on that channel", async () => {
    bench.monitor.script.refuseUpdate = (id) =>
      id >= 2n ? refuse("preimageMismatch", "no") : undefined;
    const { host, link } = await bench.run(testChannel(9, 4));
    await until("refused", () => host.told.refused.length > 0);
    const sent = bench.monitor.batches.length;
    link.send(testChannel(9, 5).updates.slice(4));
    await pause(3 * BACKOFF_BASE_MS);
    assert.equal(host.told.refused.length, 1);
    assert.equal(host.told.refused[0]?.updateId, 2n);
    assert.equal(host.told.refused[0]?.refusal.reason, "preimageMismatch");
    assert.equal(bench.monitor.batches.length, sent);
  });

  it("sends the same bytes again after a passing refusal, and tells nobody", async () => {
    let refusals = 0;
    bench.monitor.script.refuseUpdate = (id) =>
      id === 2n && refusals++ < 2 ? refuse("storeUnavailable", "later") : undefined;
    const { host } = await bench.run(testChannel(10, 4));
    await until("all receipts", () => host.receiptIds().includes(4));
    assert.deepEqual(host.told.refused, []);
    assert.deepEqual(host.told.disconnected, []);
  });

  it("tries refused acks again", async () => {
    const { script, ackCalls } = bench.monitor;
    script.refuseAcks = refuse("storeUnavailable", "later");
    const { host, link } = await bench.run();
    await until("connected", () => host.told.replays === 1);
    const { channelId, eventHash } = testEvent(testChannel(11, 0), 1);
    link.ack([{ channelId, storeId: STORE_ID, eventId: eventId(1), eventHash }]);
    await until("refused once", () => ackCalls.length === 1);
    script.refuseAcks = undefined;
    await until("acked", () => host.told.acked.length === 1);
  });

  it("does not take a kept event for a gone one, and says so", async () => {
    const { script, ackCalls } = bench.monitor;
    script.ackResult = AckResult.KEPT;
    const { host, link } = await bench.run();
    await until("connected", () => host.told.replays === 1);
    const { channelId, eventHash } = testEvent(testChannel(11, 0), 1);
    const ack = { channelId, storeId: STORE_ID, eventId: eventId(1), eventHash };
    link.ack([ack]);
    await until("told", () => host.told.alarms.length === 1);
    assert.equal(host.told.alarms[0]?.refusal.reason, "storedStateUnreadable");
    assert.deepEqual(host.told.acked, []);
    script.ackResult = AckResult.ACKED;
    link.ack([ack]);
    await until("acked later", () => host.told.acked.length === 1);
    assert.equal(ackCalls.length, 2);
  });

  it("waits for a monitor that is not there yet", async () => {
    const { port } = bench.monitor;
    bench.monitor.stop();
    const { host, link } = await bench.run(testChannel(12, 1));
    await until("an error", () => link.status().lastError !== undefined);
    assert.match(link.status().lastError ?? "", /nothing listens/);
    const later = new LinkBench();
    await later.monitor.start(await testTls(), port);
    await until("receipts", () => host.receiptIds().includes(1));
    await link.stop();
    await later.stop();
  });

  it("says which side's certificate is refused", async () => {
    const stranger = await strangerTls();
    const own = await testTls();
    const refusedByThem = await bench.link({ ...own, cert: stranger.cert, key: stranger.key });
    const refusedByUs = await bench.link({ ...own, ca: stranger.ca });
    for (const link of [refusedByThem, refusedByUs]) {
      link.start(new MemoryHost());
      await until("an error", () => link.status().lastError !== undefined);
    }
    assert.match(refusedByThem.status().lastError ?? "", /refused (our )?client certificate/);
    assert.match(refusedByUs.status().lastError ?? "", /not valid under the configured CA/);
    assert.deepEqual(bench.monitor.infoCalls, []);
  });

  it("stops while it waits to try again", async () => {
    const link = await bench.link(undefined, "localhost:1");
    link.start(new MemoryHost());
    await until("an error", () => link.status().lastError !== undefined);
    const since = Date.now();
    await link.stop();
    assert.ok(Date.now() - since < 1000);
  });
});
