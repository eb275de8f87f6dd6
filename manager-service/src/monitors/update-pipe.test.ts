/** The pipe's own limits: batches in flight, bytes of a batch, waiting updates, silence, back-pressure. */
import assert from "node:assert/strict";
import { channelId, hash32, updateId } from "@farwatch/protocol/ids";
import { MAX_PAYLOAD_BYTES } from "@farwatch/protocol/envelope/limits";
import type { StoredUpdate } from "./monitor-link.js";
import {
  batchLength,
  MAX_BATCH_BYTES,
  MAX_BATCHES_IN_FLIGHT,
  MAX_WAITING,
  RECEIPT_TIMEOUT_MS,
  UpdatePipe,
} from "./update-pipe.js";

const CHANNEL = channelId("01".repeat(32));
const FRAMING = 64;

const update = (id: number, bytes = 10, channel = CHANNEL): StoredUpdate => ({
  channelId: channel,
  updateId: updateId(id),
  updateHash: hash32("02".repeat(32)),
  header: new Uint8Array(0),
  payload: new Uint8Array(bytes),
});

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));

describe("update pipe", () => {
  let written: number[][];
  let accepts: boolean;
  let timers: { ms: number; run: () => void; cancelled: boolean }[];
  let stuck: number;
  let pipe: UpdatePipe;

  beforeEach(() => {
    written = [];
    accepts = true;
    timers = [];
    stuck = 0;
    pipe = new UpdatePipe({
      limits: {
        maxBatchUpdates: 10,
        maxUpdatesInFlight: 1000,
        maxPreimageBatch: 1,
        maxAckBatch: 1,
      },
      clock: {
        nowMs: () => 0,
        after(ms, run) {
          const timer = { ms, run, cancelled: false };
          timers.push(timer);
          return { cancel: () => void (timer.cancelled = true) };
        },
      },
      write(updates) {
        written.push(updates.map((one) => Number(one.updateId)));
        return accepts;
      },
      stuck: () => void stuck++,
    });
  });
  afterEach(() => pipe.stop());

  const push = (from: number, to: number): void => {
    for (let id = from; id <= to; id++) pipe.push(update(id));
  };

  it("has a bounded number of batches under way; the rest gathers", async () => {
    for (let id = 1; id <= MAX_BATCHES_IN_FLIGHT; id++) {
      push(id, id);
      await turn();
    }
    push(11, 16);
    await turn();
    assert.equal(written.length, MAX_BATCHES_IN_FLIGHT);
    pipe.settle(CHANNEL, updateId(1));
    await turn();
    assert.deepEqual(written.at(-1), [11, 12, 13, 14, 15, 16]);
  });

  it("takes a receipt for every update up to its id", async () => {
    push(1, 40);
    await turn();
    assert.equal(written.length, MAX_BATCHES_IN_FLIGHT);
    push(41, 45);
    pipe.settle(CHANNEL, updateId(40));
    await turn();
    assert.deepEqual(written.at(-1), [41, 42, 43, 44, 45]);
  });

  it("waits for the stream to drain", async () => {
    accepts = false;
    push(1, 12);
    await turn();
    assert.deepEqual(written, [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]);
    accepts = true;
    pipe.drained();
    await turn();
    assert.deepEqual(written[1], [11, 12]);
  });

  it("forgets a dropped channel and frees its place", async () => {
    push(1, 40);
    await turn();
    push(41, 50);
    pipe.drop(CHANNEL);
    const other = channelId("03".repeat(32));
    pipe.push(update(7, 10, other));
    await turn();
    assert.deepEqual(written.slice(MAX_BATCHES_IN_FLIGHT), [[7]]);
  });

  it("is full at its limit, tells when there is room, and when it stops", async () => {
    accepts = false;
    push(1, 10);
    await turn();
    push(11, MAX_WAITING + 9);
    assert.equal(pipe.full, false);
    push(MAX_WAITING + 10, MAX_WAITING + 10);
    assert.equal(pipe.full, true);
    let room = false;
    const waiting = pipe.room().then(() => (room = true));
    await turn();
    assert.equal(room, false);
    accepts = true;
    pipe.drained();
    await waiting;
    push(1, 1000);
    const second = pipe.room();
    pipe.stop();
    await second;
  });

  it("gives the connection up when no receipt comes, and only then", async () => {
    push(1, 2);
    await turn();
    assert.deepEqual(
      timers.map(({ ms }) => ms),
      [RECEIPT_TIMEOUT_MS],
    );
    pipe.settle(CHANNEL, updateId(1));
    assert.deepEqual(
      timers.map(({ cancelled }) => cancelled),
      [true, false],
    );
    timers[1]?.run();
    assert.equal(stuck, 1);
    pipe.settle(CHANNEL, updateId(2));
    assert.ok(timers.every(({ cancelled }) => cancelled));
  });

  it("fills a batch to its limit in bytes, and sends a largest payload alone", () => {
    const half = MAX_BATCH_BYTES / 2 - FRAMING;
    assert.equal(batchLength([update(1, half), update(2, half)], 10), 2);
    assert.equal(batchLength([update(1, half), update(2, half + 1)], 10), 1);
    assert.equal(batchLength([update(1, MAX_PAYLOAD_BYTES), update(2, half)], 10), 1);
    assert.equal(batchLength([update(1), update(2), update(3)], 2), 2);
    assert.ok(MAX_PAYLOAD_BYTES + 214 + FRAMING <= MAX_BATCH_BYTES);
  });
});
