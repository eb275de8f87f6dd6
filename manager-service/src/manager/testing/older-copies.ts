/** Histories of one channel and what a monitor says that holds one of them, for tests of restarts. No rules. */
import { assert, must } from "@farwatch/protocol/assert";
import { eventId, updateId, type Hash32, type MonitorKey } from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { NodeChannel } from "../input.js";
import { rowKeys } from "../rows.js";
import { toldBy } from "../restart/channel-compared.js";
import type { MonitorCursors } from "../restart/cursors.js";
import {
  CHANNEL,
  MONITOR_A,
  NODE,
  receive,
  revoke,
  Scene,
  sign,
  STORE_A,
  STORE_B,
} from "./scene.js";

export const STEPS: readonly (readonly UpdateStep[])[] = [
  [sign(1, [{ part: 1 }]), revoke(0)],
  [receive(1)],
  [sign(2, []), revoke(1)],
  [receive(2)],
];
const DELIVERED = { holderNumber: 0n, counterpartyNumber: 0n, halted: false };

/** A channel with its first `count` updates, durable on A. */
export function sceneOf(count: number): Scene {
  const scene = Scene.opened();
  for (let id = 1; id <= count; id++) {
    assert(scene.offer(id, must(STEPS[id - 1], "steps")).ok, `update ${id}`);
  }
  scene.receipt(MONITOR_A, count);
  return scene;
}

export function hashOfUpdate(scene: Scene, id: number): Hash32 | undefined {
  if (id === 0) return scene.channel.genesisHash;
  return scene.updates.get(rowKeys.update(scene.channel.channelNo, BigInt(id)))?.updateHash;
}

/** What a monitor says that applied everything up to `id` of this history, and whose events went up to `last`. */
export function standing(
  history: Scene,
  id: number,
  more: Partial<MonitorCursors> = {},
): MonitorCursors {
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
export function compared(
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
  assert(decided.ok, "a comparison is never refused as a whole");
  return decided.value.refusal;
}

export const textOf = (scene: Scene, code: string): string => {
  const found = [...scene.tables.item.values()].map(({ event }) => event);
  const alarm = found.find((event) => event.kind === "alarm" && event.code === code);
  return alarm?.kind === "alarm" ? alarm.text : "";
};
export const refusalOf = (
  scene: Scene,
  id: number,
  steps: readonly UpdateStep[],
  bytes?: string,
) => {
  const offered = scene.offer(id, steps, bytes);
  if (!offered.ok) return offered.error.reason;
  return offered.value.refusal?.reason;
};
export const node = (last: number): NodeChannel => ({
  channelId: CHANNEL,
  lastUpdateId: updateId(last),
  holderNumber: 9n,
  counterpartyNumber: 9n,
  revokedCommitments: 9n,
});
export const openSession = (scene: Scene, nodeEpoch: bigint, last: number): void => {
  const session = { nodeKey: NODE, nodeEpoch, newSessionId: "s", channels: [node(last)] };
  scene.expectOk({ kind: "sessionOpened", role: "managerResolves", ...session });
};
