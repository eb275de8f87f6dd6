/**
 * What an LDK node starts again from (contract 2.22; restart rules R3, R6, R7): its first monitor or a
 * checkpoint, the updates up to what it was told, what became of the channel, and the events it wants again.
 */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type { LdkMonitorStart } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { Role } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { channelId, eventId, storeId, updateId, type ChannelId } from "@farwatch/protocol/ids";
import { nobleCurve } from "@farwatch/protocol/curve/noble-curve";
import { readLdkMonitor } from "@farwatch/protocol/ldk/convert/read-monitor";
import { vectorRows } from "@farwatch/protocol/ldk/load-vectors.test";
import { decodeChannelMonitor } from "@farwatch/protocol/ldk/monitor";
import type { Reason } from "@farwatch/protocol/reasons";
import {
  CHAIN_HASH,
  CHANNEL,
  claimed,
  confirmed,
  failed,
  fromUpdate,
} from "@farwatch/manager-service/manager/testing/scene";
import { UPDATES_PER_READ } from "@farwatch/manager-service/runtime/ldk-monitor";
import { Bench, settle, WHO } from "@farwatch/manager-service/runtime/testing/bench";
import { idOf, openedAs, RecordedNode } from "./recorded-ldk-node.js";

const rows = vectorRows().filter(({ run, node }) => run === "anchors" && node === "a");
/** 1 to 22, the last of them ChannelForceClosed. */
const updates = rows
  .flatMap(({ kind, bytes }) => (kind === "update" && idOf(bytes) > 0n ? [bytes] : []))
  .slice(0, 22);
const monitors = new Map(
  rows.flatMap(({ kind, bytes }) => {
    const decoded = kind === "monitor" ? decodeChannelMonitor(bytes) : undefined;
    return decoded?.ok === true ? [[decoded.value.latestUpdateId, bytes] as const] : [];
  }),
);
const monitorAt = (id: bigint): Uint8Array => must(monitors.get(id), `a monitor at ${id}`);
const first = rows.flatMap(({ kind, bytes }) => (kind === "monitor" ? [bytes] : []));
const initial = must(first[0], "the first monitor");
const read = readLdkMonitor(initial, CHAIN_HASH, nobleCurve);
assert.ok(read.ok);
const id: ChannelId = read.value.initial.parameters.channelId;

interface Got extends LdkMonitorStart {
  readonly updates: readonly string[];
}

describe("what an LDK node starts again from", function () {
  this.timeout(120_000);
  let bench: Bench;
  let node: RecordedNode;
  /** Watched, with that many updates accepted and so many of them durable. */
  async function withUpdates(accepted: number, durable = accepted): Promise<void> {
    await openedAs(bench, Role.NODE_RESOLVES);
    node = new RecordedNode(bench);
    assert.ok((await node.watch(initial)).ok);
    for (const bytes of updates.slice(0, accepted)) await node.update(id, idOf(bytes), bytes);
    await bench.durable(durable, id);
  }
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.remove());

  async function got(told: number): Promise<Got> {
    const source = await bench.host.ldkMonitor(WHO, id, updateId(told));
    assert.ok(source.ok, source.ok ? "" : source.error.message);
    const found: string[] = [];
    for await (const bytes of source.value.updates) found.push(toHex(bytes));
    return { ...source.value.start, updates: found };
  }
  async function refused(told: number, on = id, who = WHO): Promise<Reason | undefined> {
    const source = await bench.host.ldkMonitor(who, on, updateId(told));
    return source.ok ? undefined : source.error.reason;
  }
  const put = async (at: bigint, bytes: Uint8Array, on = id): Promise<Reason | undefined> => {
    const checkpoint = { channelId: on, updateId: updateId(at), monitor: bytes };
    const stored = await bench.host.putLdkCheckpoint(WHO, checkpoint);
    return stored.ok ? undefined : stored.error.reason;
  };
  const hexOf = (from: number, to: number): readonly string[] =>
    updates.slice(from, to).map((bytes) => toHex(bytes));
  const baseOf = ({ monitor, updateId: at, updates: after }: Got) => [
    toHex(monitor),
    at,
    after.length,
  ];

  it("is its first monitor and the updates up to what it was told, as they came", async () => {
    await withUpdates(10, 8);
    const all = await got(8);
    assert.deepEqual(baseOf(all), [toHex(initial), 0n, 8]);
    assert.deepEqual(all.updates, hexOf(0, 8));
    assert.deepEqual([all.acceptedId, all.durableId], [10n, 8n]);
    assert.deepEqual([all.closed, all.unresolvedHtlcs, all.handledHtlcEvents], [false, 0, []]);
    assert.deepEqual((await got(3)).updates, hexOf(0, 3));
    assert.deepEqual((await got(0)).updates, []);
  });

  it("is found before the first state is durable, and refused above what ever was (R6)", async () => {
    await openedAs(bench, Role.NODE_RESOLVES);
    node = new RecordedNode(bench);
    assert.ok((await node.watch(initial)).ok);
    assert.deepEqual(baseOf(await got(0)), [toHex(initial), 0n, 0]);
    assert.equal(await refused(1), "rangeExceeded");
    await node.update(id, 1n, must(updates[0], "an update"));
    assert.equal(await refused(1), "rangeExceeded", "accepted, durable nowhere");
    await bench.durable(1, id);
    assert.equal(await refused(1), undefined);
    assert.equal(await refused(2), "rangeExceeded");
  });

  it("is whose the channel is, and of channels that speak LDK only", async () => {
    await withUpdates(1);
    assert.equal(await refused(0, channelId("77".repeat(32))), "channelUnknown");
    assert.equal(await refused(0, id, { ...WHO, nodeKey: "03".repeat(33) }), "notYourChannel");
    await bench.watch();
    assert.equal(await refused(0, CHANNEL), "malformed");
  });

  it("is the newest checkpoint at or below what it was told; two of them outlive a restart", async () => {
    await withUpdates(21);
    for (const at of [2n, 8n, 14n]) assert.equal(await put(at, monitorAt(at)), undefined);
    for (const again of [false, true]) {
      if (again) {
        await bench.stop();
        await bench.start();
      }
      assert.deepEqual(baseOf(await got(21)), [toHex(monitorAt(14n)), 14n, 7]);
      assert.deepEqual((await got(21)).updates, hexOf(14, 21));
      assert.deepEqual(baseOf(await got(14)), [toHex(monitorAt(14n)), 14n, 0]);
      assert.deepEqual(baseOf(await got(13)), [toHex(monitorAt(8n)), 8n, 5]);
      assert.deepEqual(baseOf(await got(7)), [toHex(initial), 0n, 7], "the third went");
    }
  });

  it("takes checkpoints that are what they are said to be", async () => {
    await withUpdates(5);
    assert.equal(await put(3n, monitorAt(2n)), "malformed");
    assert.equal(await put(2n, monitorAt(2n).slice(0, -1)), "malformed");
    assert.equal(await put(2n, new Uint8Array(3 * 1024 * 1024)), "tooLarge");
    assert.equal(await put(8n, monitorAt(8n)), "rangeExceeded");
    assert.equal(await put(2n, monitorAt(2n), channelId("77".repeat(32))), "channelUnknown");
    await bench.watch();
    assert.equal(await put(2n, monitorAt(2n), CHANNEL), "malformed");
    assert.equal(await put(5n, monitorAt(5n)), undefined);
    assert.deepEqual(baseOf(await got(5)), [toHex(monitorAt(5n)), 5n, 0]);
  });

  it("says that a closed channel still waits for outcomes, and repeats handled ones in order", async () => {
    await withUpdates(21);
    const { items } = bench.subscribe();
    await bench.a.event(claimed({ part: 1 }), fromUpdate(3), id);
    await bench.a.event(confirmed(false), undefined, id);
    await settle();
    const open = await got(21);
    assert.deepEqual([open.closed, open.unresolvedHtlcs > 0], [true, true]);
    await bench.a.event(failed({ part: 2 }), undefined, id);
    await bench.a.event(claimed({ part: 3 }), undefined, id);
    await settle();
    assert.deepEqual((await got(21)).handledHtlcEvents, [], "none is handled");
    const answer = { kind: "handled" } as const;
    const done = items.items.map(({ itemId }) => ({ itemId, answer }));
    assert.ok((await bench.host.done(WHO, done)).ok);
    const handled = (await got(21)).handledHtlcEvents;
    assert.deepEqual(
      handled.map(({ itemId }) => itemId),
      items.items.slice(-2).map(({ itemId }) => itemId),
      "no close, and nothing that happened off the chain",
    );
    assert.deepEqual(handled, items.items.slice(-2));
  });

  it("says that the node has closed the channel by itself", async () => {
    await withUpdates(21);
    assert.equal((await got(21)).closed, false);
    await node.update(id, 22n, must(updates[21], "ChannelForceClosed"));
    assert.equal((await got(21)).closed, true);
  });

  it("stays what it was told when a monitor lost its store", async () => {
    await withUpdates(5);
    const fresh = storeId("55".repeat(16));
    const receipt = {
      channelId: id,
      updateId: updateId(0),
      updateHash: must(await bench.a.host.hashAt(id, updateId(0)), "hash"),
      status: "persisted" as const,
      eventWatermark: eventId(0),
      header: new Uint8Array(),
    };
    await bench.a.host.receipts(bench.a, fresh, [receipt]);
    const found = await got(5);
    assert.deepEqual([found.durableId, found.updates.length], [0n, 5]);
  });

  it("is read piece by piece, however long the log is", async () => {
    await withUpdates(0);
    const count = 2 * UPDATES_PER_READ + 3;
    for (let at = 1; at <= count; at += 1) await node.update(id, BigInt(at), preimageUpdate(at));
    await bench.durable(count, id);
    const found = await got(count);
    assert.equal(found.updates.length, count);
    assert.deepEqual(
      found.updates.map((hex) => idOf(fromHex(hex))),
      Array.from({ length: count }, (_, at) => BigInt(at + 1)),
    );
  });
});

/** LDK's ChannelMonitorUpdate with one PaymentPreimage (ldk-binary 3 and 4.3). */
function preimageUpdate(at: number): Uint8Array {
  const number = at.toString(16).padStart(16, "0");
  const step = `02220020${number.repeat(4)}`;
  return fromHex(`0101${number}${"01".padStart(16, "0")}${step}220320${id}`);
}
