/** Accepting updates: order, replay, conflict, and what a refusal leaves behind (contract 1, 2.12). */
import assert from "node:assert/strict";
import { commitmentNumber, sourceKey, updateId } from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Tables } from "../draft.js";
import {
  BAD_SECRET,
  byte,
  CHANNEL,
  initialState,
  NODE,
  outbound,
  receive,
  revoke,
  Scene,
  secretOf,
  sign,
} from "../testing/scene.js";

const snapshot = (tables: Tables): unknown =>
  Object.values(tables).map((table) => [table.name, [...table.values()]]);

function refusedWith(scene: Scene, id: number, steps: readonly UpdateStep[], bytes?: string) {
  const before = snapshot(scene.tables);
  const decided = scene.offer(id, steps, bytes);
  if (decided.ok) assert.fail("accepted");
  assert.deepEqual(snapshot(scene.tables), before, "a refusal changes nothing");
  assert.deepEqual(scene.effects, [], "a refusal has no effects");
  return decided.error;
}

describe("accepting updates", () => {
  it("stores the next update with its hash and sends it after the commit", () => {
    const scene = Scene.opened();
    const genesis = scene.channel.headHash;
    assert.equal(scene.offer(1, [sign(1, [{ part: 1 }])]).ok, true);
    assert.deepEqual(scene.kinds, ["accepted", "sendUpdate"]);
    assert.equal(scene.channel.acceptedId, 1n);
    assert.notEqual(scene.channel.headHash, genesis);
    assert.equal(scene.updates.size, 1);
    assert.equal(scene.tables.part.get(byte(1))?.state, "alive");
  });

  it("answers the same bytes again and sends nothing", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, [])]);
    scene.offer(2, [revoke(0)]);
    const before = snapshot(scene.tables);
    assert.equal(scene.offer(1, [sign(1, [])]).ok, true);
    assert.deepEqual(scene.kinds, ["accepted"]);
    assert.deepEqual(snapshot(scene.tables), before);
  });

  it("freezes the channel when an id comes back with other bytes", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, [])]);
    const decided = scene.offer(1, [sign(1, [{ part: 9 }])], "other");
    assert.equal(decided.ok && decided.value.refusal?.reason, "updateConflict");
    assert.match(scene.channel.frozen ?? "", /different bytes/);
    assert.deepEqual(scene.open, [`alarm/updateConflict/${CHANNEL}`]);
    assert.equal(scene.tables.part.get(byte(9)), undefined, "its steps were dropped");
    assert.equal(refusedWith(scene, 2, [revoke(0)]).reason, "channelHalted");
  });

  it("tells a node that is behind so, and freezes nothing", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, [])]);
    scene.offer(2, [revoke(0)]);
    scene.expectOk({
      kind: "sessionOpened",
      role: "managerResolves",
      nodeKey: NODE,
      nodeEpoch: 1n,
      newSessionId: "s",
      channels: [
        {
          channelId: CHANNEL,
          lastUpdateId: updateId(1),
          holderNumber: 0n,
          counterpartyNumber: 1n,
          revokedCommitments: 0n,
        },
      ],
    });
    const refusal = refusedWith(scene, 2, [receive(1)], "stale");
    assert.equal(refusal.reason, "nodeBehind");
    assert.equal(refusal.details["by"], "1");
    assert.equal(scene.channel.frozen, undefined);
  });

  it("names the expected id when updates are missing", () => {
    const refusal = refusedWith(Scene.opened(), 3, [receive(1)]);
    assert.equal(refusal.reason, "updateGap");
    assert.equal(refusal.details["expected_update_id"], "1");
  });

  it("refuses a forward of what is not committed on our side, and a trampoline of nothing", () => {
    const scene = Scene.opened();
    const own = outbound({ part: 1 });
    for (const kind of ["forward", "trampoline", "nothing"] as const) {
      const source = own.source ?? assert.fail("source");
      const inbound = {
        channelId: CHANNEL,
        htlcId: own.htlcId,
        amountMsat: own.amountMsat,
        cltvExpiry: own.cltvExpiry,
        userChannelId: undefined,
      };
      const origins = {
        forward: { kind: "forward", inbound, intercepted: false },
        trampoline: { kind: "trampoline", inbound: [inbound] },
        nothing: { kind: "trampoline", inbound: [] },
      } as const;
      const signed = sign(1, []);
      if (signed.kind !== "latestCounterpartyCommitment") assert.fail("commitment");
      const htlcs = [{ ...own, source: { ...source, origin: origins[kind] } }];
      const foreign = { ...signed, commitment: { ...signed.commitment, htlcs } };
      assert.equal(refusedWith(scene, 1, [foreign]).reason, "malformed", kind);
    }
  });

  it("takes commitments only in order and one un-revoked at a time", () => {
    const scene = Scene.opened();
    assert.equal(refusedWith(scene, 1, [sign(2, [])]).reason, "malformed");
    assert.equal(refusedWith(scene, 1, [receive(2)]).reason, "malformed");
    assert.equal(refusedWith(scene, 1, [revoke(0)]).reason, "malformed");
    scene.offer(1, [sign(1, [])]);
    assert.equal(refusedWith(scene, 2, [sign(2, [])]).reason, "malformed");
    assert.equal(scene.offer(2, [revoke(0), sign(2, [])]).ok, true, "in listed order");
  });

  it("refuses a secret that does not open its point", () => {
    const scene = Scene.opened();
    scene.offer(1, [sign(1, [])]);
    const bad = { kind: "commitmentSecret", commitmentNumber: commitmentNumber(0) } as const;
    assert.equal(refusedWith(scene, 2, [{ ...bad, secret: BAD_SECRET }]).reason, "invalidSecret");
  });

  it("takes only preimages after ChannelForceClosed", () => {
    const scene = Scene.opened();
    scene.offer(1, [{ kind: "channelForceClosed", shouldBroadcast: true, reason: "bye" }]);
    assert.equal(refusedWith(scene, 2, [receive(1)]).reason, "noFurtherUpdates");
    const preimage = { kind: "paymentPreimage", paymentInfo: undefined } as const;
    assert.equal(scene.offer(2, [{ ...preimage, preimage: secretOf(5) }]).ok, true);
  });

  it("stores ChannelForceClosed again without effect, whatever it says (ADR M-16)", () => {
    const scene = Scene.opened();
    const close = { kind: "channelForceClosed", shouldBroadcast: true, reason: "bye" } as const;
    assert.equal(scene.offer(1, [close]).ok, true);
    const { acceptedId, headHash, ...before } = scene.channel;
    const reason = "never_funded";
    for (const again of [close, { ...close, shouldBroadcast: false, reason }]) {
      assert.equal(scene.offer(Number(scene.channel.acceptedId) + 1, [again]).ok, true);
    }
    const { acceptedId: last, headHash: head, ...after } = scene.channel;
    assert.deepEqual([last, head === headHash], [acceptedId + 2n, false], "in the chain of ids");
    assert.deepEqual(after, before);
    assert.deepEqual(scene.open, [], "and nothing is told");
  });

  it("takes the end of an LDK node's payment after ChannelForceClosed too", () => {
    const scene = new Scene();
    scene.expectOk({
      kind: "sessionOpened",
      role: "nodeResolves",
      nodeKey: NODE,
      nodeEpoch: 1n,
      newSessionId: "s",
      channels: [],
    });
    assert.ok(scene.watch().ok);
    scene.offer(1, [{ kind: "channelForceClosed", shouldBroadcast: true, reason: "bye" }]);
    const over = { kind: "ldkReleasePaymentComplete", sourceKey: sourceKey(byte(9)) } as const;
    assert.equal(scene.offer(2, [over]).ok, true);
    assert.equal(scene.channel.acceptedId, 2n);
  });

  it("closes a channel that was never funded without a monitor event", () => {
    const scene = Scene.opened();
    const reason = "never_funded";
    scene.offer(1, [{ kind: "channelForceClosed", shouldBroadcast: false, reason }]);
    assert.equal(scene.channel.closed, "neverFunded");
    assert.deepEqual(scene.open, [`channel-closed/${CHANNEL}`]);
  });
});

describe("watching a channel", () => {
  it("answers the same first state again and refuses another one", () => {
    const scene = Scene.opened();
    const again = scene.watch();
    assert.equal(again.ok && again.value.changes.length, 0);
    const other = scene.watch([], "another");
    assert.equal(!other.ok && other.error.reason, "alreadyWatched");
  });

  it("refuses another network and update id 0", () => {
    const scene = new Scene();
    const initial = initialState();
    const offer = {
      kind: "watchOffered",
      nodeKey: NODE,
      payload: new Uint8Array([1]),
      requiredMonitors: [],
      setNo: 1,
    } as const;
    const zero = scene.input({ ...offer, initial, firstUpdateId: updateId(0) });
    assert.equal(!zero.ok && zero.error.reason, "rangeExceeded");
    const parameters = { ...initial.parameters, chainHash: byte(0x99) };
    const elsewhere = { ...offer, initial: { ...initial, parameters } };
    const refused = scene.input({ ...elsewhere, firstUpdateId: updateId(1) });
    assert.equal(!refused.ok && refused.error.reason, "otherNetwork");
  });

  it("counts the HTLCs of the first state as parts", () => {
    const scene = new Scene();
    assert.equal(scene.watch([outbound({ part: 3 })]).ok, true);
    assert.deepEqual(scene.kinds, ["sendWatch"]);
    assert.equal(scene.tables.part.get(byte(3))?.state, "alive");
  });
});
