/** Sessions: fencing by node epoch, and the verdict on each channel (contract section 1). */
import assert from "node:assert/strict";
import { channelId, txid, updateId } from "@farwatch/protocol/ids";
import type { NodeChannel } from "./input.js";
import { Hops } from "./testing/hops.js";
import { IN, incoming, OUT } from "./testing/htlcs.js";
import { unnamedVerdict, verdictOf, verdictsOf } from "./sessions.js";
import {
  byte,
  CHANNEL,
  confirmed,
  FUNDING,
  MONITOR_A,
  NODE,
  receive,
  revoke,
  Scene,
  sign,
} from "./testing/scene.js";

const open = (
  scene: Scene,
  nodeEpoch: bigint,
  newSessionId: string,
  channels: readonly NodeChannel[] = [],
) =>
  scene.input({
    kind: "sessionOpened",
    role: "managerResolves",
    nodeKey: NODE,
    nodeEpoch,
    newSessionId,
    channels,
  });

describe("sessions", () => {
  it("keep their id for the same epoch and fence an older one", () => {
    const scene = Scene.opened();
    open(scene, 5n, "first");
    open(scene, 5n, "second");
    assert.equal(scene.tables.session.get(NODE)?.sessionId, "first");
    open(scene, 6n, "third");
    assert.equal(scene.tables.session.get(NODE)?.sessionId, "third");
    const old = open(scene, 5n, "fourth");
    assert.equal(!old.ok && old.error.reason, "fenced");
    assert.equal(!old.ok && old.error.details["current_epoch"], "6");
  });
});

describe("a node that is behind", () => {
  it("is refused the very next update too: what it signs may be revoked", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, []), revoke(0)]);
    scene.offer(2, [receive(1)]);
    const numbers = { holderNumber: 0n, counterpartyNumber: 1n, revokedCommitments: 1n };
    open(scene, 1n, "older", [{ channelId: CHANNEL, lastUpdateId: updateId(1), ...numbers }]);
    const offered = scene.offer(3, [sign(2, [])]);
    assert.equal(!offered.ok && offered.error.reason, "nodeBehind");
    assert.equal(scene.channel.acceptedId, 2n);
  });
});

describe("a channel that the node did not name", () => {
  const inSync: NodeChannel = {
    channelId: CHANNEL,
    lastUpdateId: updateId(2),
    holderNumber: 1n,
    counterpartyNumber: 1n,
    revokedCommitments: 1n,
  };
  const forgotten = (): Scene => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, []), revoke(0)]);
    scene.offer(2, [receive(1)]);
    open(scene, 1n, "forgot");
    return scene;
  };

  it("is one on which the node is behind: its update is refused so, and freezes nothing", () => {
    const scene = forgotten();
    const offered = scene.offer(1, [receive(1)], "from an empty memory");
    assert.equal(!offered.ok && offered.error.reason, "nodeBehind");
    assert.equal(!offered.ok && offered.error.details["by"], "2");
    assert.equal(scene.channel.frozen, undefined);
  });

  it("is behind until a session finds it in sync", () => {
    const scene = forgotten();
    open(scene, 2n, "found", [inSync]);
    const offered = scene.offer(1, [receive(1)], "other bytes");
    assert.equal(offered.ok && offered.value.refusal?.reason, "updateConflict");
  });

  it("is not the session's concern when it is another node's or closed", () => {
    const scene = forgotten();
    const nodeKey = byte(3, 33);
    const session = { nodeKey, nodeEpoch: 1n, newSessionId: "s", channels: [] };
    scene.expectOk({ kind: "sessionOpened", role: "managerResolves", ...session });
    assert.deepEqual(scene.tables.session.get(nodeKey)?.behind, {});
    scene.event(MONITOR_A, confirmed(true));
    open(scene, 2n, "closed");
    assert.deepEqual(scene.tables.session.get(NODE)?.behind, {});
  });
});

describe("the verdict on a channel", () => {
  const scene = Scene.opened();
  scene.offer(1, [sign(1, []), revoke(0)]);
  scene.offer(2, [receive(1)]);
  const node = (more: Partial<NodeChannel> = {}): NodeChannel => ({
    channelId: CHANNEL,
    lastUpdateId: updateId(2),
    holderNumber: 1n,
    counterpartyNumber: 1n,
    revokedCommitments: 1n,
    ...more,
  });
  const verdict = (more: Partial<NodeChannel> = {}): readonly [string, bigint] => {
    const found = verdictOf(scene.tables, NODE, node(more));
    return [found.verdict, found.behindBy];
  };

  it("compares with what was accepted, in flight included", () => {
    assert.deepEqual(verdict(), ["inSync", 0n]);
    assert.deepEqual(verdict({ lastUpdateId: updateId(1) }), ["nodeBehind", 1n]);
    assert.deepEqual(verdict({ lastUpdateId: updateId(4) }), ["nodeAhead", 2n]);
  });

  it("finds a node whose commitments are older at the same id", () => {
    assert.equal(verdict({ holderNumber: 0n })[0], "nodeBehind");
    assert.equal(verdict({ counterpartyNumber: 0n })[0], "nodeBehind");
    assert.equal(verdict({ revokedCommitments: 0n })[0], "nodeBehind");
  });

  it("does not know other nodes' channels", () => {
    assert.equal(verdict({ channelId: channelId(byte(0x11)) })[0], "unknown");
    assert.equal(verdictOf(scene.tables, byte(3, 33), node()).verdict, "unknown");
  });

  it("counts a channel the node did not name as lost by it", () => {
    const found = unnamedVerdict(scene.tables, scene.channel);
    assert.deepEqual([found.verdict, found.behindBy], ["nodeBehind", 2n]);
  });

  it("says closed once it is", () => {
    const closing = Scene.opened();
    closing.event(MONITOR_A, confirmed(true));
    assert.equal(verdictOf(closing.tables, NODE, node()).verdict, "closed");
  });
});

describe("a node that is behind on one channel", () => {
  const older = { ...new Hops().nodeChannels[0] };
  const behindOnIn = (): Hops => {
    const hops = new Hops();
    hops.add(incoming(IN, 1));
    const channels = hops.nodeChannels.map((row) =>
      row.channelId === IN ? { ...row, ...older, channelId: IN } : row,
    );
    hops.session(2n, { channels });
    return hops;
  };

  it("is refused the next id too, there and only there", () => {
    const hops = behindOnIn();
    const refused = hops.sign(IN, []);
    assert.equal(!refused.ok && refused.error.reason, "nodeBehind");
    assert.ok(hops.sign(OUT, []).ok);
  });

  it("has its channel closed as outdated when it asks for the close (S14, S31)", () => {
    const hops = behindOnIn();
    const asked = (on: typeof IN) =>
      hops.event(MONITOR_A, on, {
        kind: "holderForceClosed",
        funding: FUNDING,
        reason: { kind: "operator", text: "the node is behind" },
        commitmentTxid: txid(byte(0xcd)),
      });
    asked(IN);
    assert.equal(hops.channel(IN).closed, "outdatedNode");
    assert.equal(hops.content("closeChannel").reason, "outdatedNode");
    asked(OUT);
    assert.equal(hops.channel(OUT).closed, "holderForceClosed");
  });
});

describe("an LDK node", () => {
  const scene = Scene.opened();
  scene.offer(1, [sign(1, []), revoke(0)]);
  scene.offer(2, [receive(1)]);
  const named = (last: number, numbers: Partial<NodeChannel> = {}): NodeChannel => ({
    channelId: CHANNEL,
    lastUpdateId: updateId(last),
    holderNumber: 0n,
    counterpartyNumber: 0n,
    revokedCommitments: 0n,
    ...numbers,
  });
  const opened = (nodeEpoch: bigint, channels: readonly NodeChannel[]) => {
    const node = { nodeKey: NODE, role: "managerResolves", isLdk: true } as const;
    scene.expectOk({
      kind: "sessionOpened",
      ...node,
      nodeEpoch,
      newSessionId: `s${nodeEpoch}`,
      channels,
    });
    return verdictsOf(scene.tables, { ...node, channels }).map(
      ({ verdict, behindBy, acceptedId }) => [verdict, behindBy, acceptedId],
    );
  };

  it("names its newest update only: commitment numbers of 0 say nothing, others count", () => {
    assert.deepEqual(opened(1n, [named(2)]), [["inSync", 0n, 2n]]);
    const right = { holderNumber: 1n, counterpartyNumber: 1n, revokedCommitments: 1n };
    assert.deepEqual(opened(2n, [named(2, right)]), [["inSync", 0n, 2n]]);
    const later = Scene.opened();
    for (const id of [1, 2]) later.offer(id, [receive(id)]);
    const older = { ...named(2), holderNumber: 1n };
    assert.equal(verdictOf(later.tables, NODE, older, true).verdict, "nodeBehind");
  });

  it("is behind when its newest update is older, 0 included", () => {
    assert.deepEqual(opened(3n, [named(1)]), [["nodeBehind", 1n, 2n]]);
    assert.deepEqual(opened(4n, [named(0)]), [["nodeBehind", 2n, 2n]]);
    const offered = scene.offer(3, [receive(2)]);
    assert.equal(!offered.ok && offered.error.reason, "nodeBehind");
  });

  it("goes on with a channel that it did not name; a lost state meets another one and freezes it", () => {
    assert.deepEqual(opened(5n, []), [["unknown", 0n, 2n]]);
    assert.equal(scene.offer(3, [receive(2)]).ok, true);
    const lost = scene.offer(3, [sign(2, [])], "of a lost state");
    assert.equal(lost.ok && lost.value.refusal?.reason, "updateConflict");
    assert.notEqual(scene.channel.frozen, undefined);
  });
});
