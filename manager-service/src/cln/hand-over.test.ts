/** What waits too long is told, once in a while; what cannot be written is tried again. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { credentials } from "@grpc/grpc-js";
import { channelId } from "@farwatch/protocol/ids";
import { ALARM_AFTER_MS, HandOver } from "./hand-over.js";
import { PenaltyQueue } from "./queue.js";

const UPDATE = {
  channelId: channelId("01".repeat(32)),
  subject: "commitment",
  payload: Uint8Array.of(1),
};

describe("a hand-over without a manager", function () {
  this.timeout(20_000);
  let folder: string;
  let queue: PenaltyQueue;
  let now = 1_700_000_000_000;
  const log: string[] = [];
  let handOver: HandOver;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-hand-over-"));
    queue = PenaltyQueue.open(path.join(folder, "penalties.db"));
    log.length = 0;
    handOver = new HandOver({
      queue,
      manager: "localhost:1",
      credentials: credentials.createInsecure(),
      chainHash: "00".repeat(32),
      nodeKey: () => Promise.reject(new Error("lightningd does not answer")),
      log: (level, text) => void log.push(`${level}: ${text}`),
      nowMs: () => now,
      jitter: () => 0,
    });
  });
  afterEach(() => {
    queue.close();
    fs.rmSync(folder, { recursive: true });
  });

  it("is an alarm after ten minutes, and again after ten more", async () => {
    handOver.alarmIfLate();
    await handOver.queue(UPDATE);
    now += ALARM_AFTER_MS - 1;
    handOver.alarmIfLate();
    assert.deepEqual(log, []);
    now += 1;
    handOver.alarmIfLate();
    handOver.alarmIfLate();
    assert.equal(log.length, 1);
    assert.match(log[0] ?? "", /^broken: farwatch: 1 penalty transactions are on this disk only/);
    now += ALARM_AFTER_MS;
    handOver.alarmIfLate();
    assert.equal(log.length, 2);
  });

  it("says once why it is not connected, and stops at once", async () => {
    handOver.start();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await handOver.stop();
    assert.deepEqual(log, [
      "unusual: farwatch: no connection to the manager-service: lightningd does not answer",
    ]);
    assert.equal(handOver.isConnected, false);
  });

  it("answers no hook before its transaction is on disk: a refused write is told and tried again", async () => {
    const { add } = queue;
    let fails = 1;
    queue.add = (...args) => {
      if (fails-- > 0) throw new Error("disk I/O error");
      return add.apply(queue, args);
    };
    const row = await handOver.queue(UPDATE);
    assert.match(
      log.join(),
      /^broken: farwatch: a penalty transaction cannot be queued: disk I\/O/,
    );
    assert.equal(queue.rows(UPDATE.channelId, 0, 10)[0]?.rowId, row);
    assert.equal(await handOver.whenDurable(row, UPDATE.channelId, 20), false);
    queue.number([[row, 1n]]);
    const durable = handOver.whenDurable(row, UPDATE.channelId, 0);
    handOver.durable(queue.durable(UPDATE.channelId, 1n));
    assert.equal(await durable, true);
    assert.equal(await handOver.whenDurable(row, UPDATE.channelId, 0), true, "it was before");
  });
});
