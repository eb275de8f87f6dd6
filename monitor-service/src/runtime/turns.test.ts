import assert from "node:assert/strict";
import { managerKey } from "@farwatch/protocol/ids";
import { MAX_UPDATES_IN_FLIGHT } from "./limits.js";
import { Turns } from "./turns.js";

const MANAGER = managerKey("aa".repeat(32));
const OTHER = managerKey("bb".repeat(32));

describe("turns", () => {
  it("counts what is under way up to the limit, per manager", () => {
    const turns = new Turns();
    const limit = MAX_UPDATES_IN_FLIGHT;
    assert.ok(turns.enter(MANAGER, limit, limit));
    assert.ok(!turns.enter(MANAGER, 1, limit));
    assert.ok(turns.enter(OTHER, 1, limit));
    turns.leave(MANAGER, 1);
    assert.ok(turns.enter(MANAGER, 1, limit));
    assert.ok(!turns.enter(MANAGER, 1, limit));
  });

  it("runs a manager's work in the order of arrival, others beside it", async () => {
    const turns = new Turns();
    const seen: string[] = [];
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const first = turns.take(MANAGER, async () => {
      await gate;
      seen.push("first");
    });
    const second = turns.take(MANAGER, async () => void seen.push("second"));
    await turns.take(OTHER, async () => void seen.push("other"));
    open();
    await Promise.all([first, second]);
    assert.deepEqual(seen, ["other", "first", "second"]);
  });

  it("goes on after work that failed, and gives the failure to its own caller", async () => {
    const turns = new Turns();
    const failed = turns.take(MANAGER, () => Promise.reject(new Error("mine")));
    const next = turns.take(MANAGER, async () => "next");
    await assert.rejects(failed, /mine/);
    assert.equal(await next, "next");
  });
});
