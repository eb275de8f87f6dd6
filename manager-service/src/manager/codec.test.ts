/** Rows <-> bytes: everything a step writes reads back equal; damage and newer builds are refused. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { must } from "@farwatch/protocol/assert";
import { utf8 } from "@farwatch/protocol/bytes";
import { decodeRow, decodeUpdateRow, encodeRow, encodeUpdateRow, UnreadableRow } from "./codec.js";
import { Hops } from "./testing/hops.js";
import { forwardOf, IN, incoming, OUT } from "./testing/htlcs.js";
import { claimed, failed, MONITOR_A, PAYMENT, Scene, sign } from "./testing/scene.js";

describe("row codec", () => {
  it("reads back every row of a lively channel", () => {
    const scene = Scene.opened();
    scene.register(PAYMENT, { part: 1 });
    scene.offer(1, [sign(1, [{ part: 1 }, { part: 2, secret: 1 }])]);
    scene.event(MONITOR_A, failed({ part: 2, secret: 1 }));
    scene.event(MONITOR_A, claimed({ part: 1 }));
    let rows = 0;
    for (const table of Object.values(scene.tables)) {
      for (const row of table.values()) {
        assert.deepEqual({ ...decodeRow<object>(encodeRow(row)) }, withoutUndefined(row));
        rows += 1;
      }
    }
    assert.ok(rows >= 10, `${rows} rows`);
  });

  it("reads back every row of forwards, claims and records", () => {
    const hops = new Hops();
    const inbound = incoming(IN, 1);
    const paid = incoming(IN, 2, 2);
    const outbound = forwardOf(inbound, OUT, 7);
    hops.add(inbound, paid, outbound);
    hops.fails(MONITOR_A, outbound);
    hops.claims(MONITOR_A, outbound);
    assert.ok(hops.claimPayment([paid], 2).ok);
    hops.kept(IN);
    for (const table of ["forward", "leg", "inbound", "claim", "preimage", "item"] as const) {
      const rows = [...hops.tables[table].values()];
      assert.ok(rows.length > 0, table);
      for (const row of rows) {
        assert.deepEqual({ ...decodeRow<object>(encodeRow(row)) }, withoutUndefined(row));
      }
    }
  });

  it("reads back an update with the hash of its header", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, [])]);
    const [row] = scene.updates.values();
    assert.deepEqual(decodeUpdateRow(encodeUpdateRow(must(row, "update"))), row);
  });

  it("refuses other versions and damage", () => {
    const bytes = encodeRow({ a: 1n });
    bytes[0] = 2;
    assert.throws(() => decodeRow(bytes), UnreadableRow);
    assert.throws(() => decodeRow(encodeRow({ a: 1n }).subarray(0, 5)), UnreadableRow);
    assert.throws(() => decodeUpdateRow(new Uint8Array([1, 2, 3])), UnreadableRow);
    assert.throws(() => decodeUpdateRow(new Uint8Array()), UnreadableRow);
  });
});

describe("the error of a damaged row", () => {
  it("quotes nothing of it: it may hold a preimage", () => {
    for (const secret of [
      '{"preimage":{"$b":"c0ffee"',
      '{"preimage":{"$b":"c0ffeex0"}}',
      "c0ffee",
    ]) {
      const bytes = new Uint8Array([1, ...utf8(secret)]);
      assert.throws(
        () => decodeRow(bytes),
        (error) => error instanceof UnreadableRow && !inspect(error).includes("c0ffee"),
      );
    }
  });
});

/** A field that is undefined and a field that is absent read the same. */
function withoutUndefined(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(withoutUndefined);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, withoutUndefined(field)]),
  );
}
