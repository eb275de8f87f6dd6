/**
 * Preimage records over real gRPC to a scripted monitor: when they leave, what counts as durable, and that
 * nothing the monitor answers makes the link forget one.
 */
import assert from "node:assert/strict";
import { MAX_BATCH_PREIMAGES } from "@farwatch/protocol/envelope/limits";
import {
  hashOfPreimage,
  preimage,
  sourceKey,
  type ChannelId,
  type PaymentHash,
} from "@farwatch/protocol/ids";
import { refuse, type Reason } from "@farwatch/protocol/reasons";
import { BACKOFF_BASE_MS } from "./backoff.js";
import type { StoredPreimage } from "./monitor-link.js";
import { OTHER_SECRET, testChannel } from "./testing/fixtures.js";
import { EPOCH, LinkBench } from "./testing/link-bench.js";
import { MemoryHost, pause, until } from "./testing/memory-host.js";

const channel = testChannel(1, 0);
const other = testChannel(2, 0);
const HERE = channel.watch.channelId;
const THERE = other.watch.channelId;

function record(number: number, channelId: ChannelId = HERE): StoredPreimage {
  const secret = new Uint8Array(32);
  new DataView(secret.buffer).setUint32(0, number);
  const key = number % 2 === 0 ? undefined : sourceKey("05".repeat(32));
  return {
    channelId,
    paymentHash: hashOfPreimage(preimage(secret)),
    preimage: preimage(secret),
    sourceKey: key,
  };
}
const records = (count: number): StoredPreimage[] =>
  Array.from({ length: count }, (_, index) => record(index + 1));
const hashes = (list: readonly { readonly paymentHash: PaymentHash }[]): readonly PaymentHash[] =>
  list.map(({ paymentHash }) => paymentHash);

describe("preimage records to a monitor", function () {
  this.timeout(20_000);
  let bench: LinkBench;
  beforeEach(async () => {
    bench = new LinkBench();
    await bench.start();
  });
  afterEach(() => bench.stop());

  const calls = (): readonly (readonly PaymentHash[])[] =>
    bench.monitor.preimages.calls.map(hashes);
  const reasons = (host: MemoryHost): readonly Reason[] =>
    host.told.preimagesRefused.map(({ refusal }) => refusal.reason);
  const stored = (host: MemoryHost, count: number): Promise<void> =>
    until(`${count} stored`, () => host.told.preimages.length === count);

  /** Connected, with the first channel watched. */
  async function connected() {
    const started = await bench.run(channel);
    await until("connected", () => started.host.told.replays === 1);
    return started;
  }
  async function started(host: MemoryHost): Promise<MemoryHost> {
    (await bench.link()).start(host);
    return host;
  }
  /** A host that holds `count` records of a channel which the monitor knows already. */
  function holding(count: number): MemoryHost {
    bench.monitor.heads.set(HERE, { id: 0n, hash: channel.genesis });
    const host = new MemoryHost(channel);
    host.records = records(count);
    return host;
  }

  it("leave at once, what is learnt together under one signature of our epoch", async () => {
    const { host, link } = await connected();
    const [first, second, third] = records(3);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    link.putPreimages([first]);
    link.putPreimages([second, third]);
    await stored(host, 3);
    assert.deepEqual(calls(), [hashes([first, second, third])]);
    assert.deepEqual(bench.monitor.preimages.epochs, [EPOCH]);
    assert.deepEqual(host.told.preimages, [first, second, third]);
    assert.deepEqual(host.told.alarms, []);
  });

  it("are asked of the host at each connect, until it was told that they are durable", async () => {
    const host = await started(holding(3));
    await stored(host, 3);
    host.records.push(record(4));
    bench.monitor.endStreams();
    await stored(host, 4);
    assert.deepEqual(calls(), [hashes(records(3)), hashes([record(4)])]);
  });

  it("that a restored store lacks go to it again, although it had confirmed them", async () => {
    const host = await started(holding(3));
    await stored(host, 3);
    bench.monitor.preimages.known.delete(record(2).paymentHash);
    bench.monitor.endStreams();
    await stored(host, 4);
    assert.deepEqual(calls(), [hashes(records(3)), hashes([record(2)])]);
    assert.equal(host.told.preimages[3]?.paymentHash, record(2).paymentHash);
  });

  it("of an archived channel, which names none that it knows, do not come again and again", async () => {
    bench.monitor.script.archived = true;
    const host = await started(holding(2));
    await stored(host, 2);
    await until("connected", () => host.told.replays === 1);
    bench.monitor.preimages.known.clear();
    bench.monitor.endStreams();
    await until("connected again", () => host.told.replays === 2);
    await pause(BACKOFF_BASE_MS);
    assert.equal(calls().length, 1);
  });

  it("wait neither for receipts of updates nor for a channel whose history differs", async () => {
    bench.monitor.script.answerUpdates = false;
    const held = testChannel(1, 2);
    bench.monitor.heads.set(HERE, { id: 0n, hash: held.genesis });
    bench.monitor.heads.set(THERE, { id: 5n, hash: other.genesis }); // ahead of us: gets nothing
    const host = new MemoryHost(held, other);
    host.records = [record(1), record(2, THERE)];
    await started(host);
    await stored(host, 2);
    assert.ok(!host.receiptIds().includes(1), "no update has its receipt");
  });

  it("are split by the limit of the monitor, and by our own", async () => {
    bench.monitor.script.limits = {
      maxUpdateBytes: 0,
      maxBatchUpdates: 0,
      maxUpdatesInFlight: 0,
      maxChannels: 0,
      maxHtlcsPerCommitment: 0,
      maxAckBatch: 0,
      maxPreimageBatch: 2,
    };
    const host = await started(holding(5));
    await stored(host, 5);
    assert.deepEqual(
      calls().map(({ length }) => length),
      [2, 2, 1],
    );
    bench.monitor.script.limits = undefined;
    bench.monitor.endStreams();
    host.records = Array.from({ length: MAX_BATCH_PREIMAGES + 1 }, (_, i) => record(100 + i));
    await stored(host, 5 + MAX_BATCH_PREIMAGES + 1);
    assert.deepEqual(
      calls().map(({ length }) => length),
      [2, 2, 1, MAX_BATCH_PREIMAGES, 1],
    );
  });

  it("go one call at a time", async () => {
    const { host, link } = await connected();
    let release = (): void => undefined;
    bench.monitor.preimages.held = new Promise((resolve) => (release = resolve));
    link.putPreimages([record(1)]);
    await until("under way", () => calls().length === 1);
    link.putPreimages([record(2)]);
    link.putPreimages([record(3)]);
    await pause(50);
    assert.equal(calls().length, 1);
    release();
    await stored(host, 3);
    assert.deepEqual(calls(), [hashes([record(1)]), hashes([record(2), record(3)])]);
  });

  it("of a channel that the monitor does not know follow its first state", async () => {
    const host = new MemoryHost(channel);
    host.records = [record(1), record(2, THERE)];
    const link = await bench.link();
    link.start(host);
    await stored(host, 1);
    await until("connected", () => host.told.replays === 1);
    const before = calls().length;
    await pause(3 * BACKOFF_BASE_MS);
    assert.equal(calls().length, before, "not asked again and again");
    assert.ok(!bench.monitor.preimages.known.has(record(2).paymentHash));
    host.accept(other);
    link.watch(other.watch);
    await stored(host, 2);
    assert.deepEqual(calls().at(-1), [record(2).paymentHash]);
    assert.deepEqual([reasons(host), host.told.alarms], [[], []]);
  });

  it("of a channel that is watched while they are under way are sent again", async () => {
    const { host, link } = await connected();
    let release = (): void => undefined;
    bench.monitor.preimages.held = new Promise((resolve) => (release = resolve));
    link.putPreimages([record(1, THERE)]);
    await until("judged", () => calls().length === 1);
    host.accept(other);
    link.watch(other.watch);
    await until("watched", () => host.told.receipts.some(({ channelId }) => channelId === THERE));
    release();
    await stored(host, 1);
    assert.equal(calls().length, 2);
  });

  it("that are refused one by one raise an alarm, hold up no other, and come again", async () => {
    const { preimages } = bench.monitor;
    const bad = record(2).paymentHash;
    preimages.refuseRecord = (hash) =>
      hash === bad ? refuse("channelHalted", "halted") : undefined;
    const host = await started(holding(3));
    await stored(host, 2);
    assert.deepEqual(reasons(host), ["channelHalted"]);
    assert.deepEqual(host.told.preimagesRefused[0]?.record, record(2));
    assert.equal(calls().length, 1);
    preimages.refuseRecord = () => undefined;
    bench.monitor.endStreams();
    await stored(host, 3);
    assert.deepEqual(calls().at(-1), [bad]);
  });

  it("that are refused are not sent again by a second comparison of heads", async () => {
    const { preimages, script } = bench.monitor;
    preimages.refuseRecord = () => refuse("channelHalted", "halted");
    let refusals = 0;
    script.refuseUpdate = () =>
      refusals++ === 0 ? refuse("storeUnavailable", "later") : undefined;
    bench.monitor.heads.set(HERE, { id: 0n, hash: channel.genesis });
    const host = new MemoryHost(testChannel(1, 1));
    host.records = records(1);
    await started(host);
    await until("the update", () => host.receiptIds().includes(1));
    assert.deepEqual([calls().length, reasons(host)], [1, ["channelHalted"]]);
  });

  it("are tried again by themselves when the monitor cannot take them now", async () => {
    const { preimages } = bench.monitor;
    let refusals = 0;
    preimages.refuseRecord = (hash) =>
      hash === record(1).paymentHash && refusals++ < 2
        ? refuse("storeUnavailable", "later")
        : undefined;
    const { host, link } = await connected();
    link.putPreimages([record(1), record(2)]);
    await stored(host, 2);
    assert.deepEqual(hashes(host.told.preimages), hashes([record(2), record(1)]));
    assert.deepEqual([reasons(host), host.told.disconnected], [[], []]);
    preimages.refuseCall = refuse("storeUnavailable", "later");
    link.putPreimages([record(3)]);
    await until("refused", () => calls().length === 4);
    preimages.refuseCall = undefined;
    await stored(host, 3);
  });

  it("of which the whole call is refused for good wait for the next connect", async () => {
    bench.monitor.preimages.refuseCall = refuse("malformed", "no");
    const host = await started(holding(1));
    await until("alarm", () => host.told.alarms.length === 1);
    bench.monitor.preimages.refuseCall = undefined;
    bench.monitor.endStreams();
    await stored(host, 1);
  });

  it("stop with the link when it is fenced", async () => {
    bench.monitor.preimages.refuseCall = refuse("fenced", "epoch 4 is over");
    const host = await started(holding(1));
    await until("alarm", () => host.told.alarms.length === 1);
    assert.equal(host.told.alarms[0]?.refusal.reason, "fenced");
    assert.deepEqual(host.told.preimages, []);
  });

  const lies: readonly (readonly [string, Reason, () => void])[] = [
    [
      "signed by another key",
      "signatureInvalid",
      () => (bench.monitor.preimages.secret = OTHER_SECRET),
    ],
    [
      "without a receipt",
      "wrongLength",
      () =>
        (bench.monitor.preimages.tamper = (answer) => ({
          ...answer,
          receiptHeader: Buffer.alloc(0),
        })),
    ],
    [
      "whose receipt leaves one out",
      "malformed",
      () =>
        (bench.monitor.preimages.tamper = ({ results, ...receipt }) => ({
          ...receipt,
          results: results.map((result) => ({ ...result, error: undefined })),
        })),
    ],
    [
      "with too few results",
      "malformed",
      () =>
        (bench.monitor.preimages.tamper = ({ results, ...receipt }) => ({
          ...receipt,
          results: results.slice(1),
        })),
    ],
  ];
  for (const [what, reason, lie] of lies) {
    it(`are not believed durable by an answer ${what}`, async () => {
      lie();
      bench.monitor.preimages.refuseRecord = (hash) =>
        hash === record(2).paymentHash ? refuse("channelHalted", "halted") : undefined;
      const host = await started(holding(2));
      await until("told", () => host.told.disconnected.length > 0);
      assert.equal(host.told.alarms[0]?.refusal.reason, reason);
      assert.deepEqual([host.told.preimages, host.told.preimagesRefused], [[], []]);
    });
  }
});
