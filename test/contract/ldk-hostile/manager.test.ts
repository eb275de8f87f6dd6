/**
 * Hostile LDK bytes at the manager's shell with its store on disk: WatchChannel and UpdateChannel refuse them
 * with a reason of ours and nothing has changed, or take what LDK could have written. The node goes on.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { fromHex } from "@farwatch/protocol/bytes";
import { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { REASONS } from "@farwatch/protocol/reasons";
import { CHAIN_HASH } from "@farwatch/manager-service/manager/testing/scene";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { Bench } from "@farwatch/manager-service/runtime/testing/bench";
import type { ChannelId } from "@farwatch/protocol/ids";
import { firstMonitors, updateSeeds } from "../../fuzz/seeds.js";
import { openedAs, RecordedNode } from "../recorded-ldk-node.js";
import { recordingNamed } from "../shell/ldk-node.js";
import { changed, withId } from "./inputs.js";

const UPDATES = 300;
const MONITORS = 150;

describe("hostile LDK bytes at a manager", function () {
  this.timeout(120_000);
  const { timeline } = must(recordingNamed("coop_close.static_remotekey").nodes["A"], "node A");
  const [monitor] = timeline.flatMap((entry) =>
    entry.type === "watch_channel" ? [fromHex(entry.monitor)] : [],
  );
  const updates = timeline.flatMap((entry) =>
    entry.type === "update_channel" ? [fromHex(entry.update)] : [],
  );
  const first = must(monitor, "a monitor");
  const one = must(updates[0], "an update");
  let bench: Bench;
  let node: RecordedNode;
  let id: ChannelId;

  async function started(): Promise<void> {
    bench = new Bench();
    await openedAs(bench, Role.NODE_RESOLVES);
    node = new RecordedNode(bench);
  }
  async function watched(): Promise<void> {
    await started();
    const read = readLdkMonitor(first, CHAIN_HASH, nobleCurve);
    assert.ok(read.ok);
    id = read.value.initial.parameters.channelId;
    assert.ok((await node.watch(first)).ok);
    await bench.durable(0, id);
  }
  afterEach(() => bench.remove());

  it("updates in place of the first: refused, and the node goes on", async () => {
    await watched();
    let refused = 0;
    for (const bytes of changed(one, updateSeeds(), { count: UPDATES, seed: 3 })) {
      const { stream, open } = bench.updates();
      await node.update(id, 1n, withId(bytes, 1n));
      open.close();
      const answer = must(stream.told.at(-1), "an answer");
      assert.equal(stream.ended, undefined);
      if (answer.startsWith("refused ")) {
        refused += 1;
        assert.ok(Object.hasOwn(REASONS, answer.slice("refused ".length)), answer);
        continue;
      }
      assert.equal(answer, "accepted 1");
      await bench.remove();
      await watched();
    }
    assert.ok(refused > UPDATES / 2, `${refused} refused`);
    assert.deepEqual(bench.a.sent, []);
    const { stream } = bench.updates();
    for (const [at, bytes] of updates.entries()) await node.update(id, BigInt(at + 1), bytes);
    const wanted = updates.map((_, at) => `accepted ${at + 1}`);
    assert.deepEqual(
      stream.told.filter((told) => told.startsWith("accepted")),
      wanted,
    );
    assert.deepEqual(bench.fatal, []);
  });

  it("monitors in WatchChannel: refused, and the node goes on", async () => {
    await started();
    let refused = 0;
    for (const bytes of changed(first, firstMonitors(), { count: MONITORS, seed: 4 })) {
      const answer = await node.watch(bytes);
      if (!answer.ok) {
        refused += 1;
        assert.ok(Object.hasOwn(REASONS, answer.error.reason), answer.error.reason);
        continue;
      }
      await bench.remove();
      await started();
    }
    assert.ok(refused > MONITORS / 3, `${refused} refused`);
    assert.deepEqual(bench.a.watched, []);
    assert.ok((await node.watch(first)).ok);
    assert.deepEqual(bench.fatal, []);
  });
});
