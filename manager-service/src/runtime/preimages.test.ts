/** Preimage records in the shell: to every monitor that must hold them, from committed rows, until durable. */
import assert from "node:assert/strict";
import { monitorKey, storeId, updateId } from "@farwatch/protocol/ids";
import { refuse } from "@farwatch/protocol/reasons";
import type { UpdateStep } from "@farwatch/protocol/update";
import {
  byte,
  CHANNEL,
  hashOf,
  MONITOR_B,
  receive,
  secretOf,
  STORE_A,
  STORE_B,
} from "../manager/testing/scene.js";
import type { StoredPreimage } from "../monitors/monitor-link.js";
import { Bench, settle, SlowStore, type ScriptedLink } from "./testing/bench.js";

const NEW_STORE = storeId(byte(0xa4, 16));
const learns = (secret: number): UpdateStep => ({
  kind: "paymentPreimage",
  preimage: secretOf(secret),
  paymentInfo: undefined,
});
const hashes = (records: readonly StoredPreimage[]): readonly string[] =>
  records.map(({ paymentHash }) => paymentHash);
const hash = (secret: number): string => hashOf({ part: secret });

describe("preimage records in the shell", () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.remove());

  const opened = async (store = new SlowStore()): Promise<SlowStore> => {
    await bench.start(store.wrap);
    await bench.opened();
    return store;
  };
  const pending = (link: ScriptedLink, store = STORE_A): readonly string[] =>
    hashes(link.host.pendingPreimages(link, store));

  it("go to every required monitor after the commit, of accepted and of refused updates", async () => {
    const store = await opened();
    store.hold();
    const done = [bench.update(1, [learns(1)]), bench.update(7, [receive(1), learns(2)])];
    await settle();
    assert.deepEqual([bench.a.preimages, pending(bench.a)], [[], []], "not on disk yet");
    store.release();
    await Promise.all(done);
    for (const link of [bench.a, bench.b]) {
      assert.deepEqual(hashes(link.preimages), [hash(1), hash(2)]);
      assert.deepEqual(link.preimages[0]?.preimage, secretOf(1));
      assert.deepEqual(pending(link), [hash(1), hash(2)]);
    }
    await bench.update(1, [learns(1)]);
    assert.equal(bench.a.preimages.length, 2, "learnt once");
  });

  it("are asked for until this store has them, over a restart, and by a new store again", async () => {
    await opened();
    await bench.update(1, [learns(1), learns(2)]);
    const [first] = bench.a.preimages;
    assert.ok(first !== undefined);
    await bench.a.host.preimagesStored(bench.a, STORE_A, [first]);
    await bench.stop();
    await bench.start();
    assert.deepEqual(pending(bench.a), [hash(2)]);
    assert.deepEqual(pending(bench.b, STORE_B), [hash(1), hash(2)]);
    assert.deepEqual(pending(bench.a, NEW_STORE), [hash(1), hash(2)]);
    const stranger = { name: "c", monitorKey: monitorKey(byte(0xc3)) };
    assert.deepEqual(bench.a.host.pendingPreimages(stranger, STORE_A), [], "holds no channel");
    assert.deepEqual(hashes(bench.a.host.preimagesOf(bench.a, CHANNEL)), [hash(1), hash(2)]);
    assert.deepEqual(bench.a.host.preimagesOf(stranger, CHANNEL), []);
  });

  it("do not go to a monitor that was added after the channel", async () => {
    bench.alone = true;
    await bench.start();
    await bench.watch();
    await bench.a.receipt(0);
    await bench.stop();
    bench.alone = false;
    await bench.start();
    await bench.update(1, [learns(1)]);
    assert.deepEqual([hashes(bench.a.preimages), bench.b.preimages], [[hash(1)], []]);
    assert.deepEqual([pending(bench.a), pending(bench.b, STORE_B)], [[hash(1)], []]);
  });

  it("that a monitor refuses stay pending and raise one alarm each", async () => {
    await opened();
    await bench.update(1, [learns(1)]);
    const [record] = bench.b.preimages;
    assert.ok(record !== undefined);
    const { items } = bench.subscribe();
    for (let i = 0; i < 2; i++) {
      bench.b.host.preimageRefused(bench.b, record, refuse("channelHalted", "halted"));
      await bench.update(1, [learns(1)]);
    }
    await settle();
    assert.deepEqual(items.keys, [`alarm/preimageRefused/b/${CHANNEL}/${hash(1)}`]);
    assert.deepEqual(pending(bench.b, STORE_B), [hash(1)]);
  });

  it("change nothing for updates: those go on, and complete without them", async () => {
    await opened();
    const { stream } = bench.updates();
    await bench.update(1, [learns(1)]);
    await bench.a.receipt(1);
    await bench.b.receipt(1);
    assert.deepEqual(stream.told, ["completed 0", "accepted 1", "completed 1"]);
    assert.deepEqual(await bench.a.host.hashAt(CHANNEL, updateId(1)), bench.a.sent[0]?.updateHash);
    assert.ok(bench.b.monitorKey === MONITOR_B && pending(bench.b, STORE_B).length === 1);
  });
});
