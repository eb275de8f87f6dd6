/** DER from BOLT 3 vectors and at its edges, compared with bitcoinjs-lib's encoder. */
import assert from "node:assert/strict";
import { script } from "bitcoinjs-lib";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import { appendixC } from "./bolt3-vectors.test.js";
import {
  SIGHASH_ALL,
  compactToDer,
  derToCompact,
  parseWitnessSignature,
  toWitnessSignature,
} from "@farwatch/protocol/bolt/signature";

const scalar = (hex: string): string => hex.padStart(64, "0");
const compact = (r: string, s: string): Uint8Array => fromHex(scalar(r) + scalar(s));

describe("signature encoding", () => {
  it("turns every signature of appendix C into compact form and back", () => {
    const signatures = appendixC.cases.flatMap((vector) => [
      vector.remoteSignature,
      vector.localSignature,
      ...vector.htlcTxs.flatMap((tx) => [tx.remoteSignature, tx.localSignature]),
    ]);
    assert.equal(signatures.length, 98);
    for (const der of signatures) {
      const short = must(derToCompact(fromHex(der)), der);
      assert.equal(short.length, 64);
      assert.equal(toHex(compactToDer(short)), der);
    }
  });

  it("agrees with an independent encoder on short and padded integers", () => {
    const edges = ["1", "7f", "80", "ff", "100", "7fff", "8000", "7f".repeat(32), "ff".repeat(32)];
    for (const r of edges) {
      for (const s of edges) {
        const signature = compact(r, s);
        const expected = script.signature.encode(signature, SIGHASH_ALL);
        const item = toWitnessSignature(signature, SIGHASH_ALL);
        assert.deepEqual(item, Uint8Array.from(expected), `${r} ${s}`);
        assert.deepEqual(parseWitnessSignature(item), { signature, sighashType: SIGHASH_ALL });
      }
    }
  });

  it("makes 73 bytes of the largest signature, 9 of the smallest", () => {
    const largest = compact("ff".repeat(32), "ff".repeat(32));
    assert.equal(toWitnessSignature(largest, SIGHASH_ALL).length, 73);
    assert.equal(toWitnessSignature(compact("1", "1"), SIGHASH_ALL).length, 9);
    assert.equal(toHex(compactToDer(compact("0", "0"))), "3006020100020100");
  });

  it("keeps the sighash byte", () => {
    const item = toWitnessSignature(compact("1", "1"), 0x83);
    assert.equal(parseWitnessSignature(item)?.sighashType, 0x83);
    assert.throws(() => toWitnessSignature(compact("1", "1"), 256), /one byte/);
    assert.throws(() => compactToDer(new Uint8Array(63)), /64 bytes/);
  });

  it("does not take anything but strict DER", () => {
    assert.notEqual(derToCompact(fromHex("3006020101020101")), undefined);
    const malformed: Readonly<Record<string, string>> = {
      empty: "",
      "other tag": "3106020101020101",
      "length too small": "3005020101020101",
      "length too large": "3007020101020101",
      "trailing byte": "300602010102010100",
      "trailing byte inside": "300702010102010100",
      "no second integer": "3003020101",
      "integer of another tag": "3006030101020101",
      "empty integer": "30050200020101",
      "negative integer": "3006020180020101",
      "needless zero": "300702020001020101",
      "integer past the end": "3006020101020201",
      "33 significant bytes": `3026022101${"00".repeat(32)}020101`,
      "34-byte integer": `302702220080${"00".repeat(32)}020101`,
    };
    for (const [what, hex] of Object.entries(malformed)) {
      assert.equal(derToCompact(fromHex(hex)), undefined, what);
    }
    assert.equal(parseWitnessSignature(new Uint8Array(0)), undefined);
    assert.equal(parseWitnessSignature(Uint8Array.of(1)), undefined);
  });
});
