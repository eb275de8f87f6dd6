/** The end-of-replay marker as operators and tests see it: ListMonitors and GetInfo. */
import assert from "node:assert/strict";
import { claimed, sign } from "../manager/testing/scene.js";
import { Bench, SlowStore } from "./testing/bench.js";

describe("the replay of the monitors' events", () => {
  const bench = new Bench();
  afterEach(() => bench.stop());
  after(() => bench.remove());

  const done = async (): Promise<readonly unknown[]> => {
    const [a, b] = await bench.host.monitors();
    const { replayDone } = await bench.host.info();
    return [a?.replayDone, b?.replayDone, replayDone];
  };

  it("is done when every monitor has replayed once since the start", async () => {
    await bench.start();
    assert.deepEqual(await done(), [false, false, false]);
    const { a, b } = bench;
    a.host.connected(a, a.status().storeId);
    assert.deepEqual(await done(), [false, false, false]);
    a.host.endOfReplay(a, 3n);
    assert.deepEqual(await done(), [true, false, false]);
    b.host.connected(b, b.status().storeId);
    b.host.endOfReplay(b, 0n);
    assert.deepEqual(await done(), [true, true, true]);
    a.host.disconnected(a, "gone");
    assert.deepEqual(await done(), [false, true, true], "what was known stays known");
    assert.equal((await bench.host.monitors())[0]?.replayedEvents, 3n);
  });

  it("begins anew with the process", async () => {
    await bench.start();
    assert.deepEqual(await done(), [false, false, false]);
  });

  it("is not told done before what it brought is on disk", async () => {
    const store = new SlowStore();
    await bench.start(store.wrap);
    await bench.opened();
    await bench.update(1, [sign(1, [{ part: 1 }])]);
    store.hold();
    const { a, b } = bench;
    const recorded = a.event(claimed({ part: 1 }));
    for (const link of [a, b]) {
      link.host.connected(link, link.status().storeId);
      link.host.endOfReplay(link, 1n);
    }
    let answered = false;
    const asked = bench.host.info().then((info) => {
      answered = true;
      return info;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(answered, false);
    store.release();
    await recorded;
    assert.equal((await asked).replayDone, true);
  });
});
