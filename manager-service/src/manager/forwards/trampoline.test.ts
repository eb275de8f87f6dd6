/** Trampoline forwards, two in and two out: one outcome for all of them (persistent-events R54, R59a, D19). */
import assert from "node:assert/strict";
import { CLAIM_PATIENCE_MS } from "../inbound/commands.js";
import { Hops } from "../testing/hops.js";
import { forwardOf, IN, IN2, incoming, OUT, OUT2, trampolineOf } from "../testing/htlcs.js";
import { MONITOR_A, MONITOR_B } from "../testing/scene.js";

const first = incoming(IN, 1);
const second = incoming(IN2, 4);
const out = trampolineOf([first, second], OUT, 7);
const out2 = trampolineOf([second, first], OUT2, 8);

function forwarding(): Hops {
  const hops = new Hops();
  hops.add(first, second, out, out2);
  return hops;
}

describe("a trampoline forward that is claimed", () => {
  it("is one forward of all inbound HTLCs, in whatever order the parts name them", () => {
    const hops = forwarding();
    assert.equal(hops.tables.forward.size, 1);
    hops.claims(MONITOR_A, out);
    assert.deepEqual(hops.records(), ["in", "in2"]);
    hops.kept(IN);
    assert.deepEqual(hops.open, [], "all inbound channels, or none yet");
    hops.kept(IN2);
    assert.deepEqual(hops.open, ["claim in/1", "claim in2/4", "forwarded"]);
    const { prev, next, totalFeeMsat } = hops.content("paymentForwarded");
    assert.deepEqual(
      prev.map(({ channelId, htlcId }) => [channelId, htlcId]),
      [
        [IN, 1n],
        [IN2, 4n],
      ],
    );
    assert.deepEqual(
      next.map(({ channelId }) => channelId),
      [OUT, OUT2],
    );
    assert.equal(totalFeeMsat, 200n);
  });

  it("acks both events together, when every inbound HTLC is removed and it is handled", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, out);
    hops.claims(MONITOR_A, out2);
    hops.kept(IN);
    hops.kept(IN2);
    hops.handle("forwarded");
    hops.remove(first);
    hops.durable(IN);
    assert.deepEqual(hops.acks, []);
    assert.deepEqual(hops.open, ["claim in2/4"]);
    hops.remove(second);
    hops.durable(IN2);
    assert.deepEqual(hops.acks, ["A1 out", "A1 out2"]);
  });

  it("acks a part that arrives after everything at once, and tells nothing", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, out);
    hops.kept(IN);
    hops.kept(IN2);
    hops.handle("forwarded");
    hops.remove(first);
    hops.durable(IN);
    hops.remove(second);
    hops.durable(IN2);
    hops.ackEverything();
    hops.claims(MONITOR_B, out2);
    assert.deepEqual(hops.acks, ["B1 out2"]);
    assert.equal(hops.told("forwarded"), 1);
  });

  it("goes on when one inbound channel closes midway", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, out);
    hops.kept(IN);
    hops.closes(MONITOR_A, IN2);
    hops.handle("closed in2");
    assert.deepEqual(hops.open, [], "the closed channel's preimage counts like the other's");
    hops.kept(IN2);
    assert.deepEqual(hops.open, ["claim in/1", "forwarded"]);
    hops.handle("forwarded");
    assert.deepEqual(hops.acks, ["A1 in2"]);
    hops.remove(first);
    hops.durable(IN);
    assert.deepEqual(hops.acks, ["A1 in2", "A1 out"]);
  });

  it("claims what is durable after ten minutes, with an alarm (contract 2.14)", () => {
    const hops = forwarding();
    hops.claims(MONITOR_A, out);
    hops.kept(IN);
    hops.later(CLAIM_PATIENCE_MS - 1);
    assert.deepEqual(hops.open, []);
    hops.later(1);
    assert.deepEqual(hops.open, ["alarm claimPartial", "claim in/1"]);
  });

  it("is told as forwarded of the HTLCs that were not lost", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, out);
    hops.fails(MONITOR_A, out2);
    hops.handle("handling failed");
    hops.answer("fail in/1", "sent");
    hops.remove(first);
    hops.durable(IN);
    hops.claims(MONITOR_B, out);
    hops.kept(IN2);
    hops.answer("claim in2/4", "sent");
    assert.deepEqual(hops.open, ["alarm forwardLost", "lost in/1", "claim in2/4", "forwarded"]);
    const { prev } = hops.content("paymentForwarded");
    assert.deepEqual(
      prev.map(({ channelId }) => channelId),
      [IN2],
    );
  });
});

describe("a trampoline forward that fails", () => {
  it("fails nothing upstream while a part is alive", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, out);
    assert.deepEqual(hops.open, []);
    assert.deepEqual(hops.acks, []);
  });

  it("fails every inbound HTLC with the trampoline's failure when the last part failed", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, out);
    hops.fails(MONITOR_A, out2);
    assert.deepEqual(hops.open, ["handling failed", "fail in/1", "fail in2/4"]);
    assert.deepEqual(hops.content("failInbound").reason.cause, {
      kind: "local",
      failureCode: 0x2019,
      data: new Uint8Array(),
    });
    hops.remove(first);
    hops.durable(IN);
    assert.deepEqual(hops.acks, []);
    hops.remove(second);
    hops.durable(IN2);
    assert.deepEqual(hops.acks, ["A1 out", "A1 out2"]);
  });

  it("in one part only is claimed by the other", () => {
    const hops = forwarding();
    hops.fails(MONITOR_A, out);
    hops.claims(MONITOR_A, out2);
    hops.kept(IN);
    hops.kept(IN2);
    assert.deepEqual(hops.open, ["claim in/1", "claim in2/4", "forwarded"]);
    const { next } = hops.content("paymentForwarded");
    assert.deepEqual(
      next.map(({ channelId }) => channelId),
      [OUT2],
    );
  });
});

describe("a part of a trampoline", () => {
  it("has the inbound HTLCs of the others, or is refused", () => {
    const hops = new Hops();
    hops.add(first, second, out);
    const other = incoming(IN, 2);
    hops.add(other);
    const reason = (htlc: typeof out): string | undefined => {
      const decided = hops.sign(OUT2, [htlc]);
      return decided.ok ? undefined : decided.error.reason;
    };
    assert.equal(reason(trampolineOf([first], OUT2, 9)), "duplicateForward");
    assert.equal(reason(trampolineOf([first, other], OUT2, 9)), "duplicateForward");
    assert.equal(reason(trampolineOf([other, second], OUT2, 9)), "duplicateForward");
    assert.equal(reason(forwardOf(second, OUT2, 9)), "duplicateForward");
    assert.equal(reason(out2), undefined);
  });
});
