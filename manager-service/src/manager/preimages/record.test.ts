/** Preimage records: learnt once, durable by what every required monitor said, whatever the channel's state. */
import assert from "node:assert/strict";
import { storeId, type MonitorKey, type StoreId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import {
  byte,
  CHANNEL,
  hashOf,
  MONITOR_A,
  MONITOR_B,
  receive,
  Scene,
  secretOf,
  sign,
  STORE_A,
  STORE_B,
} from "../testing/scene.js";
import { isPreimageDurable } from "./record.js";

const learns = (secret: number): UpdateStep => ({
  kind: "paymentPreimage",
  preimage: secretOf(secret),
  paymentInfo: undefined,
});
const paymentHash = hashOf({ part: 1 });

function stored(scene: Scene, monitorKey: MonitorKey, at: StoreId, hash = paymentHash) {
  const records = [{ channelId: CHANNEL, paymentHash: hash }];
  return scene.expectOk({ kind: "preimagesStored", monitorKey, storeId: at, records });
}
const isDurable = (scene: Scene): boolean => isPreimageDurable(scene.tables, CHANNEL, paymentHash);

describe("preimage records", () => {
  it("are made of a preimage step, in the commit that accepts it, and sent before the update", () => {
    const scene = Scene.opened();
    scene.offer(1, [learns(1), receive(1)]);
    assert.deepEqual(scene.kinds, ["sendPreimage", "accepted", "sendUpdate"]);
    const [sent] = scene.effects;
    assert.ok(sent?.kind === "sendPreimage");
    assert.deepEqual(sent.record, {
      channelId: CHANNEL,
      paymentHash,
      preimage: secretOf(1),
      sourceKey: undefined,
      durableOn: [],
      createdAtMs: 1_700_000_000_000,
    });
    assert.deepEqual([...scene.tables.preimage.values()], [sent.record]);
  });

  it("are made once per channel and hash, also when the update is offered again", () => {
    const scene = Scene.opened();
    scene.offer(1, [learns(1)]);
    scene.offer(1, [learns(1)]);
    assert.deepEqual(scene.kinds, ["accepted"]);
    scene.offer(2, [learns(1), learns(1)]);
    assert.deepEqual(scene.kinds, ["accepted", "sendUpdate"]);
  });

  it("are not left behind by a refused update twice: the refusal keeps one", () => {
    const scene = Scene.opened();
    scene.offer(1, [learns(1), sign(5, [])]);
    assert.deepEqual(scene.kinds, ["sendPreimage", "deliver"]);
    assert.equal([...scene.tables.preimage.values()].length, 1);
  });

  it("are durable when every required monitor said so", () => {
    const scene = Scene.opened();
    scene.offer(1, [learns(1)]);
    assert.ok(!isDurable(scene));
    stored(scene, MONITOR_A, STORE_A);
    assert.ok(!isDurable(scene));
    stored(scene, MONITOR_B, STORE_B);
    assert.ok(isDurable(scene));
    assert.deepEqual(stored(scene, MONITOR_B, STORE_B).changes, [], "said again");
    assert.deepEqual(stored(scene, MONITOR_A, STORE_A, hashOf({ part: 9 })).changes, []);
  });

  it("remember the newest store of a monitor only", () => {
    const scene = Scene.opened();
    scene.offer(1, [learns(1)]);
    const newer = storeId(byte(0xa5, 16));
    stored(scene, MONITOR_A, STORE_A);
    stored(scene, MONITOR_A, newer);
    const [row] = scene.tables.preimage.values();
    assert.deepEqual(row?.durableOn, [{ monitorKey: MONITOR_A, storeId: newer }]);
  });
});
