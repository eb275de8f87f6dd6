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
import { txid, txidToInternal, type Outpoint, type Txid } from "@farwatch/protocol/ids";
import { FALLBACK_FEERATES } from "@farwatch/monitor-service/chain/bitcoind-source";
import { Bed } from "./bed.js";
import { openCells, type Cell } from "./cell.js";
import { cellName, cellsOf } from "./cells.js";
import { commitments, mineToTheEnd, prepare, resolveHtlcs } from "./closes.js";
import { inputsOf } from "./mined-chain.js";
import { verify } from "./verify.js";

/** bitcoind keeps 8000 weight units of a block for itself; the rest has room for one filler. */
const BLOCK_MAX_WEIGHT = 20_000;
const ROOM = BLOCK_MAX_WEIGHT - 8_000;
/** Less than the smallest claim. */
const LEFT_OVER = 300;
const FILLERS = 44;
/** Past the queue by more than any deadline of ours. */
const BLOCKS_TO_EXPIRY = 150;
/** Satoshis per vbyte: half as much again as our first fee. */
const FILLER_RATE = (FALLBACK_FEERATES.urgent / 250) * 1.5;
const WITNESS_SCALE = 4;
const P2WPKH_OUTPUT_WEIGHT = 124;
/** One P2WPKH input with its witness, and the frame. */
const FILLER_BASE_WEIGHT = 42 + 272;
/** Past to_self_delay on our outputs. */
const BLOCKS_TO_THE_END = 16;
/** Where fillers pay to: outside of any wallet, which would look at each output. */
const NOBODY = Uint8Array.of(0, 20, ...new Uint8Array(20).fill(0x66));

const coins = z.array(z.object({ txid: z.string(), vout: z.number(), amount: z.number() }));
const signedTx = z.object({ hex: z.string() });

describe("fee bumps on a congested chain", function () {
  this.timeout(240_000);
  const revokedIds = cellsOf("revoked").filter(({ pending }) => pending === "offered");
  // A commitment of static_remote_key pays what it was signed with, whatever happens.
  const holderIds = cellsOf("holder").filter(
    ({ type, pending }) => type !== "static_remote_key" && pending === "received",
  );
  const ids = [...revokedIds, ...holderIds];
  const fillers = new Set<string>();
  let bed: Bed;
  let revoked: readonly Cell[] = [];
  let holder: readonly Cell[] = [];
  before(async () => {
    bed = await Bed.start([`-blockmaxweight=${BLOCK_MAX_WEIGHT}`]);
    const cells = await openCells(bed, ids, BLOCKS_TO_EXPIRY);
    revoked = cells.slice(0, revokedIds.length);
    holder = cells.slice(revokedIds.length);
    await Promise.all(revoked.map(prepare));
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
    for (const id of await node.mempool()) fillers.add(id);
    assert.equal(fillers.size, FILLERS);
  }

  const areSpent = (outpoints: readonly Outpoint[]): boolean =>
    outpoints.every((outpoint) => bed.mined.spenderOf(outpoint) !== undefined);

  /** Block by block; fails when the queue is through first. */
  async function mineUntilSpent(outpoints: readonly Outpoint[]): Promise<void> {
    for (let blocks = 0; blocks < FILLERS && !areSpent(outpoints); blocks++) await bed.mine();
    assert.ok(areSpent(outpoints), "everything is confirmed");
    const left = (await bed.node.mempool()).filter((id) => fillers.has(id));
    assert.ok(left.length > 0, "the mempool is congested still");
  }

  async function feeSat(tx: Transaction): Promise<bigint> {
    const spent = await Promise.all(inputsOf(tx).map(valueOf));
    const paid = tx.outs.reduce((sum, { value }) => sum + value, 0n);
    return spent.reduce((sum, value) => sum + value, 0n) - paid;
  }
  /** Of a channel's output, or of a coin of the wallet. */
  async function valueOf({ txid: of, vout }: Outpoint): Promise<bigint> {
    const known = bed.mined.tx(of)?.tx;
    const tx = known ?? Transaction.fromHex(signedTx.parse(await walletTx(of)).hex);
    return must(tx.outs[vout], "output").value;
  }
  const walletTx = (of: Txid): Promise<unknown> => bed.node.wallet.rpc("gettransaction", [of]);

  it("replaces justice that does not confirm until it does", async () => {
    await bed.mineOnly(commitments(revoked));
    const first = await bed.node.mempool();
    assert.ok(first.length - FILLERS >= revoked.length, "each channel's justice waits");
    await bed.mine();
    assert.equal((await bed.node.mempool()).length, first.length - 1, "only a filler confirms");
    const stolen = revoked.flatMap((cell) => [
      cell.main("toLocalIndex"),
      ...cell.outputs().map(({ outpoint }) => outpoint),
    ]);
    await mineUntilSpent(stolen);
    for (const outpoint of stolen) {
      const { txid: confirmed, tx } = must(bed.mined.spenderOf(outpoint), "justice");
      assert.ok(!first.includes(confirmed), "not the first of its kind");
      const rate = Number(await feeSat(tx)) / tx.virtualSize();
      assert.ok(rate > FILLER_RATE, `${rate} sat/vB outbid ${FILLER_RATE}`);
    }
  });

  it("replaces the child of our own commitment until both confirm", async () => {
    await Promise.all(holder.map(prepare));
    await bed.follow();
    const first = (await bed.node.mempool()).filter((id) => !fillers.has(id));
    assert.equal(first.length, 2 * holder.length, "commitments and children wait");
    await mineUntilSpent(holder.map(anchorOf));
    for (const cell of holder) {
      const child = must(bed.mined.spenderOf(anchorOf(cell)), "child");
      const parent = must(bed.mined.tx(cell.commitment.built.txid), "commitment");
      assert.ok(first.includes(parent.txid) && !first.includes(child.txid), "the child is another");
      const fee = (await feeSat(child.tx)) + cell.commitment.built.feeSat;
      const rate = Number(fee) / (child.tx.virtualSize() + parent.tx.virtualSize());
      assert.ok(rate > FILLER_RATE, `${rate} sat/vB of both outbid ${FILLER_RATE}`);
    }
  });

  describe("afterwards", () => {
    before(async () => {
      // Block by block: bitcoind far ahead would refuse to replace what it has confirmed.
      while ((await bed.node.mempool()).length > 0) await bed.mine();
      await resolveHtlcs(bed, holder);
      await mineToTheEnd(bed, [...revoked, ...holder], BLOCKS_TO_THE_END);
    });
    for (const [index, id] of ids.entries()) {
      it(`${cellName(id)}: nothing is lost`, () => {
        verify(bed, must([...revoked, ...holder][index], "cell"));
      });
    }
  });
});

/** The anchor of ours that our commitment has. */
function anchorOf({ commitment }: Cell): Outpoint {
  const { txid: of, sharedAnchorIndex, toLocalAnchorIndex } = commitment.built;
  return { txid: of, vout: must(sharedAnchorIndex ?? toLocalAnchorIndex, "anchor") };
}
