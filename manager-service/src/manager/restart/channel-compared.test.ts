/** Monitors that lag, are older copies, disagree or halted, and both sides at once (R61; ADR G-04). */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { eventId, hash32, storeId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { rowKeys } from "../rows.js";
import {
  compared,
  hashOfUpdate,
  refusalOf,
  sceneOf,
  standing,
  STEPS,
  textOf,
} from "../testing/older-copies.js";
import {
  byte,
  CHANNEL,
  claimed,
  fromUpdate,
  MONITOR_A,
  MONITOR_B,
  secretOf,
  STORE_A,
  STORE_B,
} from "../testing/scene.js";
import { durableId } from "../updates/durability.js";

describe("a monitor in step, or one that only lags", () => {
  it("changes no row and raises no alarm", () => {
    const scene = sceneOf(4);
    for (const id of [4, 2, 0]) {
      const before = scene.tables.receipt.get(rowKeys.receipt(MONITOR_B, CHANNEL));
      assert.equal(compared(scene, standing(scene, id), MONITOR_B), undefined);
      assert.equal(scene.tables.receipt.get(rowKeys.receipt(MONITOR_B, CHANNEL)), before);
    }
    assert.equal(compared(scene, standing(scene, 4)), undefined);
    assert.deepEqual([scene.open, scene.kinds], [[], []]);
  });

  it("may hold un-acked events that we never saw, or saw and acked", () => {
    const scene = sceneOf(2);
    const more = { nextEventId: eventId(4), unackedEventIds: [1, 2, 3].map((id) => eventId(id)) };
    assert.equal(compared(scene, standing(scene, 2, more)), undefined);
    scene.event(MONITOR_A, claimed({ part: 1 }));
    assert.equal(compared(scene, standing(scene, 2, { nextEventId: eventId(2) })), undefined);
    assert.doesNotMatch(scene.open.join(), /alarm/);
  });

  it("is sent everything when its store is new", () => {
    const scene = sceneOf(2);
    assert.equal(compared(scene, undefined, MONITOR_A, storeId(byte(9, 16))), undefined);
    assert.deepEqual(scene.open, []);
  });

  it("is not judged by events that an earlier store of it told", () => {
    const scene = sceneOf(2);
    const other = storeId(byte(9, 16));
    const acked = standing(scene, 2, { nextEventId: eventId(6) });
    assert.equal(compared(scene, acked, MONITOR_A, other), undefined);
    assert.deepEqual(scene.open, []);
  });
});

describe("a monitor whose store is an older copy", () => {
  it("is told apart by what it had confirmed, and its receipts count anew", () => {
    const scene = sceneOf(4);
    scene.receipt(MONITOR_B, 4);
    assert.equal(compared(scene, standing(scene, 1)), undefined);
    const text = textOf(scene, "monitorBehind");
    assert.match(text, /store of monitor mon-a is an older copy: on channel c0+/);
    assert.match(text, /the monitor is behind by 3 updates \(it holds 1 and had confirmed 4\)/);
    assert.equal(durableId(scene.tables, scene.channel), 1n, "not durable there any more");
    assert.equal(scene.channel.completed?.updateId, 4n, "what was told stays told");
    scene.receipt(MONITOR_A, 4);
    assert.equal(durableId(scene.tables, scene.channel), 4n);
    assert.equal(scene.channel.frozen, undefined);
  });

  it("may have lost events, which come again under used ids", () => {
    const scene = sceneOf(2);
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(2));
    scene.receipt(MONITOR_A, 2, { watermark: 1 });
    assert.equal(compared(scene, standing(scene, 1)), undefined);
    const text = textOf(scene, "monitorBehind");
    assert.match(text, /by 1 update \(.*\) and 1 event \(its newest is 0 and it had told 1\)/);
    const row = scene.tables.receipt.get(rowKeys.receipt(MONITOR_A, CHANNEL));
    assert.deepEqual([row?.recordedEventId, row?.watermark], [0n, 0n]);
    assert.equal(scene.inbox(MONITOR_A, 1)?.state, "waiting", "what it told is kept");
  });

  it("completes what waits for events that come again, the same or others", () => {
    const scene = sceneOf(2);
    scene.receipt(MONITOR_B, 2);
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(2));
    compared(scene, standing(scene, 1));
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), undefined);
    scene.receipt(MONITOR_B, 3);
    scene.receipt(MONITOR_A, 3, { watermark: 1 });
    assert.equal(scene.channel.completed?.updateId, 2n, "an event is missing");
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(2), 1);
    assert.equal(scene.channel.completed?.updateId, 3n);
    assert.equal(scene.open.filter((key) => key.startsWith("payment-sent")).length, 1);
  });

  it("is sent the preimage records of the channel again, whatever it had said of them", () => {
    for (const isGone of [false, true]) {
      const scene = sceneOf(2);
      const kept: UpdateStep = {
        kind: "paymentPreimage",
        preimage: secretOf(7),
        paymentInfo: undefined,
      };
      assert.equal(refusalOf(scene, 4, [kept], "too early"), "updateGap");
      const [row] = [...scene.tables.preimage.values()];
      const records = [{ channelId: CHANNEL, paymentHash: must(row, "record").paymentHash }];
      for (const [monitorKey, store] of [
        [MONITOR_A, STORE_A],
        [MONITOR_B, STORE_B],
      ] as const) {
        scene.expectOk({ kind: "preimagesStored", monitorKey, storeId: store, records });
      }
      compared(scene, standing(scene, 2));
      assert.equal(scene.kinds.length, 0, "not while nothing is lost");
      compared(scene, isGone ? undefined : standing(scene, 1));
      assert.ok(scene.kinds.includes("sendPreimage"));
      const durableOn = [...scene.tables.preimage.values()][0]?.durableOn;
      assert.deepEqual(durableOn, [{ monitorKey: MONITOR_B, storeId: STORE_B }]);
    }
  });

  it("may have lost the whole channel", () => {
    const scene = sceneOf(2);
    assert.equal(compared(scene, undefined), undefined);
    const text = textOf(scene, "monitorBehind");
    assert.match(text, /no longer knows channel .* its store is an older copy, 3 updates behind/);
    assert.equal(durableId(scene.tables, scene.channel), undefined);
  });
});

describe("both sides", () => {
  it("are named when both are older copies", () => {
    const newer = sceneOf(4);
    const scene = sceneOf(2);
    scene.event(MONITOR_A, claimed({ part: 1 }));
    assert.equal(compared(scene, standing(newer, 4))?.reason, "managerBehind");
    assert.match(textOf(scene, "managerBehind"), /manager is behind monitor mon-a by 2 updates/);
    assert.match(textOf(scene, "monitorBehind"), /monitor is behind by 1 event \(/);
  });

  it("freeze the channel when they hold different updates under one id", () => {
    const scene = sceneOf(2);
    const other = { updateHash: hash32(byte(0xee)) };
    const refusal = compared(scene, standing(scene, 2, other));
    assert.equal(refusal?.reason, "updateConflict");
    assert.equal(refusal.details["own_hash"], hashOfUpdate(scene, 2));
    assert.match(
      textOf(scene, "updateConflict"),
      /mon-a and this manager hold different updates 2/,
    );
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), "channelHalted");
  });

  it("freeze the channel when they count other commitments after the same update", () => {
    for (const wrong of [{ holderNumber: 7n }, { counterpartyNumber: 0n }]) {
      const scene = sceneOf(2);
      assert.equal(compared(scene, standing(scene, 2, wrong))?.reason, "updateConflict");
      assert.match(textOf(scene, "updateConflict"), /one of the two is damaged/);
      assert.notEqual(scene.channel.frozen, undefined);
    }
  });
});

describe("a channel that a monitor has halted", () => {
  it("is told when the monitor connects, once", () => {
    const scene = sceneOf(2);
    for (let n = 0; n < 2; n++) {
      assert.equal(compared(scene, standing(scene, 2, { halted: true })), undefined);
    }
    assert.match(textOf(scene, "channelHalted"), /monitor mon-a has halted channel .* at update 2/);
    assert.equal(scene.open.length, 1);
  });
});
