/**
 * The manager with LDK's own bytes (contract section 1, "LDK dialect"): every recorded node's monitors and
 * updates are accepted as they came, without an alarm; what is wrong with bytes is said with its place.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { must } from "@farwatch/protocol/assert";
import { concatBytes, fromHex, toHex } from "@farwatch/protocol/bytes";
import { InitialState } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, updateId, type ChannelId } from "@farwatch/protocol/ids";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { vectorRows } from "@farwatch/protocol/ldk/load-vectors.test";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { CHAIN_HASH } from "@farwatch/manager-service/manager/testing/scene";
import { Bench, WHO } from "@farwatch/manager-service/runtime/testing/bench";
import { idOf, openedAs, RecordedNode } from "./recorded-ldk-node.js";
import { recordingNamed, vectors } from "./shell/ldk-node.js";

const names = readdirSync(vectors)
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.replace(/\.json$/, ""));

describe("a manager with LDK's own bytes", function () {
  this.timeout(120_000);
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.remove());

  for (const name of names) {
    it(`accepts the recorded nodes of ${name} without an alarm`, async () => {
      const recording = recordingNamed(name);
      for (const { timeline } of Object.values(recording.nodes)) {
        await openedAs(bench, Role.NODE_RESOLVES);
        const node = new RecordedNode(bench);
        const { stream } = bench.updates();
        const { items } = bench.subscribe();
        for (const entry of timeline) await node.take(entry);
        const updates = timeline.filter(({ type }) => type === "update_channel").length;
        const accepted = stream.told.filter((told) => told.startsWith("accepted")).length;
        assert.deepEqual([accepted, items.keys], [updates, []]);
        await bench.remove();
        bench = new Bench();
      }
    });
  }

  it("lists the forwards and payments of a recorded node, the same after a restart", async () => {
    const { timeline } = must(recordingNamed("forward_3node.static_remotekey").nodes["B"], "B");
    await openedAs(bench, Role.NODE_RESOLVES);
    const node = new RecordedNode(bench);
    for (const entry of timeline) await node.take(entry);
    const lists = async () => [
      await bench.host.forwards(WHO, undefined, 100),
      await bench.host.payments(WHO, undefined, 100),
    ];
    const forwards = await bench.host.forwards(WHO, undefined, 100);
    assert.ok(forwards.length > 1);
    for (const { forward } of forwards) {
      const [prev] = forward.prev;
      assert.ok((prev?.htlc?.htlcId ?? 1_000n) < 100n, "an id of the channel's own");
      assert.equal(forward.next[0]?.htlc?.htlcId, undefined, "LDK's bytes do not tell it");
    }
    const before = await lists();
    await bench.stop();
    await bench.start();
    assert.deepEqual(await lists(), before);
  });

  describe("from one recording", () => {
    const { timeline } = must(recordingNamed("coop_close.static_remotekey").nodes["A"], "node A");
    const [first] = timeline.flatMap((entry) =>
      entry.type === "watch_channel" ? [fromHex(entry.monitor)] : [],
    );
    const monitor = must(first, "a monitor");
    const updates = timeline.flatMap((entry) =>
      entry.type === "update_channel" ? [fromHex(entry.update)] : [],
    );
    const one = must(updates[0], "an update");
    let node: RecordedNode;
    let id: ChannelId;
    const opened = async (role = Role.NODE_RESOLVES): Promise<void> => {
      await openedAs(bench, role);
      node = new RecordedNode(bench);
    };
    const watched = async (): Promise<void> => {
      await opened();
      const read = readLdkMonitor(monitor, CHAIN_HASH, nobleCurve);
      assert.ok(read.ok);
      id = read.value.initial.parameters.channelId;
      assert.ok((await node.watch(monitor)).ok);
      await bench.durable(0, id);
    };
    const refusedUpdate = async (bytes: Uint8Array, number = 1n) => {
      const told: [string, string][] = [];
      const open = bench.host.updateStream(WHO, {
        tell({ item }) {
          if (item?.$case !== "refused") return;
          const { reason = "", details = {} } = item.value.error ?? {};
          told.push([reason, details["field"] ?? ""]);
        },
        end: () => undefined,
      });
      await node.update(id, number, bytes);
      open.close();
      return told;
    };

    it("sends monitors a first state with LDK's monitor in it, and each update as it came", async () => {
      await watched();
      await node.update(id, 1n, one);
      const state = InitialState.decode(must(bench.a.watched[0], "watched").payload);
      assert.equal(toHex(must(state.ldkMonitor, "LDK's bytes")), toHex(monitor));
      assert.equal(toHex(must(bench.a.sent[0], "sent").payload), toHex(one));
    });

    it("keeps both over a restart and answers the same again", async () => {
      await watched();
      await node.update(id, 1n, one);
      await bench.stop();
      await bench.start();
      const again = await node.watch(monitor, 1);
      assert.ok(again.ok);
      assert.equal(again.value.acceptedId, 1n);
      const { stream } = bench.updates();
      await node.update(id, 1n, one);
      assert.deepEqual(stream.told.at(-1), "accepted 1");
    });

    it("refuses first states that are not one, with the place", async () => {
      await opened();
      const cut = await node.watch(monitor.slice(0, -1));
      assert.ok(!cut.ok);
      const { reason, details } = cut.error;
      assert.deepEqual([reason, details["field"]], ["malformed", "ldk_monitor"]);
      assert.ok(Number(details["offset"]) > 0);
      const later = await node.watch(monitor, 2);
      assert.deepEqual(
        [!later.ok && later.error.reason, !later.ok && later.error.details["expected"]],
        ["rangeExceeded", "1"],
      );
      assert.ok((await node.watch(monitor, 1)).ok);
      const twice = await node.watch(monitor, 0);
      assert.ok(twice.ok, "0 and the right id are the same");
    });

    it("refuses updates that name another id or channel, or end early", async () => {
      await watched();
      assert.deepEqual(await refusedUpdate(one, 2n), [["malformed", "ldk_bytes.update_id"]]);
      const other = concatBytes(one.slice(0, -32), fromHex("77".repeat(32)));
      assert.deepEqual(await refusedUpdate(other), [["malformed", "ldk_bytes.channel_id"]]);
      assert.deepEqual(await refusedUpdate(one.slice(0, -1)), [["malformed", "ldk_bytes"]]);
      assert.deepEqual(await refusedUpdate(one), []);
    });

    it("goes on from a monitor in use, wherever its channel stood, and gives it back as the first", async () => {
      const rows = vectorRows().filter(({ run, node: of }) => run === "anchors" && of === "a");
      const log = rows.flatMap(({ kind, bytes }) =>
        kind === "update" && idOf(bytes) > 0n ? [bytes] : [],
      );
      const last = idOf(must(log.at(-1), "an update"));
      const starts = rows.flatMap(({ kind, bytes }) => {
        const at = kind === "monitor" ? decodeChannelMonitor(bytes) : undefined;
        return at?.ok === true && at.value.latestUpdateId < last
          ? [{ bytes, at: at.value.latestUpdateId }]
          : [];
      });
      assert.ok(starts.some(({ at }) => at > 10n));
      for (const { bytes, at } of starts) {
        await opened();
        const read = readLdkMonitor(bytes, CHAIN_HASH, nobleCurve);
        assert.ok(read.ok, read.ok ? "" : read.error.message);
        id = read.value.initial.parameters.channelId;
        assert.ok((await node.watch(bytes)).ok);
        const { stream } = bench.updates();
        const { items } = bench.subscribe();
        for (const update of log.filter((each) => idOf(each) > at)) {
          await node.update(id, idOf(update), update);
        }
        assert.equal(stream.told.at(-1), `accepted ${last}`, `from ${at}`);
        assert.deepEqual(items.keys, []);
        const source = await bench.host.ldkMonitor(WHO, id, updateId(0));
        assert.ok(source.ok);
        assert.deepEqual(
          [source.value.start.updateId, toHex(source.value.start.monitor)],
          [at, toHex(bytes)],
        );
        await bench.remove();
        bench = new Bench();
      }
    });

    it("refuses a channel that is not watched, and a role that does not resolve", async () => {
      await watched();
      const known = id;
      id = channelId("77".repeat(32));
      assert.deepEqual(await refusedUpdate(one), [["channelUnknown", ""]]);
      id = known;
      await bench.remove();
      bench = new Bench();
      await opened(Role.OBSERVE);
      const asObserver = await node.watch(monitor);
      assert.equal(!asObserver.ok && asObserver.error.reason, "unknownRole");
    });
  });
});
