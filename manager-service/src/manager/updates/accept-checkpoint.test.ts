/** Checkpoints of LDK's monitors: whose, of what, and which are kept (contract 2.22). */
import assert from "node:assert/strict";
import { channelId, hash32, updateId } from "@farwatch/protocol/ids";
import { IN, OUT } from "../testing/htlcs.js";
import { LdkHops } from "../testing/ldk-hops.js";
import { Hops } from "../testing/hops.js";
import { byte, receive } from "../testing/scene.js";
import { KEPT_CHECKPOINTS } from "./accept-checkpoint.js";

function withUpdates(hops: Hops, count: number): Hops {
  for (let id = 1; id <= count; id += 1) assert.ok(hops.offer(IN, receive(id)).ok);
  return hops;
}

const put = (hops: Hops, id: number, more: { of?: string; at?: number; nodeKey?: string } = {}) => {
  const { of = IN, at = id } = more;
  const decided = hops.input({
    kind: "checkpointOffered",
    nodeKey: more.nodeKey ?? hops.channel(IN).nodeKey,
    channelId: IN,
    updateId: updateId(id),
    monitor: new Uint8Array([id]),
    named: { channelId: channelId(of), updateId: BigInt(at) },
  });
  const disk = decided.ok
    ? decided.value.changes.flatMap(({ table, key, row, bytes }) =>
        table === "checkpoint" ? [[key.slice(-3), row === undefined ? "gone" : bytes?.[0]]] : [],
      )
    : [decided.error.reason];
  return disk;
};
const kept = (hops: Hops) => hops.channel(IN).checkpoints?.map(Number);

describe("a checkpoint of an LDK channel", () => {
  it("is stored, and the newest two stay", () => {
    const hops = withUpdates(new LdkHops(), 5);
    assert.deepEqual(put(hops, 1), [["001", 1]]);
    assert.deepEqual(put(hops, 3), [["003", 3]]);
    assert.deepEqual(put(hops, 5), [
      ["005", 5],
      ["001", "gone"],
    ]);
    assert.deepEqual(kept(hops), [5, 3]);
    assert.equal(kept(hops)?.length, KEPT_CHECKPOINTS);
  });

  it("takes the place of an older one at the same update, and is let go below both", () => {
    const hops = withUpdates(new LdkHops(), 5);
    for (const id of [3, 5]) put(hops, id);
    assert.deepEqual(put(hops, 3), [["003", 3]]);
    assert.deepEqual(put(hops, 2), []);
    assert.deepEqual(put(hops, 4), [
      ["004", 4],
      ["003", "gone"],
    ]);
    assert.deepEqual(kept(hops), [5, 4]);
  });

  it("lies between the first state and what was accepted", () => {
    const hops = withUpdates(new LdkHops(), 2);
    assert.deepEqual(put(hops, 3), ["rangeExceeded"]);
    assert.deepEqual(put(hops, 0), [["000", 0]]);
    const late = new LdkHops([]);
    late.watch(IN, [], undefined, 7n);
    assert.deepEqual(put(late, 5), ["rangeExceeded"]);
    assert.deepEqual(put(late, 6), [["006", 6]]);
  });

  it("is of that channel and update, of the caller, and of a channel that speaks LDK", () => {
    const hops = withUpdates(new LdkHops(), 2);
    assert.deepEqual(put(hops, 1, { of: OUT }), ["malformed"]);
    assert.deepEqual(put(hops, 1, { at: 2 }), ["malformed"]);
    assert.deepEqual(put(hops, 1, { nodeKey: byte(3, 33) }), ["notYourChannel"]);
    assert.deepEqual(put(withUpdates(new Hops("nodeResolves"), 2), 1), ["malformed"]);
    const unknown = hash32(byte(0x99));
    const offer = { channelId: channelId(unknown), updateId: updateId(1) };
    const decided = hops.input({
      kind: "checkpointOffered",
      nodeKey: hops.channel(IN).nodeKey,
      monitor: new Uint8Array(),
      ...offer,
      named: offer,
    });
    assert.equal(!decided.ok && decided.error.reason, "channelUnknown");
    assert.equal(kept(hops), undefined);
  });
});
