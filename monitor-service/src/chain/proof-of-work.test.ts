/** Compact targets against known values of Bitcoin consensus; retarget rules at their edges. */
import assert from "node:assert/strict";
import { reversed } from "@farwatch/protocol/bytes";
import { checkProofOfWork, difficultyMayFollow, targetOf, workOf } from "./proof-of-work.js";

const MAIN_LIMIT = 0x1d00ffff;

/** A 256-bit number as a hash in internal order. */
const hashOf = (value: bigint): Uint8Array =>
  reversed(Buffer.from(value.toString(16).padStart(64, "0"), "hex"));

describe("compact targets", () => {
  it("decodes mantissa and exponent as consensus does", () => {
    assert.deepEqual(targetOf(0x05009234), { ok: true, value: 0x92340000n });
    assert.deepEqual(targetOf(0x02123456), { ok: true, value: 0x1234n });
    assert.deepEqual(targetOf(MAIN_LIMIT), { ok: true, value: 0xffffn << 208n });
  });

  it("refuses zero, negative and overflowing targets", () => {
    for (const bits of [0, 0x01003456, 0x04923456, 0x2200ffff + 0x010000, 0xff123456]) {
      assert.deepEqual(targetOf(bits), { ok: false, error: "badTarget" }, bits.toString(16));
    }
  });

  it("gives the genesis difficulty its work", () => {
    const target = targetOf(MAIN_LIMIT);
    assert.ok(target.ok);
    assert.equal(workOf(target.value), 0x100010001n);
  });
});

describe("proof of work", () => {
  it("accepts a hash equal to the target and refuses the next one", () => {
    const target = 0xffffn << 208n;
    assert.ok(checkProofOfWork(hashOf(target), MAIN_LIMIT, "main").ok);
    const above = checkProofOfWork(hashOf(target + 1n), MAIN_LIMIT, "main");
    assert.deepEqual(above, { ok: false, error: "hashAboveTarget" });
  });

  it("refuses a target easier than the chain allows", () => {
    const regtest = 0x207fffff;
    assert.ok(checkProofOfWork(hashOf(1n), regtest, "regtest").ok);
    for (const chain of ["main", "test", "testnet4", "signet"] as const) {
      const verdict = checkProofOfWork(hashOf(1n), regtest, chain);
      assert.deepEqual(verdict, { ok: false, error: "targetAboveLimit" });
    }
    assert.ok(checkProofOfWork(hashOf(1n), 0x1e0377ae, "signet").ok);
    assert.equal(checkProofOfWork(hashOf(1n), 0x1e0377af, "signet").ok, false);
  });
});

describe("difficulty changes", () => {
  const bits = 0x1b0404cb; // target 0x0404cb << 192
  it("are refused between retargets on main and signet, and free on test chains", () => {
    assert.ok(difficultyMayFollow(bits, bits, 2017, "main"));
    assert.equal(difficultyMayFollow(bits, bits - 1, 2017, "main"), false);
    assert.equal(difficultyMayFollow(bits, MAIN_LIMIT, 2017, "signet"), false);
    assert.ok(difficultyMayFollow(bits, MAIN_LIMIT, 2017, "test"));
    assert.ok(difficultyMayFollow(bits, 0x207fffff, 2017, "regtest"));
  });

  it("at a retarget reach at most a factor of four either way", () => {
    const fourTimes = 0x1b10132c;
    assert.ok(difficultyMayFollow(bits, fourTimes, 2016, "main"));
    assert.equal(difficultyMayFollow(bits, fourTimes + 1, 2016, "main"), false);
    // 0x0404cb / 4 = 0x010132.c: the last byte that fits is kept, what is below is cut.
    const quarter = 0x1b010132;
    assert.ok(difficultyMayFollow(bits, 0x1b010133, 2016, "main"));
    assert.equal(difficultyMayFollow(bits, quarter - 1, 2016, "main"), false);
  });
});
