/** Durable and completed: two monitors, watermarks, closes (contract sections 1, 2.5, 2.6). */
import assert from "node:assert/strict";
import { eventId, storeId, updateId } from "@farwatch/protocol/ids";
import { rowKeys } from "../rows.js";
import {
  byte,
  CHANNEL,
  confirmed,
  MONITOR_A,
  MONITOR_B,
  NODE,
  receive,
  Scene,
} from "../testing/scene.js";

const completedOf = (scene: Scene) =>
  scene.effects.flatMap((effect) => (effect.kind === "completed" ? [effect.completion] : []));

function withUpdates(count: number): Scene {
  const scene = Scene.opened();
  for (let id = 1; id <= count; id++) assert.equal(scene.offer(id, [receive(id)]).ok, true);
  return scene;
}

describe("completed", () => {
  it("follows when every required monitor has the update", () => {
    const scene = withUpdates(1);
    scene.receipt(MONITOR_A, 1);
    assert.deepEqual(completedOf(scene), []);
    scene.receipt(MONITOR_B, 1);
    const eventWatermark = eventId(0);
    assert.deepEqual(completedOf(scene), [
      { updateId: updateId(1), eventWatermark, closed: false, itemWatermark: undefined },
    ]);
  });

  it("names the id before the first update once the first state is durable", () => {
    const scene = Scene.opened();
    assert.equal(scene.channel.completed?.updateId, 0n);
  });

  it("is cumulative and told once", () => {
    const scene = withUpdates(3);
    scene.receipt(MONITOR_A, 3);
    scene.receipt(MONITOR_B, 2);
    assert.deepEqual(
      completedOf(scene).map((completion) => completion.updateId),
      [2n],
    );
    scene.receipt(MONITOR_B, 2);
    assert.deepEqual(completedOf(scene), []);
  });

  it("waits for the events up to every monitor's watermark", () => {
    const scene = withUpdates(1);
    scene.receipt(MONITOR_A, 1);
    scene.receipt(MONITOR_B, 1, { watermark: 1 });
    assert.deepEqual(completedOf(scene), []);
    scene.event(MONITOR_B, confirmed(true));
    assert.equal(completedOf(scene)[0]?.eventWatermark, 1n);
    assert.equal(scene.kinds.indexOf("completed"), scene.kinds.length - 1, "items come first");
  });

  it("is marked closed, and only after the close is recorded", () => {
    const scene = withUpdates(1);
    scene.receipt(MONITOR_A, 1);
    scene.receipt(MONITOR_B, 1, { closed: true });
    assert.deepEqual(completedOf(scene), [], "nobody said why the channel closed");
    scene.event(MONITOR_B, confirmed(false));
    assert.deepEqual(scene.kinds, ["deliver", "deliver", "sendAck", "completed"]);
    assert.equal(completedOf(scene)[0]?.closed, true);
  });

  it("never goes back when an older receipt arrives late", () => {
    const scene = withUpdates(2);
    for (const monitor of [MONITOR_A, MONITOR_B]) scene.receipt(monitor, 2);
    scene.receipt(MONITOR_A, 1);
    assert.deepEqual(completedOf(scene), []);
    assert.equal(scene.channel.completed?.updateId, 2n);
    const row = scene.tables.receipt.get(rowKeys.receipt(MONITOR_A, CHANNEL));
    assert.equal(row?.updateId, 2n, "the newest proof is kept");
  });

  it("starts from nothing, with an alarm, when a monitor has a new store", () => {
    const scene = withUpdates(2);
    for (const monitor of [MONITOR_A, MONITOR_B]) scene.receipt(monitor, 1);
    scene.expectOk({
      kind: "receiptsStored",
      monitorKey: MONITOR_A,
      storeId: storeId(byte(0x55, 16)),
      receipts: [
        {
          channelId: CHANNEL,
          updateId: updateId(0),
          updateHash: scene.channel.genesisHash,
          afterClose: false,
          watermark: eventId(0),
          proof: new Uint8Array(),
        },
      ],
    });
    assert.match(scene.open[0] ?? "", /^alarm\/storeReplaced/);
    scene.receipt(MONITOR_B, 2);
    assert.equal(scene.channel.completed?.updateId, 1n, "the new store has not got it");
  });
});

describe("an accepted update that a monitor refuses", () => {
  it("freezes the channel and tells the node", () => {
    const scene = withUpdates(1);
    scene.expectOk({
      kind: "updateRefused",
      monitorName: "a",
      channelId: CHANNEL,
      updateId: updateId(1),
      refusal: { reason: "invalidCommitmentSignature", message: "", details: {} },
    });
    assert.deepEqual(scene.kinds, ["deliver", "refused"]);
    assert.match(scene.channel.frozen ?? "", /invalidCommitmentSignature/);
    assert.equal(scene.effects[1]?.kind === "refused" && scene.effects[1].nodeKey, NODE);
  });
});
