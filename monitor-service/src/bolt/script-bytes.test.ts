/** Minimal pushes, compared with an independent assembler (bitcoinjs-lib). */
import assert from "node:assert/strict";
import { opcodes, script } from "bitcoinjs-lib";
import { op, push, pushNumber } from "@farwatch/protocol/bolt/script-bytes";

describe("script bytes", () => {
  it("push numbers in their shortest form at every boundary", () => {
    const edges = [0, 1, 2, 15, 16, 17, 127, 128, 144, 255, 256, 32767, 32768, 65535];
    const heights = [500, 8388607, 8388608, 499_999_999, 0x7fffffff];
    for (const value of [...edges, ...heights]) {
      const expected = script.compile([script.number.encode(value)]);
      assert.deepEqual(pushNumber(value), Uint8Array.from(expected), String(value));
    }
    assert.throws(() => pushNumber(-1), /range/);
    assert.throws(() => pushNumber(0x80000000), /range/);
    assert.throws(() => pushNumber(1.5), /range/);
  });

  it("push data of 2 to 75 bytes", () => {
    for (const length of [2, 20, 33, 75]) {
      const data = new Uint8Array(length).fill(7);
      assert.deepEqual(push(data), Uint8Array.from(script.compile([data])));
    }
    assert.throws(() => push(new Uint8Array(1)), /2 to 75/);
    assert.throws(() => push(new Uint8Array(76)), /2 to 75/);
  });

  it("know the opcodes by their names", () => {
    const names = ["IF", "NOTIF", "ELSE", "ENDIF", "IFDUP", "DROP", "DUP", "SWAP", "SIZE"] as const;
    const checks = ["EQUAL", "EQUALVERIFY", "HASH160", "CHECKSIG", "CHECKSIGVERIFY"] as const;
    const locks = ["CHECKMULTISIG", "CHECKLOCKTIMEVERIFY", "CHECKSEQUENCEVERIFY"] as const;
    for (const name of [...names, ...checks, ...locks]) {
      assert.deepEqual([...op(name)], [opcodes[`OP_${name}`]], name);
    }
  });
});
