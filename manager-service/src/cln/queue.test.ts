/** The plugin's queue: what is in it survives, is numbered once, and leaves it when it is durable. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { channelId } from "@farwatch/protocol/ids";
import { MAX_TOLD, PenaltyQueue } from "./queue.js";

const ONE = channelId("01".repeat(32));
const TWO = channelId("02".repeat(32));

describe("the queue of penalty transactions", () => {
  let folder: string;
  let queue: PenaltyQueue;
  const file = (): string => path.join(folder, "deep", "penalties.db");
  const reopen = (): void => {
    queue.close();
    queue = PenaltyQueue.open(file());
  };
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "farwatch-queue-"));
    queue = PenaltyQueue.open(file());
  });
  afterEach(() => {
    queue.close();
    fs.rmSync(folder, { recursive: true });
  });
  const add = (id = ONE, byte = 1, nowMs = 5): number =>
    queue.add(
      { channelId: id, subject: `commitment ${byte}`, payload: Uint8Array.of(byte) },
      nowMs,
    );
  const numbers = (id = ONE): readonly (bigint | undefined)[] =>
    queue.rows(id, 0, 100).map(({ updateId }) => updateId);

  it("keeps what was added, for its owner only, in its order, and each once", () => {
    const rows = [add(ONE, 1), add(TWO, 1), add(ONE, 2)];
    assert.equal(add(ONE, 1), rows[0], "the same again");
    assert.equal(fs.statSync(file()).mode & 0o077, 0);
    reopen();
    assert.deepEqual(queue.channels(), [ONE, TWO]);
    const payloads = queue.rows(ONE, 0, 100).map(({ payload }) => payload[0]);
    assert.deepEqual(payloads, [1, 2]);
    assert.deepEqual(
      queue.rows(ONE, rows[0] ?? 0, 1).map(({ rowId }) => rowId),
      [rows[2]],
    );
    assert.deepEqual(queue.state(0).queued, 3);
    assert.equal(queue.state(0).oldestAtMs, 5);
  });

  it("is one process's at a time", () => {
    assert.throws(() => PenaltyQueue.open(file()), /locked/);
  });

  it("remembers numbers, and forgets what is durable", () => {
    const rows = [add(ONE, 1), add(ONE, 2), add(ONE, 3)];
    queue.number(rows.map((row, index) => [row, BigInt(index + 1)] as const));
    add(TWO, 1);
    assert.equal(queue.lastNumbered(ONE, 2n), rows[1]);
    assert.equal(queue.lastNumbered(ONE, 0n), 0);
    assert.deepEqual(queue.durable(ONE, 2n), rows.slice(0, 2));
    assert.deepEqual(queue.durable(ONE, 1n), [], "an older one again");
    reopen();
    assert.deepEqual(numbers(), [3n]);
    assert.deepEqual(numbers(TWO), [undefined]);
    assert.equal(queue.durableId(ONE), 2n);
    assert.equal(queue.durableId(TWO), 0n);
    const after = add(ONE, 9);
    assert.ok(after > (rows[2] ?? 0), "row ids are never used again");
  });

  it("gives epochs that rise, also when the clock does not and when the queue was lost", () => {
    assert.deepEqual(
      [queue.nextEpoch(100), queue.nextEpoch(50), queue.nextEpoch(900)],
      [100n, 101n, 900n],
    );
    reopen();
    assert.equal(queue.nextEpoch(1), 901n);
  });

  it("tells each item once and keeps the newest", () => {
    assert.equal(queue.tell(7n, "seven", 1), true);
    assert.equal(queue.tell(7n, "seven", 1), false);
    for (let i = 0; i <= MAX_TOLD; i++) queue.tell(BigInt(10 + i), `item ${i}`, i);
    const { told } = queue.state(MAX_TOLD + 10);
    assert.equal(told.length, MAX_TOLD);
    assert.equal(told[0]?.text, `item ${MAX_TOLD}`);
    assert.equal(told.at(-1)?.text, "item 1");
  });
});
