/**
 * Goal: for every channel type, every way to close and everything that can be pending, what the monitor
 * does is taken by a real bitcoind and confirms, the user is told the truth once, and no satoshi is lost.
 * Method: one bitcoind, one monitor; all channels of one close go through it together, one channel a
 * cell. The table at the end of the run is the result.
 */
import assert from "node:assert/strict";
import { Bed } from "./bed.js";
import { openCells, type Cell } from "./cell.js";
import { cellName, cellsOf, CLOSES } from "./cells.js";
import { runPhase } from "./closes.js";
import { Table } from "./table.js";
import { verify } from "./verify.js";

const table = new Table();
// Outside of any suite: the last words of the whole run.
after(() => void process.stdout.write(table.lines().join("\n")));

describe("on-chain matrix", function () {
  this.timeout(240_000);
  let bed: Bed;
  before(async () => {
    bed = await Bed.start();
  });
  after(() => bed.stop());

  for (const close of CLOSES) {
    const ids = cellsOf(close);
    describe(close, () => {
      let cells: readonly Cell[] = [];
      before(async () => {
        const startedAt = Date.now();
        cells = await openCells(bed, ids);
        await runPhase(close, bed, cells);
        table.took(close, Date.now() - startedAt);
      });

      for (const [index, id] of ids.entries()) {
        it(cellName(id), () => {
          table.started(id);
          const cell = cells[index];
          assert.ok(cell !== undefined);
          verify(bed, cell);
          table.passed(id);
        });
      }
    });
  }

  describe("all of them", () => {
    it("has run every cell there is", () => {
      const written = CLOSES.flatMap(cellsOf);
      const missing = written.filter((id) => table.mark(id) === "missing").map(cellName);
      assert.deepEqual(missing, []);
      assert.deepEqual(
        bed.lines.filter(({ level }) => level === "error"),
        [],
      );
    });
  });
});
