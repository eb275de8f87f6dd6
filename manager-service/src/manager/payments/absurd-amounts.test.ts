/**
 * A node may watch channels that nobody funded, with any amounts. A sum beyond all bitcoin must not stop the
 * manager, which other nodes use.
 */
import assert from "node:assert/strict";
import { MAX_MSAT, msat } from "@farwatch/protocol/amount";
import { claimed, MONITOR_A, PAYMENT, Scene, sign } from "../testing/scene.js";

describe("amounts beyond all bitcoin", () => {
  it("are told as all bitcoin", () => {
    const scene = Scene.opened();
    const amountMsat = msat(MAX_MSAT);
    const [first, second] = [
      { part: 1, amountMsat },
      { part: 2, secret: 1, amountMsat },
    ] as const;
    assert.ok(scene.offer(1, [sign(1, [first, second])]).ok);
    scene.event(MONITOR_A, claimed(first));
    const event = scene.item(`payment-sent/${PAYMENT}`)?.event;
    assert.ok(event?.kind === "paymentSent");
    assert.equal(event.amountMsat, MAX_MSAT);
  });
});
