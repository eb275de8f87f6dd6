/** Alarms that come from outside a step: who hears them. */
import assert from "node:assert/strict";
import { CHANNEL, NODE, Scene, byte } from "./testing/scene.js";

const OTHER_NODE = byte(0x03, 33);
const KEY = "alarm/fenced/m1/all";

function opened(...nodes: readonly string[]): Scene {
  const scene = Scene.opened();
  for (const nodeKey of nodes) {
    const session = { nodeEpoch: 1n, newSessionId: byte(1, 16), channels: [] };
    scene.expectOk({ kind: "sessionOpened", role: "managerResolves", nodeKey, ...session });
  }
  return scene;
}

const raise = (scene: Scene, channelId?: typeof CHANNEL): void => {
  const facts = { code: "fenced", about: "m1/all", text: "a newer manager took over" };
  scene.expectOk({ kind: "alarmRaised", ...facts, channelId });
};

const heardBy = (scene: Scene): readonly string[] =>
  [...scene.tables.item.values()]
    .filter(({ semanticKey }) => semanticKey === KEY)
    .map(({ nodeKey }) => nodeKey)
    .sort();

describe("an alarm raised by a link", () => {
  it("about no channel reaches every node that ever opened a session", () => {
    const scene = opened(NODE, OTHER_NODE);
    raise(scene);
    assert.deepEqual(heardBy(scene), [NODE, OTHER_NODE]);
    assert.deepEqual(scene.kinds, ["deliver", "deliver"]);
  });

  it("about no channel is told each node once", () => {
    const scene = opened(NODE, OTHER_NODE);
    raise(scene);
    raise(scene);
    assert.deepEqual(heardBy(scene), [NODE, OTHER_NODE]);
  });

  it("about a channel reaches that channel's node alone", () => {
    const scene = opened(NODE, OTHER_NODE);
    raise(scene, CHANNEL);
    assert.deepEqual(heardBy(scene), [NODE]);
  });
});
