/**
 * Goal: on a real chain our own commitment on a spliced funding, with the key only a splice has, is taken,
 * a cheater is punished on whichever funding it cheats, and our commitment follows the chain when a
 * splice overtakes it. (The matrix itself has the counterparty's closes of spliced channels.)
 * Method: cells of the matrix with a splice before their close.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { CHANNEL_TYPES } from "@farwatch/protocol/channel";
import { bytesOf } from "../../harness/channel/broadcast.js";
import type { Splice } from "../../harness/channel/splice.js";
import { bodiesOf } from "../../harness/monitor-core/event-rules.js";
import { Bed } from "./bed.js";
import { openCells, type Cell } from "./cell.js";
import { cellName, cellsOf, type CellId, type Close, type Pending } from "./cells.js";
import { BLOCKS_TO_FINAL, closeOurselves, prepare, punish, spliceOut } from "./closes.js";
import { verify } from "./verify.js";

const idsOf = (close: Close, pending: Pending): readonly CellId[] =>
  cellsOf(close).filter((id) => id.pending === pending);

describe("splices on a real chain", function () {
  this.timeout(240_000);
  let bed: Bed;
  before(async () => {
    bed = await Bed.start();
  });
  after(() => bed.stop());

  /** Confirmed and locked. */
  async function splice(cells: readonly Cell[]): Promise<void> {
    const splices = await Promise.all(cells.map(spliceOut));
    for (const { tx } of splices) await bed.send(bytesOf(tx));
    await bed.mine(BLOCKS_TO_FINAL);
    await Promise.all(
      cells.map(({ channel }, at) => channel.splices.lock(must(splices[at], "one a cell"))),
    );
  }

  function suite(
    title: string,
    ids: readonly CellId[],
    run: (cells: readonly Cell[]) => Promise<void>,
    check: (cell: Cell) => void = () => undefined,
  ): void {
    describe(title, () => {
      let cells: readonly Cell[] = [];
      before(async () => {
        cells = await openCells(bed, ids);
        await run(cells);
      });
      for (const [index, id] of ids.entries()) {
        it(cellName(id), () => {
          const cell = must(cells[index], "a cell");
          verify(bed, cell);
          check(cell);
        });
      }
    });
  }

  suite("our commitment on the new funding", idsOf("holder", "received"), async (cells) => {
    await splice(cells);
    await Promise.all(cells.map(prepare));
    await closeOurselves(bed, cells);
  });

  suite("a revoked commitment on the new funding", idsOf("revoked", "duplicate"), async (cells) => {
    await splice(cells);
    await Promise.all(cells.map(prepare));
    await punish(bed, cells);
  });

  const pending = new Map<Cell, Splice>();
  suite(
    "a revoked commitment on the old funding while a splice is pending",
    idsOf("revoked", "offered"),
    async (cells) => {
      await Promise.all(cells.map(prepare));
      for (const cell of cells) pending.set(cell, await spliceOut(cell));
      await punish(bed, cells);
    },
    (cell) => {
      const told = bodiesOf(bed.events(cell.channel.channelId), "discardFunding");
      const { funding } = must(pending.get(cell), "its splice");
      assert.deepEqual(told, [{ kind: "discardFunding", funding }]);
    },
  );

  suite(
    "our commitment, overtaken by a splice in a block",
    idsOf("holder", "dust"),
    async (cells) => {
      for (const cell of cells) cell.splice = await spliceOut(cell);
      await Promise.all(cells.map(prepare));
      await bed.follow();
      const splices = cells.map(({ splice: each }) => must(each, "a splice"));
      for (const [index, cell] of cells.entries()) {
        const { funding } = must(splices[index], "one a cell");
        cell.closing = cell.channel.splices.commitmentOn(funding, "holder");
      }
      await bed.mineOnly(splices.map(({ tx }) => bytesOf(tx)));
      await closeOurselves(bed, cells);
    },
  );

  it("has a cell of every channel type in each", () => {
    for (const ids of [idsOf("revoked", "offered"), idsOf("revoked", "duplicate")]) {
      assert.deepEqual(
        ids.map(({ type }) => type),
        CHANNEL_TYPES,
      );
    }
  });
});
