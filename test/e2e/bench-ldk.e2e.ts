/** The bench's LDK part runs from end to end. What it measures is asserted nowhere. */
import assert from "node:assert/strict";
import { paymentRows } from "../bench/ldk/payment-rows.js";
import { withBitcoind } from "../bench/ldk/services.js";
import { loadLdk } from "../fixture-recorder/ldk/module.js";

describe("the bench with a real LDK node", () => {
  it("pays through each Watch, and has a baseline in every row", async () => {
    await loadLdk();
    const sizes = { channels: 1, inFlight: 2, rounds: 1, oneByOne: 1, together: 2 };
    const lines: string[] = [];
    const rows = await withBitcoind((bitcoind) =>
      paymentRows(bitcoind, sizes, (line) => void lines.push(line)),
    );
    for (const { name, value, limit } of rows) assert.ok(value >= 0 && limit >= 0, name);
    const units = new Set(rows.map(({ unit }) => unit));
    assert.deepEqual([...units].toSorted(), ["ms", "payments/s", "updates/s"]);
    assert.match(lines.join("\n"), /run 1, remote many asked: /);
  });
});
