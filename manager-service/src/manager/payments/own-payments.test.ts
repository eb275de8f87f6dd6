/** Own payments: each outcome told once, a preimage wins, fails wait (persistent-events 2F, 2J). */
import assert from "node:assert/strict";
import { msat } from "@farwatch/protocol/amount";
import { paymentId } from "@farwatch/protocol/ids";
import { rowKeys } from "../rows.js";
import {
  byte,
  CHANNEL,
  claimed,
  confirmed,
  failed,
  fromUpdate,
  hashOf,
  MONITOR_A,
  MONITOR_B,
  NODE,
  ownSource,
  PAYMENT,
  REASON,
  receive,
  revoke,
  Scene,
  secretOf,
  sign,
  type TestPart,
} from "../testing/scene.js";

const SENT = `payment-sent/${PAYMENT}`;
const FAILED = `payment-failed/${PAYMENT}`;
const pathFailed = (part: number): string => `payment-path-failed/${byte(part)}`;
const pathSuccessful = (part: number): string => `payment-path-successful/${byte(part)}`;

/** Parts of one payment (they share secret 1) in counterparty commitment 1. */
const part = (name: number): TestPart => ({ part: name, secret: 1 });
function paying(...names: readonly number[]): Scene {
  const scene = Scene.opened();
  scene.register(PAYMENT, part(1), 1000 * names.length - 10);
  assert.equal(scene.offer(1, [sign(1, names.map(part))]).ok, true);
  assert.equal(scene.offer(2, [revoke(0)]).ok, true);
  return scene;
}

describe("a claimed HTLC of an own payment", () => {
  it("tells PaymentSent at once, before its update is durable anywhere", () => {
    const scene = paying(1);
    scene.offer(3, [receive(1)]);
    scene.event(MONITOR_A, claimed(part(1)), fromUpdate(3));
    assert.deepEqual(scene.open, [SENT]);
    const event = scene.item(SENT)?.event;
    if (event?.kind !== "paymentSent") assert.fail("PaymentSent");
    assert.equal(event.amountMsat, 990n);
    assert.equal(event.feePaidMsat, 10n);
  });

  it("succeeded on no path when the peer showed the preimage and then failed the HTLC", () => {
    const scene = paying(1);
    const { sourceKey } = ownSource(part(1));
    const preimage = secretOf(1);
    const told = { nodeKey: NODE, channelId: CHANNEL, sourceKey, preimage };
    scene.expectOk({ kind: "htlcFulfilled", ...told, skimmedFeeMsat: undefined });
    scene.offer(3, [{ ...receive(1), failed: [{ sourceKey, reason: REASON }] }]);
    scene.offer(4, [sign(2, [])]);
    scene.offer(5, [revoke(1)]);
    assert.deepEqual(scene.open, [SENT]);
    scene.event(MONITOR_A, failed(part(1)), fromUpdate(5));
    assert.deepEqual(scene.open, [SENT]);
  });

  it("is told once for two monitors and acked on each after it is handled", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.event(MONITOR_B, claimed(part(1)));
    assert.deepEqual(scene.open, [SENT]);
    assert.equal(scene.inbox(MONITOR_B, 1)?.joined, true);
    assert.deepEqual(scene.acks, []);
    scene.handle(SENT);
    assert.deepEqual(scene.acks, ["A1", "B1"]);
    assert.deepEqual(scene.kinds, ["sendAck", "sendAck"]);
  });

  it("that comes again changes nothing, whatever its state", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, claimed(part(1)));
    assert.equal(scene.event(MONITOR_A, claimed(part(1)), undefined, 1).changes.length, 0);
    scene.handle(SENT);
    assert.equal(scene.event(MONITOR_A, claimed(part(1)), undefined, 1).changes.length, 0);
  });

  it("is acked again, and not told again, when it returns after its ack was confirmed", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.handle(SENT);
    const inboxKeys = [...scene.tables.ack.values()].map((ack) => rowKeys.inbox(ack));
    scene.expectOk({ kind: "acksConfirmed", inboxKeys });
    assert.equal(scene.tables.inbox.size + scene.tables.ack.size, 0);
    scene.event(MONITOR_A, confirmed(true));
    scene.event(MONITOR_A, claimed(part(1)), undefined, 1);
    assert.deepEqual(scene.acks, ["A1", "A2"]);
    assert.equal(scene.item(SENT)?.handled, true);
    const row = scene.tables.receipt.get(rowKeys.receipt(MONITOR_A, CHANNEL));
    assert.equal(row?.recordedEventId, 2n, "what was recorded stays recorded");
  });

  it("tells PaymentSent once for all parts of a payment", () => {
    const scene = paying(1, 2);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.event(MONITOR_A, claimed(part(2)));
    assert.deepEqual(scene.open, [SENT]);
    assert.deepEqual(scene.acks, [], "the second part's event waits like the first's (G26)");
    scene.handle(SENT);
    assert.deepEqual(scene.acks, ["A1", "A2"]);
  });

  it("tells PaymentPathSuccessful when the last un-revoked commitment lost the HTLC", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.offer(3, [sign(2, [])]);
    assert.deepEqual(scene.open, [SENT], "commitment 1 still has it");
    scene.offer(4, [revoke(1)]);
    assert.deepEqual(scene.open, [SENT, pathSuccessful(1)]);
  });

  it("tells PaymentPathSuccessful at once when it was claimed on the chain", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, confirmed(false));
    scene.event(MONITOR_A, claimed(part(1)));
    assert.deepEqual(scene.open, [
      `channel-closed/${CHANNEL}`,
      `close-channel/${CHANNEL}`,
      SENT,
      pathSuccessful(1),
    ]);
  });
});

describe("a failed HTLC of an own payment", () => {
  it("that came from an update waits until every monitor has that update", () => {
    const scene = paying(1);
    scene.offer(3, [sign(2, [])]);
    scene.offer(4, [revoke(1)]);
    scene.event(MONITOR_A, failed(part(1)), fromUpdate(4));
    assert.equal(scene.inbox(MONITOR_A, 1)?.state, "held");
    assert.deepEqual(scene.open, []);
    scene.receipt(MONITOR_A, 4, { watermark: 1 });
    assert.deepEqual(scene.open, []);
    scene.receipt(MONITOR_B, 4);
    assert.deepEqual(scene.open, [pathFailed(1)]);
    assert.deepEqual(scene.kinds, ["deliver", "completed"], "released with the same receipt");
  });

  it("that came from the chain acts at once", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, failed(part(1)));
    assert.deepEqual(scene.open, [pathFailed(1)]);
    scene.handle(pathFailed(1));
    assert.deepEqual(scene.acks, ["A1"]);
    assert.equal(scene.tables.payment.get(PAYMENT)?.state, "pending", "no answer, no guess");
  });

  it("is told of a payment that these rows never had, and so is a claim (G7)", () => {
    const scene = Scene.opened();
    scene.event(MONITOR_A, failed(part(1)));
    assert.deepEqual(scene.open, [pathFailed(1)]);
    assert.deepEqual(scene.acks, [], "not acked silently");
    scene.handle(pathFailed(1), "no route left");
    assert.deepEqual(scene.open, [FAILED]);
    scene.handle(FAILED);
    assert.deepEqual(scene.acks, ["A1"]);
    const other = Scene.opened();
    other.event(MONITOR_A, claimed(part(1)));
    assert.deepEqual(other.open, [SENT, pathSuccessful(1)]);
  });

  it("is told once when both monitors report it", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, failed(part(1)));
    scene.handle(pathFailed(1));
    scene.event(MONITOR_B, failed(part(1)));
    assert.deepEqual(scene.open, []);
    assert.deepEqual(scene.acks, ["A1", "B1"]);
  });

  it("tells PaymentFailed when the node abandons, and then acks only after both are handled", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, failed(part(1)));
    scene.handle(pathFailed(1), "no route left");
    assert.deepEqual(scene.open, [FAILED]);
    assert.deepEqual(scene.acks, []);
    scene.handle(FAILED);
    assert.deepEqual(scene.acks, ["A1"]);
  });

  it("tells PaymentFailed only when no part is alive", () => {
    const scene = paying(1, 2);
    scene.closePayment("given up");
    assert.deepEqual(scene.open, []);
    scene.event(MONITOR_A, failed(part(1)));
    assert.deepEqual(scene.open, [pathFailed(1)]);
    scene.event(MONITOR_A, failed(part(2)));
    assert.deepEqual(scene.open, [pathFailed(1), pathFailed(2), FAILED]);
    const event = scene.item(FAILED)?.event;
    assert.equal(event?.kind === "paymentFailed" && event.reason, "given up");
  });

  it("is never told after PaymentSent, also when the node closes the payment then (G20)", () => {
    const scene = paying(1, 2);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.closePayment("given up");
    scene.event(MONITOR_A, failed(part(2)));
    const whole = paying(1);
    whole.event(MONITOR_A, claimed(part(1)));
    whole.closePayment("given up");
    assert.deepEqual([scene.open, whole.open], [[SENT], [SENT]]);
  });

  it("after a claim of the same HTLC tells nothing and is acked", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.event(MONITOR_B, failed(part(1)));
    assert.deepEqual(scene.open, [SENT]);
    assert.deepEqual(scene.acks, ["B1"]);
  });

  it("of one part is silent when another part was claimed", () => {
    const scene = paying(1, 2);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.event(MONITOR_A, failed(part(2)));
    assert.deepEqual(scene.open, [SENT]);
    assert.deepEqual(scene.acks, ["A2"]);
  });
});

describe("a claim after a fail", () => {
  it("takes back what the node has not handled and tells PaymentSent", () => {
    const scene = paying(1);
    scene.closePayment();
    scene.event(MONITOR_A, failed(part(1)));
    assert.deepEqual(scene.open, [pathFailed(1), FAILED]);
    scene.event(MONITOR_B, claimed(part(1)));
    assert.deepEqual(scene.open, [SENT]);
    assert.deepEqual(scene.acks, ["A1"], "the fail waits for nothing any more");
    assert.equal(scene.tables.payment.get(PAYMENT)?.state, "sent");
  });

  it("after a handled PaymentFailed still tells PaymentSent, with an alarm", () => {
    const scene = paying(1);
    scene.closePayment();
    scene.event(MONITOR_A, failed(part(1)));
    scene.handle(pathFailed(1));
    scene.handle(FAILED);
    scene.event(MONITOR_B, claimed(part(1)));
    assert.deepEqual(scene.open, [`alarm/claimAfterFailed/${PAYMENT}`, SENT]);
  });

  it("while the fail is held makes the fail silent", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, failed(part(1)), fromUpdate(2));
    scene.event(MONITOR_B, claimed(part(1)));
    for (const monitor of [MONITOR_A, MONITOR_B]) scene.receipt(monitor, 2);
    assert.deepEqual(scene.open, [SENT]);
    assert.deepEqual(scene.acks, ["A1"]);
  });
});

describe("payment requests", () => {
  const register = (payment: string, more: { hash?: number; total?: number; probe?: boolean }) =>
    ({
      kind: "paymentRegistered",
      nodeKey: NODE,
      paymentId: paymentId(payment),
      paymentHash: hashOf({ part: more.hash ?? 1 }),
      totalMsat: msat(more.total ?? 990),
      isProbe: more.probe ?? false,
    }) as const;

  const refusedAs = (scene: Scene, input: ReturnType<typeof register>): string | undefined => {
    const refused = scene.input(input);
    if (refused.ok) return undefined;
    const { reason, details } = refused.error;
    return reason === "malformed" ? details["field"] : reason;
  };

  it("register a payment; the same again is fine before its first part, anything else is not", () => {
    const scene = Scene.opened();
    scene.register(PAYMENT, part(1), 990);
    assert.equal(scene.expectOk(register(PAYMENT, {})).changes.length, 0);
    for (const other of [{ hash: 2 }, { total: 5 }]) {
      assert.equal(refusedAs(scene, register(PAYMENT, other)), "payment_id");
    }
    assert.equal(refusedAs(scene, register(PAYMENT, { probe: true })), "payment_id");
    assert.equal(refusedAs(scene, register(byte(9), { probe: true })), undefined);
  });

  it("refuse an id again once it has a part, is closed, sent or failed: it must not pay twice", () => {
    const again = register(PAYMENT, {});
    const scene = paying(1);
    assert.equal(refusedAs(scene, again), "payment_id", "it has a part");
    scene.event(MONITOR_A, claimed(part(1)));
    scene.handle(SENT);
    assert.equal(refusedAs(scene, again), "payment_id", "sent");
    const closed = Scene.opened();
    closed.register(PAYMENT, part(1), 990);
    closed.closePayment();
    assert.equal(refusedAs(closed, again), "payment_id", "failed");
    const unregistered = Scene.opened();
    unregistered.offer(1, [sign(1, [part(1)])]);
    assert.equal(refusedAs(unregistered, again), "payment_id", "known from its part");
  });

  const secondPart = (scene: Scene, name: number): string | undefined => {
    const refused = scene.offer(3, [sign(2, [part(1), part(name)])]);
    return refused.ok ? undefined : refused.error.reason;
  };

  it("refuse a new part of a payment that is sent, before anything is signed", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, claimed(part(1)));
    assert.equal(secondPart(scene, 2), "malformed");
    assert.equal(scene.tables.part.size, 1);
    assert.equal(secondPart(paying(1), 2), undefined, "pending: one more part is fine");
  });

  it("refuse an HTLC whose source was used before, whatever became of it", () => {
    const scene = paying(1);
    scene.offer(3, [sign(2, [])]);
    scene.offer(4, [revoke(1)]);
    const refused = scene.offer(5, [sign(3, [part(1)])]);
    assert.equal(!refused.ok && refused.error.details["field"], "source");
    const twice = Scene.opened().offer(1, [sign(1, [part(1), part(1)])]);
    assert.equal(!twice.ok && twice.error.details["field"], "source");
  });

  it("take HtlcNotSent for a part of a payment that is sent, and tell nothing", () => {
    const scene = paying(1);
    scene.event(MONITOR_A, claimed(part(1)));
    scene.expectOk(notSent(2));
    assert.deepEqual(scene.open, [SENT]);
  });

  it("fail a payment without parts as soon as it is closed", () => {
    const scene = Scene.opened();
    scene.register(PAYMENT, part(1));
    scene.closePayment("no route");
    assert.deepEqual(scene.open, [FAILED]);
    scene.closePayment("again");
    assert.deepEqual(scene.open, [FAILED]);
  });

  it("refuse a new part of a closed payment, before anything is signed", () => {
    const scene = Scene.opened();
    scene.register(PAYMENT, part(1));
    scene.closePayment();
    const refused = scene.offer(1, [sign(1, [part(1)])]);
    assert.equal(!refused.ok && refused.error.reason, "malformed");
  });

  const notSent = (name: number) =>
    ({
      kind: "htlcNotSent",
      nodeKey: NODE,
      channelId: CHANNEL,
      source: ownSource(part(name)),
      paymentHash: hashOf(part(name)),
    }) as const;

  it("refuse HtlcNotSent for an HTLC that an accepted update has", () => {
    const refused = paying(1).input(notSent(1));
    assert.equal(!refused.ok && refused.error.reason, "htlcCommitted");
  });

  it("fail a part that was never sent, and never take its HTLC later", () => {
    const scene = Scene.opened();
    scene.register(PAYMENT, part(1));
    scene.expectOk(notSent(1));
    assert.deepEqual(scene.open, [pathFailed(1)]);
    assert.equal(scene.expectOk(notSent(1)).changes.length, 0);
    const refused = scene.offer(1, [sign(1, [part(1)])]);
    assert.equal(!refused.ok && refused.error.reason, "malformed");
    scene.handle(pathFailed(1), "gave up");
    assert.deepEqual(scene.open, [FAILED]);
  });
});
