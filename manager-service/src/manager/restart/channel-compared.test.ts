/** Which side is behind after a restart or a restored backup, and what follows from it (R61, D4, D14). */
import assert from "node:assert/strict";
import { must } from "@farwatch/protocol/assert";
import {
  eventId,
  hash32,
  storeId,
  updateId,
  type Hash32,
  type MonitorKey,
} from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { NodeChannel } from "../input.js";
import { META_KEY, rowKeys } from "../rows.js";
import { verdictOf } from "../sessions.js";
import {
  byte,
  CHANNEL,
  claimed,
  failed,
  fromUpdate,
  MONITOR_A,
  MONITOR_B,
  NODE,
  receive,
  revoke,
  Scene,
  secretOf,
  sign,
  STORE_A,
  STORE_B,
} from "../testing/scene.js";
import { durableId } from "../updates/durability.js";
import { ITEM_ID_LEAP, toldBy } from "./channel-compared.js";
import type { MonitorCursors } from "./cursors.js";

const STEPS: readonly (readonly UpdateStep[])[] = [
  [sign(1, [{ part: 1 }]), revoke(0)],
  [receive(1)],
  [sign(2, []), revoke(1)],
  [receive(2)],
];
const DELIVERED = { holderNumber: 0n, counterpartyNumber: 0n, halted: false };

/** A channel with its first `count` updates, durable on A. */
function sceneOf(count: number): Scene {
  const scene = Scene.opened();
  for (let id = 1; id <= count; id++) {
    assert.ok(scene.offer(id, must(STEPS[id - 1], "steps")).ok);
  }
  scene.receipt(MONITOR_A, count);
  return scene;
}

function hashOfUpdate(scene: Scene, id: number): Hash32 | undefined {
  if (id === 0) return scene.channel.genesisHash;
  return scene.updates.get(rowKeys.update(scene.channel.channelNo, BigInt(id)))?.updateHash;
}

/** What a monitor says that applied everything up to `id` of this history, and whose events went up to `last`. */
function standing(history: Scene, id: number, more: Partial<MonitorCursors> = {}): MonitorCursors {
  const numbers = must(
    [
      [0, 0],
      [0, 1],
      [1, 1],
      [1, 2],
      [2, 2],
    ][id],
    "numbers",
  );
  return {
    ...DELIVERED,
    updateId: updateId(id),
    updateHash: must(hashOfUpdate(history, id), "hash"),
    holderNumber: BigInt(must(numbers[0], "holder")),
    counterpartyNumber: BigInt(must(numbers[1], "counterparty")),
    nextEventId: eventId(1),
    unackedEventIds: [],
    ...more,
  };
}

/** The link's comparison; what it may not do afterwards. */
function compared(
  scene: Scene,
  theirs: MonitorCursors | undefined,
  monitorKey: MonitorKey = MONITOR_A,
  store = monitorKey === MONITOR_A ? STORE_A : STORE_B,
): Refusal | undefined {
  const row = scene.tables.receipt.get(rowKeys.receipt(monitorKey, CHANNEL));
  const monitorName = monitorKey === MONITOR_A ? "mon-a" : "mon-b";
  const decided = scene.input({
    kind: "channelCompared",
    monitorKey,
    monitorName,
    storeId: store,
    channelId: CHANNEL,
    theirs,
    hashAtTheirs: theirs === undefined ? undefined : hashOfUpdate(scene, Number(theirs.updateId)),
    told: toldBy(row, store),
  });
  assert.ok(decided.ok);
  return decided.value.refusal;
}

const textOf = (scene: Scene, code: string): string => {
  const found = [...scene.tables.item.values()].map(({ event }) => event);
  const alarm = found.find((event) => event.kind === "alarm" && event.code === code);
  return alarm?.kind === "alarm" ? alarm.text : "";
};
const refusalOf = (scene: Scene, id: number, steps: readonly UpdateStep[], bytes?: string) => {
  const offered = scene.offer(id, steps, bytes);
  if (!offered.ok) return offered.error.reason;
  return offered.value.refusal?.reason;
};
const node = (last: number): NodeChannel => ({
  channelId: CHANNEL,
  lastUpdateId: updateId(last),
  holderNumber: 9n,
  counterpartyNumber: 9n,
  revokedCommitments: 9n,
});
const openSession = (scene: Scene, nodeEpoch: bigint, last: number): void => {
  const session = { nodeKey: NODE, nodeEpoch, newSessionId: "s", channels: [node(last)] };
  scene.expectOk({ kind: "sessionOpened", role: "managerResolves", ...session });
};

describe("a monitor in step, or one that only lags", () => {
  it("changes no row and raises no alarm", () => {
    const scene = sceneOf(4);
    for (const id of [4, 2, 0]) {
      const before = scene.tables.receipt.get(rowKeys.receipt(MONITOR_B, CHANNEL));
      assert.equal(compared(scene, standing(scene, id), MONITOR_B), undefined);
      assert.equal(scene.tables.receipt.get(rowKeys.receipt(MONITOR_B, CHANNEL)), before);
    }
    assert.equal(compared(scene, standing(scene, 4)), undefined);
    assert.deepEqual([scene.open, scene.kinds], [[], []]);
  });

  it("may hold un-acked events that we never saw, or saw and acked", () => {
    const scene = sceneOf(2);
    const more = { nextEventId: eventId(4), unackedEventIds: [1, 2, 3].map((id) => eventId(id)) };
    assert.equal(compared(scene, standing(scene, 2, more)), undefined);
    scene.event(MONITOR_A, claimed({ part: 1 }));
    assert.equal(compared(scene, standing(scene, 2, { nextEventId: eventId(2) })), undefined);
    assert.doesNotMatch(scene.open.join(), /alarm/);
  });

  it("is sent everything when its store is new", () => {
    const scene = sceneOf(2);
    assert.equal(compared(scene, undefined, MONITOR_A, storeId(byte(9, 16))), undefined);
    assert.deepEqual(scene.open, []);
  });

  it("is not judged by events that an earlier store of it told", () => {
    const scene = sceneOf(2);
    const other = storeId(byte(9, 16));
    const acked = standing(scene, 2, { nextEventId: eventId(6) });
    assert.equal(compared(scene, acked, MONITOR_A, other), undefined);
    assert.deepEqual(scene.open, []);
  });
});

describe("a manager restored from a backup", () => {
  const newer = sceneOf(4);

  it("accepts no update, and says which side is behind and by how much", () => {
    const scene = sceneOf(2);
    openSession(scene, 1n, 2);
    const refusal = compared(scene, standing(newer, 4));
    assert.equal(refusal?.reason, "managerBehind");
    const text = textOf(scene, "managerBehind");
    assert.match(
      text,
      /the manager is behind monitor mon-a by 2 updates \(it holds 2, the monitor 4\)/,
    );
    assert.equal(refusalOf(scene, 3, [receive(2)], "a fork"), "managerBehind");
    assert.equal(scene.channel.acceptedId, 2n);
    assert.equal(scene.channel.frozen, undefined, "it can be repaired");
  });

  it("keeps the preimage of an update that it refuses", () => {
    const scene = sceneOf(2);
    compared(scene, standing(newer, 4));
    const step: UpdateStep = {
      kind: "paymentPreimage",
      preimage: secretOf(7),
      paymentInfo: undefined,
    };
    assert.equal(refusalOf(scene, 3, [step], "a preimage"), "managerBehind");
    assert.equal(scene.tables.preimage.size, 1);
    assert.equal(scene.channel.acceptedId, 2n, "its id is the monitor's");
  });

  it("tells a node that was restored with it that the node is behind the monitor", () => {
    const scene = sceneOf(2);
    assert.equal(verdictOf(scene.tables, NODE, { ...node(2) }).verdict, "inSync");
    compared(scene, standing(newer, 4));
    const verdict = (last: number) => {
      const found = verdictOf(scene.tables, NODE, node(last));
      return [found.verdict, found.behindBy, found.acceptedId];
    };
    assert.deepEqual(verdict(2), ["nodeBehind", 2n, 2n]);
    assert.deepEqual(verdict(3), ["nodeBehind", 1n, 2n]);
    assert.deepEqual(verdict(4), ["nodeAhead", 2n, 2n]);
    assert.deepEqual(verdict(5), ["nodeAhead", 3n, 2n]);
    openSession(scene, 2n, 3);
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), "nodeBehind");
  });

  it("is repaired by a node that names the newest update and sends the same bytes again", () => {
    const scene = sceneOf(2);
    compared(scene, standing(newer, 4));
    openSession(scene, 2n, 4);
    for (const id of [3, 4])
      assert.equal(refusalOf(scene, id, must(STEPS[id - 1], "steps")), undefined);
    assert.equal(scene.channel.headHash, newer.channel.headHash, "the same chain");
    assert.equal(scene.channel.behindMonitor, undefined);
    assert.equal(compared(scene, standing(newer, 4)), undefined);
    scene.receipt(MONITOR_A, 4);
    assert.equal(refusalOf(scene, 5, [sign(3, [])]), undefined);
  });

  it("freezes the channel when the node sends another history", () => {
    const scene = sceneOf(2);
    compared(scene, standing(newer, 4));
    openSession(scene, 2n, 4);
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), undefined);
    assert.equal(refusalOf(scene, 4, must(STEPS[3], "steps"), "other"), "updateConflict");
    assert.equal(scene.channel.acceptedId, 3n);
    assert.notEqual(scene.channel.frozen, undefined);
  });

  it("goes by the monitor that is furthest ahead", () => {
    for (const order of [
      [MONITOR_A, MONITOR_B],
      [MONITOR_B, MONITOR_A],
    ]) {
      const scene = sceneOf(2);
      for (const key of order) compared(scene, standing(newer, key === MONITOR_A ? 4 : 3), key);
      assert.equal(scene.channel.behindMonitor?.goal?.updateId, 4n);
    }
  });

  it("accepts no update before the alarm is handled when events were acked that it never recorded", () => {
    const scene = sceneOf(2);
    scene.event(MONITOR_A, failed({ part: 1 }), fromUpdate(1));
    const unacked = [eventId(1), eventId(4)];
    const theirs = standing(scene, 2, { nextEventId: eventId(5), unackedEventIds: unacked });
    assert.equal(compared(scene, theirs), undefined, "updates may still be sent to it");
    const text = textOf(scene, "managerBehind");
    assert.match(text, /behind monitor mon-a by 2 events that a newer copy acked/);
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), "managerBehind");
    const step: UpdateStep = {
      kind: "paymentPreimage",
      preimage: secretOf(7),
      paymentInfo: undefined,
    };
    assert.equal(refusalOf(scene, 3, [step]), undefined, "preimages are always accepted");
    scene.handle(scene.channel.behindMonitor?.alarmKey ?? "");
    assert.equal(refusalOf(scene, 4, must(STEPS[2], "steps")), undefined);
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(2), 4);
    assert.ok(scene.inbox(MONITOR_A, 4), "events keep flowing");
  });

  it("gives out no item id that the newer copy may have used", () => {
    const scene = sceneOf(2);
    const next = scene.tables.meta.get(META_KEY)?.nextItemId ?? 1n;
    compared(scene, standing(newer, 4));
    const [alarm] = [...scene.tables.item.values()];
    assert.equal(alarm?.itemId, next + ITEM_ID_LEAP);
    compared(scene, standing(newer, 4));
    assert.equal(scene.tables.item.size, 1, "told once");
  });
});

describe("a monitor whose store is an older copy", () => {
  it("is told apart by what it had confirmed, and its receipts count anew", () => {
    const scene = sceneOf(4);
    scene.receipt(MONITOR_B, 4);
    assert.equal(compared(scene, standing(scene, 1)), undefined);
    const text = textOf(scene, "monitorBehind");
    assert.match(text, /store of monitor mon-a is an older copy: on channel c0+/);
    assert.match(text, /the monitor is behind by 3 updates \(it holds 1 and had confirmed 4\)/);
    assert.equal(durableId(scene.tables, scene.channel), 1n, "not durable there any more");
    assert.equal(scene.channel.completed?.updateId, 4n, "what was told stays told");
    scene.receipt(MONITOR_A, 4);
    assert.equal(durableId(scene.tables, scene.channel), 4n);
    assert.equal(scene.channel.frozen, undefined);
  });

  it("may have lost events, which come again under used ids", () => {
    const scene = sceneOf(2);
    scene.event(MONITOR_A, claimed({ part: 1 }), fromUpdate(2));
    scene.receipt(MONITOR_A, 2, { watermark: 1 });
    assert.equal(compared(scene, standing(scene, 1)), undefined);
    const text = textOf(scene, "monitorBehind");
    assert.match(text, /by 1 update \(.*\) and 1 event \(its newest is 0 and it had told 1\)/);
    const row = scene.tables.receipt.get(rowKeys.receipt(MONITOR_A, CHANNEL));
    assert.deepEqual([row?.recordedEventId, row?.watermark], [0n, 0n]);
    assert.equal(scene.inbox(MONITOR_A, 1)?.state, "waiting", "what it told is kept");
  });

  it("is sent the preimage records of the channel again, whatever it had said of them", () => {
    for (const isGone of [false, true]) {
      const scene = sceneOf(2);
      const kept: UpdateStep = {
        kind: "paymentPreimage",
        preimage: secretOf(7),
        paymentInfo: undefined,
      };
      assert.equal(refusalOf(scene, 4, [kept], "too early"), "updateGap");
      const [row] = [...scene.tables.preimage.values()];
      const records = [{ channelId: CHANNEL, paymentHash: must(row, "record").paymentHash }];
      for (const [monitorKey, store] of [
        [MONITOR_A, STORE_A],
        [MONITOR_B, STORE_B],
      ] as const) {
        scene.expectOk({ kind: "preimagesStored", monitorKey, storeId: store, records });
      }
      compared(scene, standing(scene, 2));
      assert.equal(scene.kinds.length, 0, "not while nothing is lost");
      compared(scene, isGone ? undefined : standing(scene, 1));
      assert.ok(scene.kinds.includes("sendPreimage"));
      const durableOn = [...scene.tables.preimage.values()][0]?.durableOn;
      assert.deepEqual(durableOn, [{ monitorKey: MONITOR_B, storeId: STORE_B }]);
    }
  });

  it("may have lost the whole channel", () => {
    const scene = sceneOf(2);
    assert.equal(compared(scene, undefined), undefined);
    const text = textOf(scene, "monitorBehind");
    assert.match(text, /no longer knows channel .* its store is an older copy, 3 updates behind/);
    assert.equal(durableId(scene.tables, scene.channel), undefined);
  });
});

describe("both sides", () => {
  it("are named when both are older copies", () => {
    const newer = sceneOf(4);
    const scene = sceneOf(2);
    scene.event(MONITOR_A, claimed({ part: 1 }));
    assert.equal(compared(scene, standing(newer, 4))?.reason, "managerBehind");
    assert.match(textOf(scene, "managerBehind"), /manager is behind monitor mon-a by 2 updates/);
    assert.match(textOf(scene, "monitorBehind"), /monitor is behind by 1 event \(/);
  });

  it("freeze the channel when they hold different updates under one id", () => {
    const scene = sceneOf(2);
    const other = { updateHash: hash32(byte(0xee)) };
    const refusal = compared(scene, standing(scene, 2, other));
    assert.equal(refusal?.reason, "updateConflict");
    assert.equal(refusal.details["own_hash"], hashOfUpdate(scene, 2));
    assert.match(
      textOf(scene, "updateConflict"),
      /mon-a and this manager hold different updates 2/,
    );
    assert.equal(refusalOf(scene, 3, must(STEPS[2], "steps")), "channelHalted");
  });

  it("freeze the channel when they count other commitments after the same update", () => {
    for (const wrong of [{ holderNumber: 7n }, { counterpartyNumber: 0n }]) {
      const scene = sceneOf(2);
      assert.equal(compared(scene, standing(scene, 2, wrong))?.reason, "updateConflict");
      assert.match(textOf(scene, "updateConflict"), /one of the two is damaged/);
      assert.notEqual(scene.channel.frozen, undefined);
    }
  });
});

describe("a channel that a monitor has halted", () => {
  it("is told when the monitor connects, once", () => {
    const scene = sceneOf(2);
    for (let n = 0; n < 2; n++) {
      assert.equal(compared(scene, standing(scene, 2, { halted: true })), undefined);
    }
    assert.match(textOf(scene, "channelHalted"), /monitor mon-a has halted channel .* at update 2/);
    assert.equal(scene.open.length, 1);
  });
});
