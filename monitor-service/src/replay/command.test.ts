/** The command as a user runs it: what it prints, how it ends, what it says about a bad file. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { replayCommand } from "./command.js";
import { recordingFile } from "./recordings.test.js";
import { ReplayError } from "./replay-error.js";

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly differs: boolean;
}

async function replay(...args: readonly string[]): Promise<Ended> {
  const said = { out: "", err: "" };
  let differs = false;
  const output = {
    out: (text: string) => void (said.out += text),
    err: (text: string) => void (said.err += text),
  };
  await replayCommand(output, () => (differs = true)).parseAsync(["node", "replay", ...args]);
  return { ...said, differs };
}

const COOP = recordingFile("coop_close.static_remotekey.json");
const REORG = recordingFile("reorg.static_remotekey.json");

describe("farwatch-monitor replay", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "farwatch-replay-"));
  after(() => rmSync(folder, { recursive: true }));
  const changed = (name: string, change: (text: string) => string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, change(readFileSync(REORG, "utf8")));
    return file;
  };
  const failure = async (...args: readonly string[]): Promise<string> => {
    try {
      await replay(...args);
    } catch (error) {
      if (error instanceof ReplayError) return error.message;
      throw error;
    }
    return assert.fail("no error");
  };

  it("prints what every node would have done, as JSON", async () => {
    const { out, err, differs } = await replay(COOP, REORG);
    assert.equal(err, "");
    assert.equal(differs, false);
    const [coop, reorg] = JSON.parse(out);
    assert.equal(coop.scenario, "coop_close");
    assert.deepEqual(Object.keys(reorg.nodes), ["A", "B"]);
    const { A } = reorg.nodes;
    assert.deepEqual(
      A.broadcasts.map((tx: { role: string }) => tx.role),
      ["holderCommitment", "holderHtlcSuccess", "counterpartyHtlcClaim", "counterpartyHtlcClaim"],
    );
    assert.equal(A.channels[0].funding_spend.kind, "counterparty");
    assert.equal(A.expect, undefined);
    assert.ok(A.balances.length > 3);
  });

  it("compares on request, telling deliberate differences", async () => {
    const { out, err, differs } = await replay("--expect", "--node", "B", REORG);
    assert.equal(differs, false);
    assert.match(err, /reorg.* B: as recorded\n {2}~ preimage_told_once: /);
    assert.deepEqual(Object.keys(JSON.parse(out)[0].nodes), ["B"]);
  });

  it("tells a difference in a diff and by its exit code", async () => {
    const file = changed("late.json", (text) =>
      text.replace(/"first_height": ?222/, '"first_height": 221'),
    );
    const { err, differs } = await replay(file, "--expect");
    assert.equal(differs, true);
    assert.match(err, /late.json A: 1 difference\n {2}- spend from 221 to 223 \(spends_close\): /);
    assert.match(err, /late.json B: as recorded\n/);
  });

  it("says in one line what is wrong with a file", async () => {
    assert.match(await failure(path.join(folder, "none.json")), /none.json: ENOENT/);
    const other = changed("other.json", () => '{"schema":"other"}');
    assert.match(await failure(other), /other.json: schema: /);
    const seed = changed("seed.json", (text) => text.replaceAll(/"seed": ?"01/g, '"seed":"07'));
    assert.match(await failure(seed), /:0: the seed gives other keys than the channel's$/);
    const cut = changed("cut.json", (text) => text.replace(/"update": ?"0101/, '"update":"0102'));
    assert.match(await failure(cut), /unsupportedVersion at byte 2 of channelMonitorUpdate/);
    const block = changed("block.json", (text) =>
      text.replace(/("raw": ?"[0-9a-f]{8})[0-9a-f]{8}/, "$1deadbeef"),
    );
    assert.match(await failure(block), /its bytes are those of another block/);
  });

  it("refuses a node that is not there or of which nothing is expected", async () => {
    assert.match(await failure(COOP, "--node", "Z"), /has no node Z$/);
    const file = changed("quiet.json", (text) => {
      const { expect: _, ...rest } = JSON.parse(text);
      return JSON.stringify(rest);
    });
    assert.match(await failure(file, "--expect"), /expects nothing of any node$/);
    assert.equal((await replay(file)).differs, false);
  });

  it("starts at a snapshot when it is told to", async () => {
    const file = path.join(folder, "snapshot.json");
    // Each channel is known by a snapshot alone; replayed from the start it was never watched.
    const text = readFileSync(COOP, "utf8");
    assert.ok(text.includes('"watch_channel"'));
    writeFileSync(file, text.replaceAll('"watch_channel"', '"snapshot"'));
    const { err, differs } = await replay(file, "--expect", "--from-snapshot");
    assert.ok(!differs, err);
    assert.match(err, /A: as recorded/);
    assert.match(await failure(file), /updated before it was watched/);
    assert.match(await failure(COOP, "--from-snapshot"), /has no snapshot of node A/);
  });
});
