/** The flat table behaves like a Map of sets, whatever comes and goes; its memory is what it promises. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { txid } from "@farwatch/protocol/ids";
import { FixedKeyIndex, MAX_OWNER } from "./fixed-key-index.js";
import { OutpointIndex, outpointBytes, TxidIndex } from "./outpoint-index.js";

/** Few distinct keys that agree in most bytes, so that probe chains and shared owners are common. */
function keyOf(number: number): Uint8Array {
  const key = new Uint8Array(36).fill(1);
  new DataView(key.buffer).setUint32(32, number);
  return key;
}

describe("fixed key index", () => {
  it("agrees with a map of sets over any sequence of adds and removes", () => {
    const change = fc.record({ add: fc.boolean(), key: fc.nat(60), owner: fc.nat(3) });
    const changes = fc.array(change, { maxLength: 300 });
    fc.assert(
      fc.property(changes, fc.nat(0xffffffff), (steps, seed) => {
        const index = new FixedKeyIndex(36, seed);
        const model = new Map<number, Set<number>>();
        for (const { add, key, owner } of steps) {
          const owners = model.get(key) ?? new Set<number>();
          if (add) {
            index.add(keyOf(key), owner);
            model.set(key, owners.add(owner));
          } else {
            assert.equal(index.remove(keyOf(key), owner), owners.delete(owner));
            if (owners.size === 0) model.delete(key);
          }
          assert.equal(index.size, model.size);
        }
        for (let key = 0; key <= 60; key++) {
          const expected = [...(model.get(key) ?? [])];
          assert.deepEqual([...index.ownersAt(keyOf(key))], expected);
          assert.equal(index.has(keyOf(key)), expected.length > 0);
        }
      }),
    );
  });

  it("finds a key inside other bytes and copies what it is given", () => {
    const index = new FixedKeyIndex(36, 1);
    const key = keyOf(7);
    index.add(key, MAX_OWNER);
    key.fill(0);
    const block = new Uint8Array(100);
    block.set(keyOf(7), 13);
    assert.ok(index.has(block, 13));
    assert.equal(index.has(block, 12), false);
    assert.deepEqual([...index.ownersAt(block, 13)], [MAX_OWNER]);
    assert.equal(index.has(block, 90), false);
  });

  it("refuses keys of another length and owners above 32 bits", () => {
    const index = new FixedKeyIndex(36, 1);
    assert.throws(() => index.add(new Uint8Array(32), 1), /key length/);
    assert.throws(() => index.remove(new Uint8Array(37), 1), /key length/);
    for (const owner of [MAX_OWNER + 1, -1, 1.5]) {
      assert.throws(() => index.add(keyOf(1), owner), /32 bits/);
    }
  });

  it("keeps 100,000 outpoints and lets them go again", () => {
    const index = new FixedKeyIndex(36, 5);
    for (let i = 0; i < 100_000; i++) index.add(keyOf(i), i);
    for (let i = 0; i < 100_000; i += 7) assert.deepEqual([...index.ownersAt(keyOf(i))], [i]);
    for (let i = 0; i < 100_000; i += 2) assert.ok(index.remove(keyOf(i), i));
    for (let i = 0; i < 1_000; i++) assert.equal(index.has(keyOf(i)), i % 2 === 1);
    assert.equal(index.size, 50_000);
  });
});

describe("outpoint and txid index", () => {
  it("writes an outpoint as it stands in an input", () => {
    const bytes = outpointBytes({ txid: txid(`${"00".repeat(31)}ab`), vout: 0x01020304 });
    assert.equal(Buffer.from(bytes).toString("hex"), `ab${"00".repeat(31)}04030201`);
    assert.throws(() => outpointBytes({ txid: txid("00".repeat(32)), vout: 2 ** 32 }), /32 bits/);
  });

  it("adds, finds and removes by domain ids", () => {
    const id = txid("cd".repeat(32));
    const outpoints = new OutpointIndex(1);
    outpoints.add({ txid: id, vout: 1 }, 4);
    assert.deepEqual([...outpoints.owners({ txid: id, vout: 1 })], [4]);
    assert.equal(outpoints.has({ txid: id, vout: 2 }), false);
    assert.equal(outpoints.remove({ txid: id, vout: 1 }, 5), false);
    assert.equal(outpoints.remove({ txid: id, vout: 1 }, 4), true);
    assert.equal(outpoints.size, 0);
    const txids = new TxidIndex(1);
    txids.add(id, 4);
    txids.add(id, 5);
    assert.deepEqual([...txids.owners(id)], [4, 5]);
    assert.ok(txids.remove(id, 4) && txids.has(id));
    assert.ok(txids.remove(id, 5) && !txids.has(id));
    assert.equal(txids.size, 0);
  });
});
