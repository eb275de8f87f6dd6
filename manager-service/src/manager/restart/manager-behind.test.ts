/** A manager restored from a backup: named, kept from forking, repaired by its node (R61, D4; ADR G-04). */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { eventId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { META_KEY } from "../rows.js";
import { verdictOf } from "../sessions.js";
import {
  compared,
  node,
  openSession,
  refusalOf,
  sceneOf,
  standing,
  STEPS,
  textOf,
} from "../testing/older-copies.js";
import {
  claimed,
  failed,
  fromUpdate,
  MONITOR_A,
  MONITOR_B,
  NODE,
  receive,
  secretOf,
  sign,
} from "../testing/scene.js";
import { ITEM_ID_LEAP } from "./channel-compared.js";

describe("a manager restored from a backup", () => {
  const newer = sceneOf(4);

  it("accepts no update, and says which side is behind and by how much", () => {
    const scene = sceneOf(2);
    openSession(scene, 1n, 2);
    const refusal = compared(scene, standing(newer, 4));
    assert.equal(refusal?.reason, "managerBehind");
    const text = textOf(scene, "managerBehind");
    assert.match(
      text,
      /the manager is behind monitor mon-a by 2 updates \(it holds 2, the monitor 4\)/,
    );
    assert.equal(refusalOf(scene, 3, [receive(2)], "a fork"), "managerBehind");
    assert.equal(scene.channel.acceptedId, 2n);
    assert.equal(scene.channel.frozen, undefined, "it can be repaired");
  });

  it("keeps the preimage of an update that it refuses", () => {
    const scene = sceneOf(2);
    compared(scene, standing(newer, 4));
    const step: UpdateStep = {
      kind: "paymentPreimage",
      preimage: secretOf(7),
      paymentInfo: undefined,
    };
    assert.equal(refusalOf(scene, 3, [step], "a preimage"), "managerBehind");
    assert.equal(scene.tables.preimage.size, 1);
    assert.equal(scene.channel.acceptedId, 2n, "its id is the monitor's");
  });

  it("tells a node that was restored with it that the node is behind the monitor", () => {
    const scene = sceneOf(2);
    assert.equal(verdictOf(scene.tables, NODE, { ...node(2) }).verdict, "inSync");
    compared(scene, standing(newer, 4));
    const verdict = (last: number) => {
      const found = verdictOf(scene.tables, NODE, node(last));
      return [found.verdict, found.behindBy, found.acceptedId];
    };
    assert.deepEqual(verdict(2), ["nodeBehind", 2n, 2n]);
    assert.deepEqual(verdict(3), ["nodeBehind", 1n, 2n]);
    assert.deepEqual(verdict(4), ["nodeAhead", 2n, 2n]);
    assert.deepEqual(verdict(5), ["nodeAhead", 3n, 2n]);
    openSession(scene, 2n, 3);
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), "nodeBehind");
  });

  it("takes nothing from a node that is ahead of it, but not known to have all the monitor has", () => {
    const scene = sceneOf(2);
    openSession(scene, 1n, 3);
    compared(scene, standing(newer, 4));
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), "managerBehind");
    assert.equal(scene.channel.acceptedId, 2n);
  });

  it("is repaired by a node that names the newest update and sends the same bytes again", () => {
    const scene = sceneOf(2);
    compared(scene, standing(newer, 4));
    openSession(scene, 2n, 4);
    for (const id of [3, 4])
      assert.equal(refusalOf(scene, id, must(STEPS[id - 1], "steps")), undefined);
    assert.equal(scene.channel.headHash, newer.channel.headHash, "the same chain");
    assert.equal(scene.channel.behindMonitor, undefined);
    assert.equal(compared(scene, standing(newer, 4)), undefined);
    scene.receipt(MONITOR_A, 4);
    assert.equal(refusalOf(scene, 5, [sign(3, [])]), undefined);
  });

  it("freezes the channel when the node sends another history", () => {
    const scene = sceneOf(2);
    compared(scene, standing(newer, 4));
    openSession(scene, 2n, 4);
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), undefined);
    assert.equal(refusalOf(scene, 4, must(STEPS[3], "steps"), "other"), "updateConflict");
    assert.equal(scene.channel.acceptedId, 3n);
    assert.notEqual(scene.channel.frozen, undefined);
  });

  it("goes by the monitor that is furthest ahead", () => {
    for (const order of [
      [MONITOR_A, MONITOR_B],
      [MONITOR_B, MONITOR_A],
    ]) {
      const scene = sceneOf(2);
      for (const key of order) compared(scene, standing(newer, key === MONITOR_A ? 4 : 3), key);
      assert.equal(scene.channel.behindMonitor?.goal?.updateId, 4n);
    }
  });

  it("accepts no update before the alarm is handled when events were acked that it never recorded", () => {
    const scene = sceneOf(2);
    scene.event(MONITOR_A, failed({ part: 1 }), fromUpdate(1));
    const unacked = [eventId(1), eventId(4)];
    const theirs = standing(scene, 2, { nextEventId: eventId(5), unackedEventIds: unacked });
    assert.equal(compared(scene, theirs), undefined, "updates may still be sent to it");
    const text = textOf(scene, "managerBehind");
    assert.match(text, /behind monitor mon-a by 2 events that a newer copy acked/);
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), "managerBehind");
    const step: UpdateStep = {
      kind: "paymentPreimage",
      preimage: secretOf(7),
      paymentInfo: undefined,
    };
    assert.equal(refusalOf(scene, 3, [step]), undefined, "preimages are always accepted");
    scene.handle(scene.channel.behindMonitor?.alarmKey ?? "");
    assert.equal(refusalOf(scene, 4, must(STEPS[2], "steps")), undefined);
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(2), 4);
    assert.ok(scene.inbox(MONITOR_A, 4), "events keep flowing");
  });

  it("completes updates although events below their watermark were acked by a newer copy", () => {
    const completed = (unacked: readonly number[], told: readonly number[]): boolean => {
      const scene = sceneOf(2);
      scene.receipt(MONITOR_B, 2);
      const unackedEventIds = unacked.map((id) => eventId(id));
      compared(scene, standing(scene, 2, { nextEventId: eventId(4), unackedEventIds }));
      scene.handle(scene.channel.behindMonitor?.alarmKey ?? "");
      assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), undefined);
      scene.receipt(MONITOR_B, 3);
      scene.receipt(MONITOR_A, 3, { watermark: 3 });
      for (const id of told) scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(2), id);
      return scene.channel.completed?.updateId === 3n;
    };
    assert.equal(completed([], []), true, "none of the three is coming");
    assert.equal(completed([2], []), false, "one of them is");
    assert.equal(completed([2], [2]), true);
    assert.equal(completed([3], [3]), true);
    assert.equal(completed([1, 2], [1]), false);
  });

  it("gives out no item id that the newer copy may have used", () => {
    const scene = sceneOf(2);
    const next = scene.tables.meta.get(META_KEY)?.nextItemId ?? 1n;
    compared(scene, standing(newer, 4));
    const [alarm] = [...scene.tables.item.values()];
    assert.equal(alarm?.itemId, next + ITEM_ID_LEAP);
    compared(scene, standing(newer, 4));
    assert.equal(scene.tables.item.size, 1, "told once");
  });
});
