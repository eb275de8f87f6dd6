/**
 * Goal: when blocks are full, justice and claims are bumped until they outbid what is in the way, and
 * confirm while the mempool is still congested.
 * Method: blocks with room for one large transaction, a queue of those that pays more than our first
 * fee (bitcoind has no estimate here, so that is FALLBACK_FEERATES), and nothing but blocks.
 */
import assert from "node:assert/strict";
import { Transaction } from "bitcoinjs-lib";
import { z } from "zod";
import { must } from "@farwatch/protocol/assert";
import { txid, txidToInternal } from "@farwatch/protocol/ids";
import { FALLBACK_FEERATES } from "@farwatch/monitor-service/chain/bitcoind-source";
import { Bed } from "./bed.js";
import { openCells, type Cell } from "./cell.js";
import { cellName, cellsOf } from "./cells.js";
import { commitments, mineToTheEnd, prepare } from "./closes.js";
import { inputsOf } from "./mined-chain.js";
import { verify } from "./verify.js";

/** bitcoind keeps 8000 weight units of a block for itself; the rest has room for one filler. */
const BLOCK_MAX_WEIGHT = 20_000;
const ROOM = BLOCK_MAX_WEIGHT - 8_000;
/** Less than the smallest claim. */
const LEFT_OVER = 300;
const FILLERS = 44;
/** Satoshis per vbyte: half as much again as our first fee. */
const FILLER_RATE = (FALLBACK_FEERATES.urgent / 250) * 1.5;
const WITNESS_SCALE = 4;
const P2WPKH_OUTPUT_WEIGHT = 124;
/** One P2WPKH input with its witness, and the frame. */
const FILLER_BASE_WEIGHT = 42 + 272;
const BLOCKS_TO_FINAL = 7;
/** Where fillers pay to: outside of any wallet, which would look at each output. */
const NOBODY = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(0x66));

const coins = z.array(z.object({ txid: z.string(), vout: z.number(), amount: z.number() }));
const signedTx = z.object({ hex: z.string() });

describe("fee bumps on a congested chain", function () {
  this.timeout(240_000);
  const ids = cellsOf("revoked").filter(({ pending }) => pending === "offered");
  let bed: Bed;
  let cells: readonly Cell[] = [];
  before(async () => {
    bed = await Bed.start([`-blockmaxweight=${BLOCK_MAX_WEIGHT}`]);
    cells = await openCells(bed, ids);
    await Promise.all(cells.map(prepare));
    await congest();
  });
  after(() => bed.stop());

  /** Fills the mempool with transactions of which exactly one fits into a block. */
  async function congest(): Promise<void> {
    const { node } = bed;
    const outputs = Math.floor((ROOM - LEFT_OVER - FILLER_BASE_WEIGHT) / P2WPKH_OUTPUT_WEIGHT);
    const fee = BigInt(Math.ceil((ROOM / WITNESS_SCALE) * FILLER_RATE));
    const available = coins.parse(await node.wallet.rpc("listunspent", [1]));
    for (const coin of available.slice(0, FILLERS)) {
      const tx = new Transaction();
      tx.version = 2;
      tx.addInput(txidToInternal(txid(coin.txid)), coin.vout, 0xffffffff);
      const value = (BigInt(Math.round(coin.amount * 1e8)) - fee) / BigInt(outputs);
      for (let i = 0; i < outputs; i++) tx.addOutput(NOBODY, value);
      const { hex } = signedTx.parse(
        await node.wallet.rpc("signrawtransactionwithwallet", [tx.toHex()]),
      );
      await node.rpc("sendrawtransaction", [hex, 0]);
    }
    assert.equal((await node.mempool()).length, FILLERS);
  }

  const justiceOf = (cell: Cell) => bed.mined.spenderOf(cell.main("toLocalIndex"));
  const isOver = (): boolean =>
    cells.every((cell) =>
      [cell.main("toLocalIndex"), ...cell.outputs().map(({ outpoint }) => outpoint)].every(
        (outpoint) => bed.mined.spenderOf(outpoint) !== undefined,
      ),
    );

  it("replaces what does not confirm until it does, and fillers are still waiting", async () => {
    await bed.mineOnly(commitments(cells));
    const first = await bed.node.mempool();
    const ours = first.length - FILLERS;
    assert.ok(ours >= cells.length, "each channel's justice waits");
    await bed.mine();
    assert.equal((await bed.node.mempool()).length, first.length - 1, "only a filler confirms");
    for (let blocks = 1; blocks < FILLERS && !isOver(); blocks++) await bed.mine();
    assert.ok(isOver(), "everything is confirmed before the last filler");
    assert.ok((await bed.node.mempool()).length > 0, "the mempool is congested still");
    for (const cell of cells) {
      const { txid: confirmed, tx } = must(justiceOf(cell), "justice");
      assert.ok(!first.includes(confirmed), "not the first of its kind");
      const spent = inputsOf(tx).reduce(
        (sum, { txid: of, vout }) =>
          sum + must(must(bed.mined.tx(of), "parent").tx.outs[vout], "output").value,
        0n,
      );
      const fee = spent - tx.outs.reduce((sum, { value }) => sum + value, 0n);
      const rate = Number(fee) / tx.virtualSize();
      assert.ok(rate > FILLER_RATE, `${rate} sat/vB outbid ${FILLER_RATE}`);
    }
  });

  for (const [index, id] of ids.entries()) {
    it(`${cellName(id)}: nothing is lost`, async () => {
      if (index === 0) await mineToTheEnd(bed, cells, BLOCKS_TO_FINAL);
      verify(bed, must(cells[index], "cell"));
    });
  }
});
