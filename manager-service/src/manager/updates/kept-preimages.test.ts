/** What a refused update revealed stays: no refusal ever costs a preimage (contract 2.12). */
import assert from "node:assert/strict";
import { sourceKey, updateId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import { toHex } from "@farwatch/protocol/bytes";
import {
  byte,
  CHANNEL,
  hashOf,
  holder,
  NODE,
  PAYMENT,
  receive,
  Scene,
  secretOf,
  sign,
} from "../testing/scene.js";

/** Claims HTLC `part` with preimage `secret`, for each pair. */
const claiming = (
  number: number,
  ...pairs: readonly (readonly [number, number])[]
): UpdateStep => ({
  kind: "latestHolderCommitment",
  commitment: holder(number),
  pending: [],
  claimed: pairs.map(([part, secret]) => ({
    sourceKey: sourceKey(byte(part)),
    preimage: secretOf(secret),
    skimmedFeeMsat: undefined,
    attributionData: undefined,
  })),
  failed: [],
});
const preimageStep = (secret: number): UpdateStep => ({
  kind: "paymentPreimage",
  preimage: secretOf(secret),
  paymentInfo: undefined,
});
const forceClose: UpdateStep = {
  kind: "channelForceClosed",
  shouldBroadcast: true,
  reason: "bye",
};

const kept = (scene: Scene): readonly string[] =>
  [...scene.tables.preimage.values()].map((row) => toHex(row.preimage)).sort();
const secrets = (...names: readonly number[]): readonly string[] =>
  names.map((name) => toHex(secretOf(name)));
const refusal = (decided: ReturnType<Scene["offer"]>): string | undefined =>
  decided.ok ? decided.value.refusal?.reason : decided.error.reason;

function frozen(): Scene {
  const scene = Scene.opened();
  scene.offer(1, [sign(1, [{ part: 1 }])]);
  assert.equal(refusal(scene.offer(1, [receive(1)], "other")), "updateConflict");
  return scene;
}

describe("claimed entries of a holder commitment", () => {
  it("must open the hash of the HTLC they name, and are kept when they do not", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, [{ part: 1 }])]);
    assert.equal(refusal(scene.offer(2, [claiming(1, [1, 2])])), "preimageMismatch");
    assert.deepEqual(kept(scene), secrets(2));
    assert.deepEqual(scene.open, [`alarm/preimageKept/${CHANNEL}/${hashOf({ part: 2 })}`]);
    assert.equal(scene.channel.acceptedId, 1n, "the id was not taken");
    assert.equal(refusal(scene.offer(2, [claiming(1, [1, 1])])), undefined);
    assert.deepEqual(kept(scene), secrets(2), "an accepted update holds its preimages itself");
  });

  it("never cost the preimage when no commitment has the HTLC", () => {
    const scene = Scene.opened();
    scene.register(PAYMENT, { part: 5 });
    assert.equal(refusal(scene.offer(1, [claiming(1, [5, 5])])), "claimNotFound");
    assert.equal(scene.channel.acceptedId, 0n, "the id was not taken");
    assert.deepEqual(kept(scene), secrets(5));
    assert.deepEqual(scene.open, [`payment-sent/${PAYMENT}`, `alarm/claimNotFound/${byte(5)}`]);
  });

  it("are all kept when one of them is wrong, and told once", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, [{ part: 1 }, { part: 2, secret: 1 }])]);
    const steps = [claiming(1, [1, 1], [9, 9], [2, 7])];
    assert.equal(refusal(scene.offer(2, steps)), "claimNotFound");
    assert.deepEqual(kept(scene), secrets(1, 7, 9));
    const told = scene.open;
    assert.ok(told.includes(`payment-sent/${PAYMENT}`), "its preimage is known: it was paid");
    scene.offer(2, steps);
    assert.deepEqual([scene.open, kept(scene)], [told, secrets(1, 7, 9)]);
  });

  it("keep two preimages that name the same HTLC", () => {
    const scene = Scene.opened();
    scene.offer(1, [claiming(1, [1, 3], [1, 4])]);
    assert.deepEqual(kept(scene), secrets(3, 4));
  });
});

describe("the preimages of a refused update", () => {
  const wrongs: readonly (readonly [string, (scene: Scene) => ReturnType<Scene["offer"]>])[] = [
    ["updateGap", (scene) => scene.offer(7, [claiming(1, [1, 1])])],
    ["malformed", (scene) => scene.offer(2, [claiming(5, [1, 1])])],
    ["malformed", (scene) => scene.offer(2, [sign(5, []), claiming(1, [1, 1])])],
    ["updateConflict", (scene) => scene.offer(1, [claiming(1, [1, 1])], "other")],
    ["noFurtherUpdates", (scene) => scene.offer(2, [forceClose, claiming(1, [1, 1])])],
    ["malformed", (scene) => scene.offer(2, [preimageStep(1), sign(5, [])])],
  ];
  for (const [reason, offer] of wrongs) {
    it(`are kept with an alarm (${reason})`, () => {
      const scene = Scene.opened();
      scene.offer(1, [sign(1, [{ part: 1 }])]);
      const before = scene.channel.acceptedId;
      assert.equal(refusal(offer(scene)), reason);
      assert.deepEqual(kept(scene), secrets(1));
      assert.ok(scene.open.includes(`alarm/preimageKept/${CHANNEL}/${hashOf({ part: 1 })}`));
      assert.equal(scene.channel.acceptedId, before);
    });
  }

  it("of a step of their own are no proof of payment", () => {
    const scene = Scene.opened();
    scene.register(PAYMENT, { part: 1 });
    scene.offer(7, [preimageStep(1)]);
    assert.deepEqual(scene.open, [`alarm/preimageKept/${CHANNEL}/${hashOf({ part: 1 })}`]);
  });

  it("are not taken from a node that has not got the channel", () => {
    const scene = Scene.opened();
    const offered = scene.input({
      kind: "updateOffered",
      nodeKey: byte(3, 33),
      channelId: CHANNEL,
      updateId: updateId(1),
      payload: new Uint8Array(),
      steps: [claiming(1, [1, 1])],
      stored: undefined,
    });
    assert.equal(!offered.ok && offered.error.reason, "notYourChannel");
    assert.deepEqual([kept(scene), scene.tables.item.select("unhandled", NODE)], [[], []]);
  });
});

describe("a frozen channel", () => {
  it("still takes an update of nothing but preimages", () => {
    const scene = frozen();
    assert.equal(refusal(scene.offer(2, [preimageStep(5)])), undefined);
    assert.deepEqual(scene.kinds, ["sendPreimage", "accepted", "sendUpdate"]);
    assert.equal(scene.channel.acceptedId, 2n);
  });

  it("refuses everything else, and an update without steps, but keeps the preimages", () => {
    const scene = frozen();
    assert.equal(refusal(scene.offer(2, [preimageStep(5), receive(1)])), "channelHalted");
    assert.equal(refusal(scene.offer(2, [claiming(1, [1, 1])])), "channelHalted");
    assert.equal(refusal(scene.offer(2, [])), "channelHalted");
    assert.deepEqual(kept(scene), secrets(1, 5));
    assert.equal(scene.channel.acceptedId, 1n);
  });
});
