/** The link against a scripted monitor over real gRPC and mutual TLS: sending, resync, events, acks. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { bumpItemToWire } from "@farwatch/protocol/convert/bump";
import { eventId, storeId } from "@farwatch/protocol/ids";
import { refuse } from "@farwatch/protocol/reasons";
import { claimOf, over, wanted } from "../runtime/testing/bump-items.js";
import { bytesOf, MONITOR_KEY, STORE_ID, TIP, testChannel, testEvent } from "./testing/fixtures.js";
import { EPOCH, LinkBench } from "./testing/link-bench.js";
import { pause, until } from "./testing/memory-host.js";

describe("grpc link", function () {
  this.timeout(20_000);
  let bench: LinkBench;
  beforeEach(async () => {
    bench = new LinkBench();
    await bench.start();
  });
  afterEach(() => bench.stop());

  it("opens our epoch, sends the first state, then every stored update, and tells receipts", async () => {
    const channel = testChannel(1, 5);
    const { host, link } = await bench.run(channel);
    await until("last receipt", () => host.receiptIds().includes(5));
    assert.deepEqual(bench.monitor.epochs, [EPOCH]);
    assert.deepEqual(host.told.connected, [STORE_ID]);
    assert.deepEqual(host.receiptIds(), [0, 1, 2, 3, 4, 5]);
    assert.equal(host.told.receipts[0]?.updateHash, channel.genesis);
    assert.equal(host.told.receipts[5]?.updateHash, channel.updates[4]?.updateHash);
    assert.deepEqual(host.told.alarms, []);
    const { connected, storeId, tipHeight } = link.status();
    assert.deepEqual(
      { connected, storeId, tipHeight },
      {
        connected: true,
        storeId: STORE_ID,
        tipHeight: TIP.height,
      },
    );
  });

  it("sends a new channel and new updates while connected", async () => {
    const { host, link } = await bench.run();
    await until("connected", () => host.told.replays === 1);
    const channel = testChannel(2, 3);
    host.accept({ ...channel, updates: [] });
    link.watch(channel.watch);
    await until("watch receipt", () => host.receiptIds().length === 1);
    for (const update of channel.updates) {
      host.accept({ ...channel, updates: channel.updates.slice(0, Number(update.updateId)) });
      link.send([update]);
    }
    await until("receipts", () => host.receiptIds().length === 4);
    assert.deepEqual(host.receiptIds(), [0, 1, 2, 3]);
    assert.equal(bench.monitor.watches.length, 1);
  });

  it("pays one signature for many updates that wait together", async () => {
    const channel = testChannel(3, 200);
    const { host, link } = await bench.run({ ...channel, updates: [] });
    await until("watched", () => host.told.replays === 1 && host.receiptIds().length === 1);
    host.accept(channel);
    for (const update of channel.updates) link.send([update]);
    await until("all receipts", () => host.receiptIds().includes(200));
    assert.equal(bench.monitor.batches.length, 1);
    assert.equal(bench.monitor.batchIds()[0]?.length, 200);
  });

  it("keeps within the monitor's limits, and sends on as receipts come", async () => {
    const { monitor } = bench;
    const none = { maxUpdateBytes: 0, maxChannels: 0, maxHtlcsPerCommitment: 0 };
    const rest = { ...none, maxAckBatch: 0, maxPreimageBatch: 0 };
    monitor.script.limits = { ...rest, maxBatchUpdates: 4, maxUpdatesInFlight: 6 };
    monitor.script.answerUpdates = false;
    const channel = testChannel(4, 30);
    const { host } = await bench.run(channel);
    await until("first batches", () => monitor.batches.length === 2);
    await pause(50);
    assert.deepEqual(monitor.batchIds(), [
      [1, 2, 3, 4],
      [5, 6],
    ]);
    monitor.script.answerUpdates = true;
    monitor.endStreams();
    await until("all receipts", () => host.receiptIds().includes(30));
    assert.ok(monitor.batchIds().every((ids) => ids.length <= 4));
  });

  it("sends the same bytes again after a reconnect, the newest known one too", async () => {
    const { monitor } = bench;
    const channel = testChannel(5, 4);
    const { host, link } = await bench.run({ ...channel, updates: channel.updates.slice(0, 2) });
    await until("receipts", () => host.receiptIds().includes(2));
    const before = monitor.batches.flatMap(({ updates }) => updates);
    host.accept(channel);
    monitor.endStreams();
    link.send(channel.updates.slice(2)); // lost or not: the store has them
    await until("reconnected", () => host.told.connected.length === 2);
    await until("receipts after it", () => host.receiptIds().filter((id) => id === 4).length > 0);
    assert.equal(host.told.disconnected.length, 1);
    const after = monitor.batches.flatMap(({ updates }) => updates).slice(before.length);
    const again = after.find(({ header }) => header.equals(must(before[1], "update 2").header));
    assert.deepEqual(must(again, "update 2 again").payload, before[1]?.payload);
    assert.ok(host.receiptIds().filter((id) => id === 2).length >= 2, "its receipt came again");
    assert.deepEqual(host.told.alarms, []);
  });

  it("asks for the first state's receipt again while there is no update", async () => {
    const { host } = await bench.run(testChannel(6, 0));
    await until("watch receipt", () => host.receiptIds().length === 1);
    bench.monitor.endStreams();
    await until("again", () => host.receiptIds().length === 2);
    assert.deepEqual(host.receiptIds(), [0, 0]);
    const [first, second] = bench.monitor.watches;
    assert.deepEqual(second?.header, first?.header);
    assert.deepEqual(second?.payload, first?.payload);
  });

  it("hands on events one at a time, in order, then the end of the replay", async () => {
    const channel = testChannel(7, 0);
    bench.monitor.events = [1, 2, 3, 4].map((number) => testEvent(channel, number));
    const { host } = await bench.run();
    host.eventDelayMs = 20;
    await until("end of replay", () => host.told.replays === 1);
    assert.deepEqual(
      host.told.events.map((event) => Number(event.eventId)),
      [1, 2, 3, 4],
    );
    assert.equal(host.mostEventsUnderWay, 1);
    assert.equal(host.told.events[0]?.body.kind, "discardFunding");
  });

  it("sends acks in one call, and pending ones again after a reconnect", async () => {
    const { monitor } = bench;
    const channel = testChannel(8, 0);
    const acks = [1, 2, 3].map((number) => {
      const { channelId, eventHash } = testEvent(channel, number);
      return { channelId, storeId: STORE_ID, eventId: eventId(number), eventHash };
    });
    const { host, link } = await bench.run();
    await until("connected", () => host.told.replays === 1);
    for (const ack of acks) link.ack([ack]);
    await until("acked", () => host.told.acked.length === 3);
    assert.equal(monitor.ackCalls.length, 1);
    assert.deepEqual(
      host.told.acked.map(({ result }) => result),
      ["acked", "acked", "acked"],
    );
    const pending = must(acks[0], "ack");
    const elsewhere = { ...pending, storeId: storeId("5b".repeat(16)) };
    host.pending = [elsewhere, pending];
    monitor.endStreams();
    await until("acked again", () => host.told.acked.length === 4);
    assert.deepEqual(host.told.acked[3], { ack: pending, result: "acked" });
    assert.equal(monitor.ackCalls[1]?.acks.length, 1, "another store's ack is not sent here");
  });

  it("shows a channel as the monitor sees it, and broadcasts on request", async () => {
    const channel = testChannel(9, 2);
    const { host, link } = await bench.run(channel);
    const id = channel.watch.channelId;
    assert.equal(link.monitorKey, MONITOR_KEY);
    await until("receipts", () => host.receiptIds().includes(2));
    const view = must(await link.channel(id), "view");
    assert.equal(view.latestUpdateId, 2n);
    assert.equal(view.latestUpdateHash, channel.updates[1]?.updateHash);
    const refused = await link.broadcastHolder(id, "test", false);
    assert.equal(refused.ok ? "" : refused.error.reason, "staleSuspected");
    const done = await link.broadcastHolder(id, "test", true);
    assert.equal(done.ok ? done.value : "", `${"00".repeat(31)}01`);
    assert.deepEqual(
      bench.monitor.broadcasts.map(({ epoch }) => epoch),
      [EPOCH, EPOCH],
    );
    await link.stop();
    assert.equal(await link.channel(id), undefined);
    const late = await link.broadcastHolder(id, "test", true);
    assert.equal(late.ok ? "" : late.error.reason, "starting");
  });

  it("hands on what is open before the end of each replay, and what is new after it", async () => {
    const { monitor } = bench;
    monitor.bumps = [wanted(1, 500), wanted(2, 600)];
    const { host } = await bench.run();
    await until("end of replay", () => host.told.replays === 1);
    monitor.sendBump(bumpItemToWire(over(1)));
    await until("live", () => host.told.bumps.length === 4);
    const ends = "end of replay";
    assert.deepEqual(host.told.bumps, [wanted(1, 500), wanted(2, 600), ends, over(1)]);
    monitor.bumps = [wanted(2, 700)];
    monitor.endStreams();
    await until("the next replay", () => host.told.replays === 2);
    assert.deepEqual(host.told.bumps.slice(4), [wanted(2, 700), ends]);
  });

  it("reports a bump request that it cannot read, and goes on", async () => {
    const { monitor } = bench;
    const { host } = await bench.run();
    await until("end of replay", () => host.told.replays === 1);
    monitor.sendBump({ ...bumpItemToWire(wanted(1, 500)), channelId: Buffer.alloc(31) });
    monitor.sendBump(bumpItemToWire(wanted(2, 600)));
    await until("the readable one", () => host.told.bumps.length === 2);
    assert.deepEqual(host.told.bumps[1], wanted(2, 600));
    assert.deepEqual(
      host.told.alarms.map(({ refusal }) => refusal.reason),
      ["wrongLength"],
    );
    assert.equal(host.told.connected.length, 1);
  });

  it("passes a wallet's answer under our epoch, and the monitor's verdict back", async () => {
    const { monitor } = bench;
    const { host, link } = await bench.run();
    await until("connected", () => host.told.replays === 1);
    const funded = { kind: "transaction", bytes: Uint8Array.of(7, 8) } as const;
    const answer = { channelId: testChannel(10, 0).watch.channelId, claimId: claimOf(1), funded };
    const signed = await link.signBump(answer);
    assert.equal(signed.ok ? signed.value : "", `${"00".repeat(31)}02`);
    const [asked] = monitor.bumpAnswers;
    assert.deepEqual(asked, {
      channelId: bytesOf(answer.channelId),
      claimId: bytesOf(answer.claimId),
      funded: { $case: "transaction", value: Buffer.of(7, 8) },
      epoch: EPOCH,
    });
    monitor.script.refuseBumps = refuse("fundingRefused", "no", { fault: "unsigned" });
    const refused = await link.signBump(answer);
    assert.deepEqual(refused.ok ? "" : refused.error, monitor.script.refuseBumps);
    await link.stop();
    const late = await link.signBump(answer);
    assert.equal(late.ok ? "" : late.error.reason, "monitorUnreachable");
  });
});
