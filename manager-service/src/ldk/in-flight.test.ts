import assert from "node:assert/strict";
import { channelId } from "@farwatch/protocol/ids";
import { InFlight } from "./in-flight.js";

const ID = channelId("11".repeat(32));
const bytes = (...values: number[]) => Uint8Array.from(values);

describe("updates in flight", () => {
  it("are given in order, from an id on, each once", () => {
    const updates = new InFlight();
    updates.add(ID, 8n, bytes(8));
    updates.add(ID, 7n, bytes(7));
    updates.add(ID, 8n, bytes(8));
    assert.deepEqual(updates.after(ID, 6n), [bytes(7), bytes(8)]);
    assert.deepEqual(updates.after(ID, 7n), [bytes(8)]);
  });

  it("are forgotten when they, or a later one, are completed", () => {
    const updates = new InFlight();
    for (const id of [1, 2, 3]) updates.add(ID, BigInt(id), bytes(id));
    updates.completed(ID, 2n);
    assert.deepEqual(updates.after(ID, 0n), [bytes(3)]);
    updates.completed(ID, 3n);
    assert.deepEqual(updates.after(ID, 0n), []);
  });
});
