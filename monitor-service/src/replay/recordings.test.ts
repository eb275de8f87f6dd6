/**
 * Every node of every recorded run of real LDK nodes: the core concludes what LDK did, except for the
 * defects named here. What it broadcasts is run by a script interpreter that shares no code with it.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Transaction } from "bitcoinjs-lib";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import type { Curve } from "@farwatch/protocol/curve/curve";
import { selectCurve } from "@farwatch/protocol/curve/select-curve";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { parseTx } from "../tx/parsed-tx.js";
import { spendFailure, type Prevout } from "../tx/testing/script-check.js";
import { compareNode } from "./compare.js";
import { readRecording } from "./read-recording.js";
import { replayNode, type ReplayedNode } from "./replay-node.js";
import { verdictText } from "./command.js";

/** From dist/src/replay. */
const vectors = new URL("../../../../test/vectors/", import.meta.url);
const FIRST = "ldk-fixtures";
export const recordingFile = (name: string, folder = FIRST): string =>
  fileURLToPath(new URL(`${folder}/${name}`, vectors));

/** Those the engine was written with, and whatever was recorded later. */
export const recordings = [FIRST, "ldk-recorded"].flatMap((folder) =>
  readdirSync(new URL(folder, vectors))
    .filter((name) => name.endsWith(".json"))
    .map((name) => ({ folder, name })),
);

/** By run and node of the first thirteen: the defects of LDK 0.1.0 that show in the recording. */
const DELIBERATE: Readonly<Record<string, readonly string[]>> = {
  "defect_stuck_claim A": ["no_futile_claims", "joint_claim_split"],
  "expiry_inbound A": ["no_futile_claims"],
  "fee_change A": ["no_futile_claims"],
  "forward_3node B": ["no_futile_claims"],
  "holder_force_close A": ["no_futile_claims"],
  "holder_force_close B": ["no_futile_claims"],
  "late_preimage B": ["no_futile_claims"],
  "remote_watch B": ["no_futile_claims"],
  "reorg B": ["preimage_told_once", "no_futile_claims"],
};

/** Of the recorded chain, or of an earlier broadcast of ours that is not in it. */
function prevouts(node: ReplayedNode): (outpoint: Outpoint) => Prevout {
  const own = new Map<string, Prevout>();
  for (const { txid, raw } of node.journal.broadcasts) {
    for (const [vout, { scriptPubkey: script, valueSat: value }] of parseTx(
      raw,
    ).outputs.entries()) {
      own.set(outpointKey({ txid, vout }), { script, value });
    }
  }
  return (outpoint) => {
    const recorded = node.chain.output(outpoint);
    if (recorded !== undefined) return { script: recorded.scriptPubkey, value: recorded.valueSat };
    return own.get(outpointKey(outpoint)) ?? assert.fail(`unknown ${outpointKey(outpoint)}`);
  };
}

function assertSpendable(node: ReplayedNode): void {
  const prevout = prevouts(node);
  for (const { raw, role, spends } of node.journal.broadcasts) {
    const tx = Transaction.fromBuffer(Uint8Array.from(raw));
    for (const [index, outpoint] of spends.entries()) {
      assert.equal(spendFailure(tx, index, prevout(outpoint)), undefined, `${role} ${tx.getId()}`);
    }
  }
}

describe("recorded runs of LDK", () => {
  let curve: Curve = nobleCurve;
  before(async () => {
    ({ curve } = await selectCurve("auto"));
  });

  it("are all there", () => {
    assert.equal(recordings.filter(({ folder }) => folder === FIRST).length, 13);
  });

  for (const { folder, name: file } of recordings) {
    const recording = readRecording(recordingFile(file, folder));
    for (const name of Object.keys(recording.expect ?? {})) {
      it(`${file} ${name} ends as recorded`, () => {
        const node = replayNode(recording, name, curve);
        const verdict = compareNode(recording, name, node);
        assert.equal(verdict.problems.length, 0, verdictText(file, verdict));
        assertSpendable(node);
        if (folder !== FIRST) return;
        const expected = DELIBERATE[`${recording.scenario} ${name}`] ?? [];
        assert.deepEqual(
          verdict.deliberate.map((difference) => difference.name),
          expected,
        );
      });
    }
  }
});
