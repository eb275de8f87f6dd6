/** What is open at which monitor: replaced, ended, dropped when a replay leaves it out, bounded. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { channelId, monitorKey } from "@farwatch/protocol/ids";
import { createTables } from "../manager/draft.js";
import { byte, MONITOR_A, MONITOR_B, NODE, Scene } from "../manager/testing/scene.js";
import { BumpBoard, MAX_OPEN_CLAIMS } from "./bump-board.js";
import { inWords, over, wanted } from "./testing/bump-items.js";

const A = { name: "a", monitorKey: MONITOR_A };
const B = { name: "b", monitorKey: MONITOR_B };
const NOW = 1_700;

describe("the bump board", () => {
  let board: BumpBoard;
  let changes: string[];
  beforeEach(() => {
    board = new BumpBoard(Scene.opened().tables, () => NOW);
    changes = [];
    board.onChange = (nodeKey) => changes.push(nodeKey);
  });
  const open = (nodeKey = NODE): readonly string[] =>
    board.keysOf(nodeKey).map((key) => inWords(must(board.get(key), "open").item));

  it("keeps the newest request of each monitor and claim, under who asks", () => {
    for (const [of, item] of [
      [A, wanted(1, 500)],
      [A, wanted(2, 600)],
      [B, wanted(1, 500)],
      [A, wanted(1, 700)],
    ] as const) {
      assert.equal(board.put(of, item), undefined);
    }
    assert.deepEqual(open(), ["a 01 700", "a 02 600", "b 01 500"]);
    assert.deepEqual(open("another node"), []);
    assert.deepEqual(changes, [NODE, NODE, NODE, NODE]);
    const [key] = board.keysOf(NODE);
    assert.ok(key !== undefined);
    const { item, ended } = must(board.get(key), "open");
    assert.deepEqual([item.itemId, item.semanticKey, item.createdAtMs], [0n, key, BigInt(NOW)]);
    assert.deepEqual([ended.itemId, ended.semanticKey, inWords(ended)], [0n, key, "a 01 over"]);
  });

  it("ends what the monitor says is over, of that monitor only, and once", () => {
    board.put(A, wanted(1, 500));
    board.put(B, wanted(1, 500));
    board.put(A, over(1));
    board.put(A, over(1));
    board.put(A, over(9));
    assert.deepEqual(open(), ["b 01 500"]);
    assert.equal(changes.length, 3);
  });

  it("drops what a replay does not contain, and not before it has ended", () => {
    board.replayBegins(A);
    board.put(A, wanted(1, 500));
    board.put(A, wanted(2, 600));
    board.put(B, wanted(1, 500));
    board.replayEnds(A);
    assert.deepEqual(open(), ["a 01 500", "a 02 600", "b 01 500"], "a first replay takes nothing");
    board.put(A, wanted(3, 800));
    board.replayBegins(A);
    board.put(A, wanted(2, 600));
    assert.equal(open().length, 4, "they stand while the monitor is away");
    board.replayEnds(A);
    assert.deepEqual(open(), ["a 02 600", "b 01 500"]);
    board.replayEnds(A);
    assert.deepEqual(open(), ["a 02 600", "b 01 500"], "an end without a beginning says nothing");
  });

  it("begins anew when a replay broke off", () => {
    board.replayBegins(A);
    board.put(A, wanted(1, 500));
    board.replayBegins(A);
    board.replayEnds(A);
    assert.deepEqual(open(), []);
  });

  it("does not keep what is not of a channel of this monitor", () => {
    const stranger = { name: "c", monitorKey: monitorKey(byte(0x5c)) };
    const fault = "not a channel of this monitor";
    assert.equal(board.put(stranger, wanted(1, 500)), fault);
    assert.equal(board.put(A, wanted(1, 500, channelId(byte(0x11)))), fault);
    const empty = new BumpBoard(createTables(), () => NOW);
    assert.equal(empty.put(A, wanted(1, 500)), fault);
    assert.deepEqual([open(), changes], [[], []]);
  });

  it("keeps so many claims of a channel at a monitor and no more; newer ones of them still replace", () => {
    for (let n = 0; n < MAX_OPEN_CLAIMS; n++) assert.equal(board.put(A, wanted(n, 500)), undefined);
    assert.equal(board.put(A, wanted(MAX_OPEN_CLAIMS, 500)), "too many open claims");
    assert.equal(board.put(A, wanted(0, 900)), undefined);
    assert.equal(board.put(B, wanted(MAX_OPEN_CLAIMS, 500)), undefined, "counted by monitor");
    assert.equal(board.keysOf(NODE).length, MAX_OPEN_CLAIMS + 1);
  });
});
