/** Penalty-only channels in the manager's core (ADR G-11): their steps, their end, and what is told of them. */
import assert from "node:assert/strict";
import { fromHex } from "@farwatch/protocol/bytes";
import type { MonitorEventBody } from "@farwatch/protocol/event";
import { commitmentNumber, txid, updateId } from "@farwatch/protocol/ids";
import type { PenaltyTransactionStep, UpdateStep } from "@farwatch/protocol/update";
import { byte, CHAIN_HASH, CHANNEL, MONITOR_A, MONITOR_B, NODE, Scene } from "../testing/scene.js";

const COMMITMENT = txid(byte(0xaa));
/** One input with a witness of one item, one output without a script. */
const PENALTY = `02000000000101${byte(0xaa)}0000000000ffffffff01e803000000000000000101ff00000000`;

const penalty = (transaction = PENALTY): PenaltyTransactionStep => ({
  kind: "penaltyTransaction",
  commitmentTxid: COMMITMENT,
  commitmentNumber: commitmentNumber(3),
  transaction: fromHex(transaction),
});
const CLOSE: UpdateStep = { kind: "channelForceClosed", shouldBroadcast: false, reason: "closed" };
const reasonOf = (result: ReturnType<Scene["offer"]>): string | undefined =>
  result.ok ? result.value.refusal?.reason : result.error.reason;

class PenaltyScene extends Scene {
  watchPenalties(node: number | undefined, payload = "first"): ReturnType<Scene["input"]> {
    const counterpartyNodeId = node === undefined ? undefined : new Uint8Array(33).fill(node);
    return this.input({
      kind: "penaltyWatchOffered",
      nodeKey: NODE,
      channel: { channelId: CHANNEL, chainHash: CHAIN_HASH, counterpartyNodeId },
      firstUpdateId: updateId(1),
      payload: new TextEncoder().encode(payload),
      requiredMonitors: [MONITOR_A, MONITOR_B],
      setNo: 1,
    });
  }

  static watched(): PenaltyScene {
    const scene = new PenaltyScene();
    assert.ok(scene.watchPenalties(undefined).ok);
    scene.receipt(MONITOR_A, 0);
    scene.receipt(MONITOR_B, 0);
    return scene;
  }
}

describe("a penalty-only channel", () => {
  it("is watched once and named by its id in headers", () => {
    const scene = PenaltyScene.watched();
    assert.deepEqual(scene.channel.funding, { txid: byte(0xc0), vout: 65_535 });
    assert.ok(scene.watchPenalties(undefined).ok, "the same again");
    const other = scene.watchPenalties(2, "other");
    assert.equal(!other.ok && other.error.reason, "alreadyWatched");
  });

  it("takes penalties, is complete when both monitors have them, and nothing of other channels", () => {
    const scene = PenaltyScene.watched();
    assert.equal(reasonOf(scene.offer(1, [penalty()])), undefined);
    scene.receipt(MONITOR_A, 1);
    assert.equal(scene.channel.completed?.updateId, 0n);
    scene.receipt(MONITOR_B, 1);
    assert.equal(scene.channel.completed?.updateId, 1n);
    for (const step of [
      { kind: "shutdownScript", scriptPubkey: new Uint8Array(22) },
      { ...CLOSE, shouldBroadcast: true },
    ] as const) {
      assert.equal(reasonOf(scene.offer(2, [step])), "wrongChannelKind");
    }
    assert.equal(scene.channel.frozen, undefined);
  });

  it("refuses a transaction that every monitor would refuse", () => {
    const scene = PenaltyScene.watched();
    const bad = [
      PENALTY.replace(byte(0xaa), byte(0xbb)),
      PENALTY.slice(0, -2),
      `${PENALTY}00`,
      PENALTY.replace("0101ff00000000", "0000000000"),
    ];
    for (const transaction of bad) {
      assert.equal(reasonOf(scene.offer(1, [penalty(transaction)])), "malformed", transaction);
    }
    assert.equal(scene.channel.frozen, undefined);
    assert.equal(reasonOf(scene.offer(1, [penalty()])), undefined);
  });

  it("takes a penalty that comes after the node said that it is done", () => {
    const scene = PenaltyScene.watched();
    assert.equal(reasonOf(scene.offer(1, [CLOSE])), undefined);
    assert.equal(reasonOf(scene.offer(2, [penalty()])), undefined);
    assert.equal(reasonOf(scene.offer(3, [CLOSE])), undefined);
  });

  it("goes on from what was accepted, whatever a new session of its node names", () => {
    for (const named of [[], [0n], [1n]]) {
      const scene = PenaltyScene.watched();
      scene.offer(1, [penalty()]);
      scene.expectOk({
        kind: "sessionOpened",
        nodeKey: NODE,
        role: "nodeResolves",
        nodeEpoch: 2n,
        newSessionId: "s2",
        channels: named.map((lastUpdateId) => ({
          channelId: CHANNEL,
          lastUpdateId: updateId(lastUpdateId),
          holderNumber: 0n,
          counterpartyNumber: 0n,
          revokedCommitments: 0n,
        })),
      });
      assert.equal(reasonOf(scene.offer(2, [penalty()])), undefined, String(named));
    }
  });

  it("does not take LDK's bytes, and a channel with keys takes no penalty", () => {
    const scene = PenaltyScene.watched();
    const ldk = scene.input({
      kind: "updateOffered",
      nodeKey: NODE,
      channelId: CHANNEL,
      updateId: updateId(1),
      payload: new Uint8Array(1),
      payloadType: "ldkBytes",
      steps: [penalty()],
      stored: undefined,
    });
    assert.equal(!ldk.ok && ldk.error.reason, "wrongChannelKind");
    assert.equal(reasonOf(Scene.opened().offer(1, [penalty()])), "wrongChannelKind");
  });
});

describe("what a monitor tells of a penalty-only channel", () => {
  const revoked: MonitorEventBody = {
    kind: "commitmentTxConfirmed",
    txid: COMMITMENT,
    spend: "revoked",
    mutualClose: false,
    commitmentNumber: commitmentNumber(3),
  };
  const overtaken = (byRevocationKey: boolean): MonitorEventBody => ({
    kind: "penaltyOvertaken",
    commitmentTxid: COMMITMENT,
    commitmentNumber: commitmentNumber(3),
    outpoint: { txid: COMMITMENT, vout: 0 },
    spentBy: txid(byte(0xee)),
    byRevocationKey,
  });

  it("closes it for the reason there is", () => {
    const scene = PenaltyScene.watched();
    scene.event(MONITOR_A, revoked);
    assert.equal(scene.channel.closed, "counterpartyRevokedState");
    assert.deepEqual(scene.acks, ["A1"]);
    scene.offer(1, [penalty()]);
    scene.receipt(MONITOR_A, 1, { closed: true, watermark: 1 });
    scene.receipt(MONITOR_B, 1);
    assert.equal(scene.channel.completed?.closed, true, "durable all the same");
  });

  it("is an alarm when the counterparty took the output, and is kept until it is handled", () => {
    const scene = PenaltyScene.watched();
    scene.event(MONITOR_A, overtaken(false));
    scene.event(MONITOR_B, overtaken(false));
    const [alarm = "", ...more] = scene.open;
    assert.match(alarm, /^alarm\/penaltyOvertaken/);
    assert.deepEqual(more, []);
    assert.deepEqual(scene.acks, []);
    scene.handle(alarm);
    assert.deepEqual(scene.acks, ["A1", "B1"]);
  });

  it("is nothing to handle when the node's own wallet was faster", () => {
    const scene = PenaltyScene.watched();
    scene.event(MONITOR_A, overtaken(true));
    assert.deepEqual(scene.open, []);
    assert.deepEqual(scene.acks, ["A1"]);
  });
});
