/** Blocks built by bitcoinjs-lib are accepted with the same txids; every tampering is refused. */
import assert from "node:assert/strict";
import { Block, Transaction } from "bitcoinjs-lib";
import fc from "fast-check";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { layOutBlock, MAX_BLOCK_BYTES } from "./block-layout.js";
import { hash256 } from "./hash256.js";
import { coinbase, legacyTx, mineBlock } from "./testing/fake-chain.js";
import { blockPlan, buildBlock } from "./testing/random-block.js";
import { merkleRoot, verifyBlock, type BlockFault } from "./verify-block.js";
import { storedHeader } from "./verify-header.js";

const bytesOf = (block: Block): Uint8Array => Uint8Array.from(block.toBuffer());
const headerOf = (raw: Uint8Array): ReturnType<typeof storedHeader> =>
  storedHeader(raw.subarray(0, 80), 1);

function faultOf(raw: Uint8Array, header = headerOf(raw)): BlockFault | undefined {
  const verdict = verifyBlock(header, raw);
  return verdict.ok ? undefined : verdict.error;
}

/** A block of two segwit transactions, each with one witness item of 32 bytes. */
function segwitBlock(): Block {
  const inputs = [1, 2].map((fill) => ({
    parent: undefined,
    hash: new Uint8Array(32).fill(fill),
    vout: 0,
    scriptSig: new Uint8Array(0),
    witness: [new Uint8Array(32).fill(0xaa)],
  }));
  return buildBlock(inputs.map((input) => ({ inputs: [input], outputs: [Uint8Array.of(0x51)] })));
}

describe("verify block", () => {
  it("accepts what bitcoinjs-lib builds and finds the same txids", () => {
    fc.assert(
      fc.property(blockPlan, (plans) => {
        const block = buildBlock(plans);
        const raw = bytesOf(block);
        const verdict = verifyBlock(headerOf(raw), raw);
        assert.ok(verdict.ok, JSON.stringify(verdict));
        const expected = (block.transactions ?? []).map((tx) => toHex(tx.getHash())).join("");
        assert.equal(toHex(verdict.value.txids), expected);
      }),
      { numRuns: 150 },
    );
  });

  it("refuses every truncation, and trailing bytes, as malformed", () => {
    const raw = bytesOf(segwitBlock());
    const header = headerOf(raw);
    for (let length = 0; length < raw.length; length++) {
      assert.equal(faultOf(raw.subarray(0, length), header), "malformed", String(length));
    }
    assert.equal(faultOf(concatBytes(raw, Uint8Array.of(0)), header), "malformed");
  });

  it("refuses every single flipped bit with a typed fault", () => {
    const raw = bytesOf(segwitBlock());
    const header = headerOf(raw);
    const seen = new Set<string>();
    for (let bit = 0; bit < raw.length * 8; bit++) {
      const changed = Uint8Array.from(raw);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const fault = faultOf(changed, header);
      assert.ok(fault !== undefined, `bit ${bit} went unnoticed`);
      seen.add(fault);
    }
    const expected = ["badMerkleRoot", "badWitnessCommitment", "malformed", "notThisHeader"];
    assert.deepEqual([...seen].filter((fault) => fault !== "badCoinbase").sort(), expected);
  });

  it("never reads outside random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const raw = concatBytes(new Uint8Array(80), bytes);
        assert.ok(faultOf(raw, headerOf(raw)) !== undefined);
      }),
    );
  });

  it("refuses a duplicated last transaction (CVE-2012-2459)", () => {
    const parent = { outpoint: new Uint8Array(36).fill(3) };
    const spend = [1, 2].map((outputs) => legacyTx([parent], outputs));
    const [a, b] = [spend[0] ?? coinbase(1), spend[1] ?? coinbase(2)];
    const { raw, header } = mineBlock(undefined, { transactions: [a, b] });
    assert.equal(faultOf(raw, header), undefined);
    const twice = concatBytes(raw.subarray(0, 80), Uint8Array.of(4), raw.subarray(81), b);
    assert.equal(faultOf(twice, header), "duplicateTransactions");
  });

  it("refuses blocks with no coinbase, two coinbases, or a coinbase of two inputs", () => {
    const nullInput = { outpoint: concatBytes(new Uint8Array(32), fromHex("ffffffff")) };
    const other = { outpoint: new Uint8Array(36).fill(3) };
    const bodies = [
      [legacyTx([other], 1)],
      [coinbase(1), coinbase(2)],
      [legacyTx([nullInput, other], 1)],
      [coinbase(1), legacyTx([other, nullInput], 1)],
    ];
    for (const transactions of bodies) {
      const { root } = merkleRoot(concatBytes(...transactions.map(hash256)));
      const head = new Uint8Array(80);
      head.set(root, 36);
      const raw = concatBytes(head, Uint8Array.of(transactions.length), ...transactions);
      assert.equal(faultOf(raw), "badCoinbase");
    }
  });

  it("refuses a block whose witnesses were stripped: a preimage would be lost", () => {
    const block = segwitBlock();
    const stripped = new Block();
    Object.assign(stripped, block);
    stripped.transactions = (block.transactions ?? []).map((tx) => {
      const copy = Transaction.fromBuffer(tx.toBuffer());
      copy.stripWitnesses();
      return copy;
    });
    assert.equal(faultOf(bytesOf(stripped)), "badWitnessCommitment");
  });

  it("refuses a witness in a block that commits to none", () => {
    const { header } = mineBlock(undefined, { transactions: [] });
    const raw = mineBlock(undefined).raw;
    const tx = Transaction.fromBuffer(raw.subarray(81));
    tx.setWitness(0, [new Uint8Array(32)]);
    const added = concatBytes(raw.subarray(0, 80), Uint8Array.of(1), tx.toBuffer());
    assert.equal(faultOf(added), "badWitnessCommitment");
    assert.equal(faultOf(raw, header), "notThisHeader");
  });

  it("takes a block of the largest size and none above", () => {
    const room = MAX_BLOCK_BYTES - mineBlock(undefined).raw.length;
    const padding = 100_000;
    const txs = Array.from({ length: Math.floor(room / padding) }, () => padded(padding));
    const used = txs.length * padding;
    const exact = [...txs.slice(1), padded(padding + room - used)];
    const { raw, header } = mineBlock(undefined, { transactions: exact });
    assert.equal(raw.length, MAX_BLOCK_BYTES);
    assert.equal(faultOf(raw, header), undefined);
    const larger = mineBlock(undefined, { transactions: [...exact.slice(1), padded(padding * 3)] });
    assert.ok(larger.raw.length > MAX_BLOCK_BYTES);
    assert.equal(layOutBlock(larger.raw), undefined);
    assert.equal(faultOf(larger.raw, larger.header), "malformed");
  });
});

let unique = 0;
/** A legacy transaction of exactly `size` bytes (65 KB to 4 GB script). */
function padded(size: number): Uint8Array {
  const tx = new Transaction();
  tx.addInput(new Uint8Array(32).fill(5), unique++);
  const fixed = 4 + 1 + 41 + 1 + 8 + 5 + 4;
  tx.addOutput(new Uint8Array(size - fixed), 1n);
  return tx.toBuffer();
}
