/** ClaimPayment: we are the payee (contract section 1, 2.14; persistent-events S17, S51 to S53). */
import assert from "node:assert/strict";
import { CLAIM_PATIENCE_MS } from "../inbound/commands.js";
import { Hops } from "../testing/hops.js";
import { forwardOf, IN, IN2, incoming, OUT } from "../testing/htlcs.js";
import { MONITOR_A, MONITOR_B, secretOf } from "../testing/scene.js";

const first = incoming(IN, 1);
const second = incoming(IN2, 1);
const parts = [first, second];

function paid(): Hops {
  const hops = new Hops();
  hops.add(first, second);
  return hops;
}

describe("a payment to us in two parts", () => {
  it("becomes a record on every part's channel in the commit of the request", () => {
    const hops = paid();
    assert.ok(hops.claimPayment(parts).ok);
    assert.deepEqual(hops.records(), ["in", "in2"]);
    assert.deepEqual(hops.kinds, ["sendPreimage", "sendPreimage"]);
    assert.deepEqual(hops.open, []);
  });

  it("is commanded and told when the preimage is durable for all parts", () => {
    const hops = paid();
    hops.claimPayment(parts);
    hops.kept(IN);
    hops.stored(MONITOR_A, IN2);
    assert.deepEqual(hops.open, []);
    hops.stored(MONITOR_B, IN2);
    assert.deepEqual(hops.open, ["claim in/1", "claim in2/1", "paid"]);
    assert.equal(hops.content("paymentClaimed").amountMsat, 10_000n);
  });

  it("waits ten minutes for the last part, then claims the others with an alarm (2.14)", () => {
    const hops = paid();
    hops.claimPayment(parts);
    hops.kept(IN);
    hops.later(CLAIM_PATIENCE_MS - 1);
    assert.deepEqual(hops.open, []);
    hops.later(1);
    assert.deepEqual(hops.open, ["alarm claimPartial", "claim in/1"]);
    hops.kept(IN2);
    assert.deepEqual(hops.open, ["alarm claimPartial", "claim in/1", "claim in2/1", "paid"]);
  });

  it("waits that long since the request, not since the preimage was first known", () => {
    const hops = paid();
    hops.offer(IN, { kind: "paymentPreimage", preimage: secretOf(1), paymentInfo: undefined });
    hops.kept(IN);
    hops.later(CLAIM_PATIENCE_MS);
    hops.claimPayment(parts);
    assert.deepEqual(hops.open, []);
    hops.later(CLAIM_PATIENCE_MS - 1);
    assert.deepEqual(hops.open, []);
    hops.later(1);
    assert.deepEqual(hops.open, ["alarm claimPartial", "claim in/1"]);
  });

  it("never claims a part whose own preimage is not durable, however late", () => {
    const hops = paid();
    hops.claimPayment(parts);
    hops.stored(MONITOR_A, IN);
    hops.later(2 * CLAIM_PATIENCE_MS);
    assert.deepEqual(hops.open, []);
  });

  it("takes each command back when its own removal is durable", () => {
    const hops = paid();
    hops.claimPayment(parts);
    hops.kept(IN);
    hops.kept(IN2);
    hops.remove(first);
    hops.durable(IN);
    assert.deepEqual(hops.open, ["claim in2/1", "paid"]);
  });

  it("needs no command for a part on a closed channel", () => {
    const hops = paid();
    hops.closes(MONITOR_A, IN);
    hops.claimPayment(parts);
    hops.kept(IN);
    hops.kept(IN2);
    assert.deepEqual(hops.open, ["closed in", "claim in2/1", "paid"]);
  });

  it("is told although a part was gone before its preimage was durable", () => {
    const hops = paid();
    hops.claimPayment([first]);
    hops.remove(first);
    hops.durable(IN);
    assert.deepEqual(hops.open, ["paid"]);
  });

  it("of equal parts on one channel is told apart by htlc id (D25)", () => {
    const hops = new Hops();
    const twin = incoming(IN, 2);
    hops.add(first, twin);
    hops.claimPayment([first, twin]);
    hops.kept(IN);
    hops.remove(twin);
    hops.durable(IN);
    assert.deepEqual(hops.open, ["claim in/1", "paid"]);
  });
});

describe("the request", () => {
  const reason = (hops: Hops, ...asked: Parameters<Hops["claimPayment"]>): string | undefined => {
    const decided = hops.claimPayment(...asked);
    return decided.ok ? undefined : decided.error.reason;
  };

  it("again changes nothing, whatever became of it, in any order of the parts", () => {
    const hops = paid();
    hops.claimPayment(parts);
    const again = hops.claimPayment([second, first]);
    assert.deepEqual(again.ok && again.value.changes, []);
    hops.kept(IN);
    hops.kept(IN2);
    hops.remove(first);
    hops.durable(IN);
    const late = hops.claimPayment(parts);
    assert.deepEqual(late.ok && late.value.changes, []);
  });

  it("names HTLCs that are committed, of that hash and amount, of known channels", () => {
    const hops = paid();
    assert.equal(reason(hops, []), "malformed");
    assert.equal(reason(hops, [incoming(IN, 9)]), "malformed");
    assert.equal(reason(hops, [first], 2), "malformed");
    assert.equal(reason(hops, [{ ...first, amountMsat: second.amountMsat }, first]), "malformed");
    const fresh = new Hops("managerResolves", [OUT]);
    assert.equal(reason(fresh, [first]), "channelUnknown");
    assert.deepEqual(hops.records(), []);
    assert.equal(hops.tables.claim.size + hops.tables.inbound.size, 0);
  });

  it("does not take a forwarded HTLC, or one of another claim", () => {
    const hops = paid();
    hops.add(forwardOf(first, OUT, 7));
    assert.equal(reason(hops, parts), "malformed");
    assert.equal(reason(hops, [second]), undefined);
    const third = incoming(IN, 3);
    hops.add(third);
    assert.equal(reason(hops, [second, third]), "malformed");
  });
});
