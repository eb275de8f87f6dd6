/** A comparison that finds nothing is worth something only if it finds what is wrong. */
import assert from "node:assert/strict";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { compareNode } from "./compare.js";
import { readRecording, type Recording } from "./read-recording.js";
import type { ExpectationShape } from "./recording-shape.js";
import { recordingFile } from "./recordings.test.js";
import { ReplayError } from "./replay-error.js";
import { replayNode } from "./replay-node.js";

function withExpectation(
  recording: Recording,
  name: string,
  change: (expected: ExpectationShape) => Partial<ExpectationShape>,
): Recording {
  const expected = recording.expect?.[name] ?? assert.fail("an expectation");
  return { ...recording, expect: { [name]: { ...expected, ...change(expected) } } };
}

describe("comparing a replay with its recording", () => {
  const recording = readRecording(recordingFile("expiry_outbound.static_remotekey.json"));
  const node = replayNode(recording, "A", nobleCurve);
  const problems = (
    change: (expected: ExpectationShape) => Partial<ExpectationShape>,
  ): readonly string[] => compareNode(withExpectation(recording, "A", change), "A", node).problems;

  it("finds a block more or less", () => {
    const found = problems(({ monitor_events }) => ({
      monitor_events: monitor_events.map((event) => ({ ...event, height: event.height + 1 })),
    }));
    assert.equal(found.length, 4);
    assert.match(found[0] ?? "", /^- monitor event: at 226: .* HTLCsTimedOut$/);
    assert.match(found[2] ?? "", /^\+ monitor event: at 225: .* HTLCsTimedOut$/);
  });

  it("finds an event or an output that nobody recorded", () => {
    assert.match(problems(() => ({ monitor_events: [] }))[1] ?? "", /^\+ .* failed 50000$/);
    const [output] = problems(() => ({ spendable_outputs: [] }));
    assert.match(output ?? "", /^\+ spendable output: at 369: DelayedPaymentOutput .* sat$/);
  });

  it("finds another value of an output", () => {
    const found = problems(({ spendable_outputs }) => ({
      spendable_outputs: spendable_outputs.map((output) => ({ ...output, value: "1" })),
    }));
    assert.equal(found.length, 4);
  });

  it("finds a spend that comes later than recorded", () => {
    const found = problems(({ confirmed_broadcasts }) => ({
      confirmed_broadcasts: confirmed_broadcasts.map((spend) => ({ ...spend, first_height: 224 })),
    }));
    assert.equal(found.length, 2);
    assert.match(
      found[0] ?? "",
      /^- spend from 224 to 226 \(commitment\): .* from 225 to 225 by us$/,
    );
  });

  it("finds a spend of the channel that we never make", () => {
    const [ours] = recording.expect?.["B"]?.spendable_outputs ?? [];
    assert.ok(ours !== undefined);
    const input = `${ours.outpoint.slice(0, -1)}2`; // to_local of A: P2WSH, and not spent by its monitor
    const found = problems(({ confirmed_broadcasts: [first] }) => ({
      confirmed_broadcasts: first === undefined ? [] : [{ ...first, inputs: [input] }],
    }));
    assert.match(found[0] ?? "", /never spent by us$/);
  });

  it("finds a transaction that spends nothing of a channel", () => {
    const [found] = problems(({ confirmed_broadcasts: [first] }) => ({
      confirmed_broadcasts:
        first === undefined ? [] : [{ ...first, inputs: [`${"ab".repeat(32)}:0`] }],
    }));
    assert.match(found ?? "", /no input is an output of a channel$/);
  });

  it("finds a bump request that one side alone has", () => {
    const missing = problems(() => ({ bump_events: { ChannelClose: 1 } }));
    assert.deepEqual(missing, ["- bump request: ChannelClose, which we never ask for"]);
    const anchors = readRecording(recordingFile("expiry_inbound.anchors_zero_fee_htlc_tx.json"));
    const changed = withExpectation(anchors, "B", () => ({ bump_events: {} }));
    const verdict = compareNode(changed, "B", replayNode(anchors, "B", nobleCurve));
    assert.deepEqual(verdict.problems, [
      "+ bump request: ChannelClose, which nobody recorded",
      "+ bump request: HTLCResolution, which nobody recorded",
    ]);
  });

  it("finds another balance at the end", () => {
    const found = problems(() => ({
      final_balances: [{ type: "ClaimableOnChannelClose", amount_satoshis: "5" }],
    }));
    assert.deepEqual(found, ["- final balance: amount_satoshis 5, type ClaimableOnChannelClose"]);
  });

  it("finds another balance on the way", () => {
    const shape = recording.nodes["A"] ?? assert.fail("node A");
    const timeline = shape.timeline.map((entry) =>
      entry.type === "balances" ? { ...entry, balances: [] } : entry,
    );
    const changed = { ...recording, nodes: { A: { ...shape, timeline } } };
    const verdict = compareNode(changed, "A", replayNode(changed, "A", nobleCurve));
    assert.ok(verdict.problems.some((line) => line.startsWith("+ balance at 226: ")));
  });

  it("takes a repeated preimage for LDK's only when its block was reorganised away", () => {
    const reorg = readRecording(recordingFile("reorg.static_remotekey.json"));
    const shape = reorg.nodes["B"] ?? assert.fail("node B");
    const replayed = replayNode(reorg, "B", nobleCurve);
    const quiet = shape.timeline.filter(({ type }) => type !== "block_disconnected");
    const straight = withExpectation(reorg, "B", ({ monitor_events }) => ({
      monitor_events: monitor_events.map((event) => ({ ...event, height: event.height + 100 })),
    }));
    assert.equal(quiet.length, shape.timeline.length - 2);
    assert.equal(compareNode(reorg, "B", replayed).deliberate[0]?.name, "preimage_told_once");
    const names = compareNode(straight, "B", replayed).deliberate.map(({ name }) => name);
    assert.ok(!names.includes("preimage_told_once"));
  });

  it("demands the claim that LDK's joint one never made", () => {
    const stuck = readRecording(recordingFile("defect_stuck_claim.static_remotekey.json"));
    const shape = stuck.nodes["A"] ?? assert.fail("node A");
    // Without its last blocks the HTLC has not expired: nothing of ours spends it yet.
    const early = shape.timeline.filter(
      (entry) => entry.type !== "block_connected" || entry.height < 148,
    );
    const cut = { ...stuck, nodes: { A: { ...shape, timeline: early } } };
    const verdict = compareNode(cut, "A", replayNode(cut, "A", nobleCurve));
    assert.ok(verdict.problems.some((line) => line.endsWith("and not claimed by us")));
  });

  it("refuses to compare a node of which nothing is expected", () => {
    assert.throws(() => compareNode({ ...recording, expect: {} }, "A", node), ReplayError);
  });
});
