import assert from "node:assert/strict";
import { Lockstep } from "./lockstep.js";

describe("lockstep", () => {
  it("mines once for all who wait, as many blocks as the one who wants fewest", async () => {
    const mined: number[] = [];
    const pace = new Lockstep((blocks) => Promise.resolve(void mined.push(blocks)));
    const results = await pace.run([() => pace.mine(5), () => pace.mine(2), () => pace.mine(5)]);
    assert.deepEqual(mined, [2, 3]);
    assert.ok(results.every(({ status }) => status === "fulfilled"));
  });

  it("does together what is asked for, once, when nobody wants a block any more", async () => {
    const done: string[] = [];
    const pace = new Lockstep((blocks) => Promise.resolve(void done.push(`mine ${blocks}`)));
    const act = () => Promise.resolve(void done.push("kill"));
    await pace.run([
      () => pace.together("kill", act),
      async () => {
        await pace.mine(1);
        await pace.together("kill", act);
      },
    ]);
    assert.deepEqual(done, ["mine 1", "kill"]);
  });

  it("lets the others go on when one fails", async () => {
    const mined: number[] = [];
    const pace = new Lockstep((blocks) => Promise.resolve(void mined.push(blocks)));
    const results = await pace.run([
      () => pace.mine(3),
      () => Promise.reject(new Error("a lane that fails")),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected"],
    );
    assert.deepEqual(mined, [3]);
  });
});
