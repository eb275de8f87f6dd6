/**
 * Goal: a reorganisation of 1, 6, 12 or 100 blocks loses nothing: claims, justice and our own commitment
 * that were confirmed are confirmed again, and nobody is told anything twice.
 * Method: cells of the matrix whose claims, or also whose commitments, stand in the blocks that are
 * invalidated; the new branch starts with empty blocks. Then, where a monitor can still follow, the old
 * branch wins again. In the end every cell must be what it is without reorganisations.
 */
import assert from "node:assert/strict";
import { Bed } from "./bed.js";
import { openCells, type Cell } from "./cell.js";
import { cellName, cellsOf, type CellId } from "./cells.js";
import { commitments, mineToTheEnd, prepare, resolveHtlcs } from "./closes.js";
import { verify } from "./verify.js";

/** The deepest a monitor follows (MAX_REORG_DEPTH). */
const DEEPEST = 100;
const DEPTHS = [1, 6, 12, DEEPEST];
const BLOCKS_TO_THE_END = 16;

const ids: readonly CellId[] = [
  ...cellsOf("revoked").filter(({ pending }) => pending !== "dust"),
  ...cellsOf("counterparty current").filter(({ pending }) => pending === "duplicate"),
  ...cellsOf("holder").filter(({ pending }) => pending === "received"),
];

describe("reorganisations on a real chain", function () {
  this.timeout(240_000);
  let bed: Bed;
  before(async () => {
    bed = await Bed.start();
  });
  after(() => bed.stop());

  /** The counterparty confirms its commitments; ours has to come from the mempool by itself. */
  async function confirmCommitments(cells: readonly Cell[]): Promise<void> {
    const theirs = cells
      .filter(({ id }) => id.close !== "holder")
      .filter(({ commitment }) => bed.mined.tx(commitment.built.txid) === undefined);
    await bed.mineOnly(commitments(theirs));
    await bed.mine();
  }

  for (const depth of DEPTHS) {
    describe(`${depth} deep`, () => {
      // Of the first the commitments stay; of the others they are lost too, where the depth allows it.
      let early: readonly Cell[] = [];
      let late: readonly Cell[] = [];
      before(async () => {
        // No HTLC may expire before both branches have had their turn.
        const blocksToExpiry = 60 + 3 * depth;
        const all = await openCells(bed, [...ids, ...ids], blocksToExpiry);
        early = all.slice(0, ids.length);
        late = all.slice(ids.length);
        await Promise.all(early.map(prepare));
        await confirmCommitments(early);
        await Promise.all(late.map(prepare));
        await confirmCommitments(late);
        await bed.mine(Math.max(depth - 2, 0));
        const back = await bed.reorganise(depth);
        await confirmCommitments(late);
        await bed.mine();
        if (depth < DEEPEST) await back();
        const open = all.filter(({ id }) => id.close !== "revoked");
        await resolveHtlcs(bed, open);
        await mineToTheEnd(bed, all, BLOCKS_TO_THE_END);
      });

      for (const [index, id] of ids.entries()) {
        it(`${cellName(id)}: claims`, () => verifyOne(early[index]));
        it(`${cellName(id)}: commitment and claims`, () => verifyOne(late[index]));
      }
    });
  }

  function verifyOne(cell: Cell | undefined): void {
    assert.ok(cell !== undefined);
    verify(bed, cell, { refusals: true, lostOutputs: true });
  }
});
