/**
 * Whatever the order of receipts, events, answers and repeats: PaymentSent and PaymentFailed are never
 * both handled without an alarm, a preimage is always told, no event is acked before its items are
 * handled, completed never goes back, and every input repeated at once changes nothing.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { rowKeys } from "./rows.js";
import {
  claimed,
  failed,
  fromUpdate,
  MONITOR_A,
  MONITOR_B,
  PAYMENT,
  revoke,
  Scene,
  sign,
  type TestPart,
} from "./testing/scene.js";

const SENT = `payment-sent/${PAYMENT}`;
const FAILED = `payment-failed/${PAYMENT}`;
const RUNS = 300;

const part = (name: number): TestPart => ({ part: name, secret: 1 });
const monitors = [MONITOR_A, MONITOR_B] as const;

const action = fc.oneof(
  fc.record({
    kind: fc.constant("event" as const),
    monitor: fc.constantFrom(...monitors),
    part: fc.constantFrom(1, 2),
    claim: fc.boolean(),
    fromUpdate: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant("receipt" as const),
    monitor: fc.constantFrom(...monitors),
    id: fc.constantFrom(0, 1, 2),
  }),
  fc.record({ kind: fc.constant("handle" as const), which: fc.nat(5), abandon: fc.boolean() }),
  fc.record({ kind: fc.constant("close" as const) }),
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

function perform(scene: Scene, event: Action): void {
  switch (event.kind) {
    case "event": {
      const body = (event.claim ? claimed : failed)(part(event.part));
      scene.event(event.monitor, body, event.fromUpdate ? fromUpdate(2) : undefined);
      return;
    }
    case "receipt":
      scene.receipt(event.monitor, event.id);
      checkAcks(scene);
      assert.equal(scene.receipt(event.monitor, event.id).effects.length, 0, "told once");
      return;
    case "handle": {
      const key = scene.open[event.which % Math.max(1, scene.open.length)];
      if (key === undefined) return;
      const asks = key.startsWith("payment-path-failed/");
      scene.handle(key, event.abandon && asks ? "gave up" : undefined);
      return;
    }
    case "close":
      scene.closePayment();
  }
}

function checkRows(scene: Scene): void {
  const handled = (key: string): boolean => scene.item(key)?.handled === true;
  const payment = scene.tables.payment.get(PAYMENT);
  const parts = scene.tables.part.select("payment", PAYMENT);
  const isClaimed = parts.some(({ state }) => state === "claimed");
  assert.equal(scene.item(SENT) !== undefined, isClaimed, "a preimage is told, and only that");
  assert.equal(payment?.state === "sent", isClaimed);
  if (isClaimed && scene.item(FAILED) !== undefined) {
    assert.ok(handled(FAILED), "an un-handled PaymentFailed is taken back");
    assert.ok(scene.item(`alarm/claimAfterFailed/${PAYMENT}`));
  }
  if (payment?.state === "failed") {
    assert.ok(parts.every(({ state }) => state === "failed"));
    assert.ok(payment.closedReason, "never guessed");
  }
}

/** An ack may leave when everything it waits for is handled, at that moment. */
function checkAcks(scene: Scene): void {
  for (const effect of scene.effects) {
    if (effect.kind !== "sendAck") continue;
    const row = scene.tables.inbox.get(rowKeys.inbox(effect.ack));
    assert.equal(row?.state, "ackable");
    const open = row.waitsFor.filter((key) => scene.item(key)?.handled === false);
    assert.deepEqual(open, []);
  }
}

describe("outcomes of a payment", () => {
  it("are told once and consistently in every order", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
        const scene = Scene.opened();
        scene.register(PAYMENT, part(1), 2000);
        scene.offer(1, [sign(1, [part(1), part(2)])]);
        scene.offer(2, [revoke(0)]);
        let completed = 0n;
        for (const event of actions) {
          perform(scene, event);
          checkAcks(scene);
          checkRows(scene);
          const now = scene.channel.completed?.updateId ?? 0n;
          assert.ok(now >= completed, "completed never goes back");
          completed = now;
        }
      }),
      { numRuns: RUNS },
    );
  });
});
