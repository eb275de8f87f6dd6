/** Header checks on the genesis block of Bitcoin and on headers ground to regtest difficulty. */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { blockHash, blockHeight } from "@farwatch/protocol/block";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { HARDER_BITS, mineBlock } from "./testing/fake-chain.js";
import { parseHeader, storedHeader, verifyHeader, verifyLink } from "./verify-header.js";

const GENESIS_HASH = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";
const GENESIS = fromHex(
  `01000000${"00".repeat(32)}3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a` +
    "29ab5f49ffff001d1dac2b7c",
);

describe("verify header", () => {
  it("reads the genesis header of Bitcoin", () => {
    const header = storedHeader(GENESIS, 0);
    assert.equal(header.hash, GENESIS_HASH);
    assert.equal(header.bits, 0x1d00ffff);
    assert.equal(header.time, 1231006505);
    assert.equal(header.previousHash, "0".repeat(64));
    assert.ok(verifyHeader(header, blockHash(GENESIS_HASH), "main").ok);
  });

  it("refuses anything but 80 bytes", () => {
    for (const raw of [GENESIS.subarray(1), new Uint8Array(81), new Uint8Array(0)]) {
      assert.deepEqual(parseHeader(raw, blockHeight(0)), { ok: false, error: "malformed" });
    }
  });

  it("refuses a header whose bytes hash to another block", () => {
    const { header } = mineBlock(undefined);
    const other = mineBlock(undefined).header;
    for (const lie of [
      { ...header, raw: other.raw },
      { ...header, previousHash: other.hash },
      { ...header, merkleRoot: other.merkleRoot },
      { ...header, bits: HARDER_BITS },
      other,
    ]) {
      const verdict = verifyHeader(lie, header.hash, "regtest");
      assert.deepEqual(verdict, { ok: false, error: "notThisBlock" });
    }
  });

  it("refuses a header without proof of work", () => {
    const { header } = mineBlock(undefined);
    const faults = new Set<string>();
    for (let nonce = 0; nonce < 64; nonce++) {
      const raw = Uint8Array.from(header.raw);
      raw[76] = nonce;
      const candidate = storedHeader(raw, 0);
      const verdict = verifyHeader(candidate, candidate.hash, "regtest");
      const highBit = parseInt(candidate.hash.slice(0, 2), 16) >= 0x80;
      assert.equal(verdict.ok, !highBit);
      if (!verdict.ok) faults.add(verdict.error);
    }
    assert.deepEqual([...faults], ["hashAboveTarget"]);
  });

  it("takes fields from the hashed bytes and drops what the source added", () => {
    const { header } = mineBlock(undefined);
    const verdict = verifyHeader({ ...header, time: 1 }, header.hash, "regtest");
    assert.ok(verdict.ok);
    assert.equal(verdict.value.time, header.time);
    assert.equal(toHex(verdict.value.raw), toHex(header.raw));
  });

  it("links a header only to its parent at the height below", () => {
    const parent = mineBlock(undefined).header;
    const child = mineBlock(parent).header;
    assert.ok(verifyLink(child, parent, "regtest").ok);
    const cases = [
      [{ ...child, height: blockHeight(2) }, parent],
      [child, mineBlock(undefined).header],
      [parent, child],
    ] as const;
    for (const [header, previous] of cases) {
      const verdict = verifyLink(header, previous, "regtest");
      assert.deepEqual(verdict, { ok: false, error: "unlinked" });
    }
    const jump = { ...child, bits: 0x1d00fffe };
    const before = { ...parent, bits: 0x1d00ffff };
    assert.deepEqual(verifyLink(jump, before, "main"), { ok: false, error: "badDifficulty" });
  });

  it("throws when the store holds something else than a header", () => {
    assert.throws(() => storedHeader(must(GENESIS.subarray(2), "bytes"), 0), /stored header/);
  });
});
