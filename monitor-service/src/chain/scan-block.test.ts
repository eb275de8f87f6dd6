/** The scanner finds exactly what a full parse by bitcoinjs-lib finds (onchain-engine 5.1). */
import assert from "node:assert/strict";
import type { Block } from "bitcoinjs-lib";
import fc from "fast-check";
import { must } from "@farwatch/protocol/assert";
import { outpointKey, txid, txidFromInternal, type Outpoint } from "@farwatch/protocol/ids";
import { OutpointIndex, TxidIndex } from "./outpoint-index.js";
import { scanBlock, type Watch } from "./scan-block.js";
import { blockPlan, buildBlock } from "./testing/random-block.js";
import { verifyBlock } from "./verify-block.js";
import { storedHeader } from "./verify-header.js";

const newWatch = (seed = 1): Watch => ({
  outpoints: new OutpointIndex(seed),
  txids: new TxidIndex(seed),
});

interface Expected {
  readonly txIndex: number;
  readonly txid: string;
  readonly owners: readonly number[];
  readonly spent: readonly string[];
}

/** The rule written plainly, over parsed transactions. */
function expectedMatches(block: Block, watch: Watch): Expected[] {
  const owned = new Map<string, readonly number[]>();
  const found: Expected[] = [];
  for (const [txIndex, tx] of (block.transactions ?? []).entries()) {
    const id = txid(tx.getId());
    const owners = new Set(watch.txids.owners(id));
    const spent: string[] = [];
    for (const [inputIndex, input] of tx.ins.entries()) {
      const outpoint: Outpoint = { txid: txidFromInternal(input.hash), vout: input.index };
      const concerned = [...watch.outpoints.owners(outpoint), ...(owned.get(outpoint.txid) ?? [])];
      for (const owner of concerned) owners.add(owner);
      if (concerned.length > 0) spent.push(`${inputIndex}:${outpointKey(outpoint)}`);
    }
    if (owners.size === 0) continue;
    owned.set(id, [...owners]);
    found.push({ txIndex, txid: id, owners: [...owners].sort(), spent });
  }
  return found;
}

describe("scan block", () => {
  it("finds what a full parse finds, for any block and any watched set", () => {
    const picks = fc.array(fc.record({ at: fc.nat(60), owner: fc.nat(4) }), { maxLength: 6 });
    let matches = 0;
    fc.assert(
      fc.property(blockPlan, picks, picks, fc.nat(), (plans, outpoints, txids, seed) => {
        const block = buildBlock(plans);
        const transactions = block.transactions ?? [];
        const inputs = transactions.flatMap((tx) => tx.ins);
        const watch = newWatch(seed);
        for (const { at, owner } of outpoints) {
          const input = must(inputs[at % inputs.length], "input");
          watch.outpoints.add({ txid: txidFromInternal(input.hash), vout: input.index }, owner);
        }
        for (const { at, owner } of txids) {
          const tx = must(transactions[at % transactions.length], "tx");
          watch.txids.add(txid(tx.getId()), owner);
        }
        const raw = Uint8Array.from(block.toBuffer());
        const verified = verifyBlock(storedHeader(raw.subarray(0, 80), 1), raw);
        assert.ok(verified.ok);
        for (const known of [undefined, verified.value.txids]) {
          const found = scanBlock(raw, watch, known);
          const plain = found.map((match) => ({
            txIndex: match.txIndex,
            txid: match.txid,
            owners: [...match.owners].sort(),
            spent: match.spent.map((s) => `${s.inputIndex}:${outpointKey(s.outpoint)}`),
          }));
          assert.deepEqual(plain, expectedMatches(block, watch));
          for (const { raw: bytes, txIndex } of found) {
            assert.deepEqual(
              Buffer.from(bytes),
              Buffer.from(must(transactions[txIndex], "tx").toBuffer()),
            );
          }
          matches += found.length;
        }
      }),
      { numRuns: 200 },
    );
    assert.ok(matches > 200, `the property saw too few matches: ${matches}`);
  });

  it("copies a match: its bytes do not keep the block alive", () => {
    const block = buildBlock([]);
    const raw = Uint8Array.from(block.toBuffer());
    const watch = newWatch();
    const coinbase = must(block.transactions?.[0], "coinbase");
    watch.txids.add(txid(coinbase.getId()), 1);
    const [match] = scanBlock(raw, watch);
    assert.ok(match !== undefined);
    assert.notEqual(match.raw.buffer, raw.buffer);
    assert.equal(match.raw.buffer.byteLength, match.raw.length);
  });

  it("finds nothing when nothing is watched, and throws on bytes that are no block", () => {
    assert.deepEqual(scanBlock(Uint8Array.from(buildBlock([]).toBuffer()), newWatch()), []);
    assert.throws(() => scanBlock(new Uint8Array(100), newWatch()), /well-formed block/);
  });
});
