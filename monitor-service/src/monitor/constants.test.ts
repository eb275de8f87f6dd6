/** The numbers that decide when the monitor acts, at their edges. */
import assert from "node:assert/strict";
import { MAX_REORG_DEPTH } from "../chain/follow-chain.js";
import { IRREVOCABLE_DEPTH, claimBuffer } from "./constants.js";
import { matureAfterCsv, matureHeight } from "./chain/waiting.js";
import { blockHeight } from "@farwatch/protocol/block";

describe("monitor constants", () => {
  it("claims inbound HTLCs 18 or 36 blocks ahead", () => {
    assert.equal(claimBuffer("ldk_0_1"), 18);
    assert.equal(claimBuffer("ldk_0_2"), 36);
  });

  it("a fact is deep with its sixth confirmation", () => {
    assert.equal(matureHeight(blockHeight(100)), 105);
  });

  it("a delayed output matures when the next block may spend it, never before six deep", () => {
    assert.equal(matureAfterCsv(blockHeight(100), 0), 105);
    assert.equal(matureAfterCsv(blockHeight(100), 6), 105);
    assert.equal(matureAfterCsv(blockHeight(100), 7), 106);
    assert.equal(matureAfterCsv(blockHeight(100), 144), 243);
  });
});

describe("depths", () => {
  it("keep for as long as the chain follower may take blocks off", () => {
    assert.equal(IRREVOCABLE_DEPTH, MAX_REORG_DEPTH);
  });
});
