/** Probes: the node reads the result; never PaymentFailed, acked on the outcome (persistent-events S21, S39). */
import assert from "node:assert/strict";
import { Hops } from "../testing/hops.js";
import { OUT, probeOn } from "../testing/htlcs.js";
import { fromUpdate, MONITOR_A, MONITOR_B } from "../testing/scene.js";

const probe = probeOn(OUT, 9);

function probing(): Hops {
  const hops = new Hops();
  hops.add(probe);
  return hops;
}

describe("a probe that came back", () => {
  for (const succeeded of [true, false]) {
    const outcome = succeeded ? "probeSuccessful" : "probeFailed";
    it(`is ${outcome} by the node's word, and acked when that is handled`, () => {
      const hops = probing();
      hops.fails(MONITOR_A, probe);
      hops.fails(MONITOR_B, probe);
      assert.deepEqual(hops.open, ["probeResult"]);
      assert.deepEqual(hops.acks, []);
      hops.probed("probeResult", succeeded);
      assert.deepEqual(hops.open, [outcome]);
      assert.deepEqual(hops.acks, [], "the answer alone is no outcome that the user has");
      hops.handle(outcome);
      assert.deepEqual(hops.acks, ["A1 out", "B1 out"]);
      assert.equal(hops.told("paymentFailed") + hops.told("paymentPathFailed"), 0);
    });
  }

  it("waits for its update on every monitor like any fail", () => {
    const hops = probing();
    hops.remove(probe);
    hops.fails(MONITOR_A, probe, fromUpdate(Number(hops.channel(OUT).acceptedId)));
    assert.deepEqual(hops.open, []);
    hops.durable(OUT);
    assert.deepEqual(hops.open, ["probeResult"]);
  });

  it("is told once, whatever returns", () => {
    const hops = probing();
    hops.fails(MONITOR_A, probe);
    hops.probed("probeResult", true);
    hops.handle("probeSuccessful");
    hops.ackEverything();
    hops.fails(MONITOR_A, probe);
    assert.deepEqual(hops.open, []);
    assert.deepEqual(hops.acks, ["A2 out"]);
  });

  it("whose channel closed first ends the same way", () => {
    const hops = probing();
    hops.closes(MONITOR_A, OUT);
    hops.fails(MONITOR_A, probe);
    hops.probed("probeResult", false);
    hops.handle("probeFailed");
    assert.deepEqual(hops.acks, ["A1 out", "A2 out"]);
  });

  it("is answered with a probe's answer only", () => {
    const hops = probing();
    hops.fails(MONITOR_A, probe);
    const [item] = hops.tables.item.values();
    for (const kind of ["handled", "retrying"] as const) {
      const decided = hops.done([{ itemId: item?.itemId ?? 0n, answer: { kind } }]);
      assert.equal(!decided.ok && decided.error.reason, "malformed");
    }
  });
});

describe("a probe that never left", () => {
  it("has a result without any event", () => {
    const hops = new Hops();
    assert.ok(hops.notSent(probe).ok);
    assert.deepEqual(hops.open, ["probeResult"]);
    hops.probed("probeResult", false);
    hops.handle("probeFailed");
    assert.deepEqual(hops.open, []);
  });
});
