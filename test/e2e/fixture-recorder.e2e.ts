/**
 * Goal: a recording of real LDK nodes is complete and of the known form (test/fixture-recorder).
 * Method: one short run on a real bitcoind; its file is replayed by a bare ChannelMonitor of LDK, and a
 * file whose bytes or conclusions were changed must not pass that replay.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Block } from "bitcoinjs-lib";
import type { Fixture } from "../fixture-recorder/fixture/document.js";
import { problemsOf, type Shapes } from "../fixture-recorder/fixture/shapes.js";
import type { Json } from "../fixture-recorder/ldk/json.js";
import { record } from "../fixture-recorder/record.js";
import { coopClose } from "../fixture-recorder/scenarios/coop-close.js";
import { differencesOfReplay } from "../fixture-recorder/verify.js";

const shapes: Shapes = JSON.parse(
  readFileSync(new URL("../../vectors/fixture-shapes.json", import.meta.url), "utf8"),
);

describe("recording LDK nodes", function () {
  this.timeout(120_000);
  let fixture: Fixture;
  before(async () => {
    const choice = { channelType: "static_remotekey", seed: 4711, scalePercent: 100 } as const;
    fixture = await record(coopClose, choice);
  });

  it("gives a file of the known form, from which a bare monitor concludes the same", () => {
    const file: Json = JSON.parse(JSON.stringify(fixture));
    assert.deepEqual(problemsOf(file, shapes), []);
    assert.deepEqual(differencesOfReplay(fixture), []);
  });

  it("has each side's close output, swept in the end", () => {
    for (const expected of Object.values(fixture.expect)) {
      assert.equal(expected.spendable_outputs.length, 1);
      assert.deepEqual(expected.final_balances, []);
    }
    assert.equal(fixture.confirmed.filter(({ role }) => role === "sweep").length, 2);
    assert.equal(fixture.confirmed.filter(({ role }) => role === "cooperative_close").length, 1);
  });

  it("is not confirmed by the replay when its conclusions or its blocks were changed", () => {
    const other: Fixture = JSON.parse(
      JSON.stringify(fixture).replace(/"value":"\d+"/g, '"value":"1"'),
    );
    assert.equal(differencesOfReplay(other).length, 4);
    const close = fixture.confirmed.find(({ role }) => role === "cooperative_close");
    const blocks = fixture.blocks.map((block) =>
      block.hash === close?.block ? { ...block, raw: withCoinbaseOnly(block.raw) } : block,
    );
    assert.ok(differencesOfReplay({ ...fixture, blocks }).length > 0);
  });
});

function withCoinbaseOnly(raw: string): string {
  const block = Block.fromHex(raw);
  block.transactions = block.transactions?.slice(0, 1) ?? [];
  return block.toHex();
}
