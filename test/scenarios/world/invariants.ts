/**
 * What holds at the end of every scenario (persistent-events.md section 5, contract section 3): no event
 * is left un-acked, a handled payment result causes nothing at any monitor, nothing is told twice, and a
 * restart of everything changes nothing.
 */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import { historyOf, repetitions } from "./history.js";
import { MANAGER } from "./manager-process.js";
import type { Recorder } from "./recorder.js";
import type { World } from "./world.js";

export interface FinalChecks {
  /** Why events may be left un-acked at the end of this scenario; "" when they may not. */
  readonly mayDangle: string;
}

/** Brings everything up, lets it come to rest, and checks. */
export async function checkFinalState(world: World, { mayDangle }: FinalChecks): Promise<void> {
  for (const monitor of world.monitors) monitor.isReachable = true;
  for (const name of world.down()) await world.restart(name);
  await world.quiesce();
  assert.deepEqual(world.fatal, [], "no process failed");
  assert.deepEqual(repetitions(world.record), []);
  if (mayDangle === "") assert.deepEqual(namesOfDangling(world), [], "events left un-acked");
  assertNoUpdateAfterResult(world.record);
  await assertReplayChangesNothing(world);
}

const namesOfDangling = (world: World): readonly string[] =>
  world.dangling().map(({ by, event }) => `${by} event ${event.eventId} of ${event.channelId}`);

/** Numbered updates are the node's alone, and a preimage of an own payment is no monitor's business. */
export function assertNoUpdateAfterResult(record: Recorder): void {
  const sent = new Map<string, bigint>();
  const own = new Set<string>();
  for (const entry of record.entries) {
    if (entry.kind === "update") sent.set(entry.channelId, entry.updateId);
    if (entry.kind === "stored") {
      const newest = sent.get(entry.channelId) ?? 0n;
      assert.ok(entry.updateId <= newest, `update ${entry.updateId} is not the node's`);
    }
    if (entry.kind === "told") {
      const hash = ownPaymentHash(entry.item);
      if (hash !== undefined) own.add(hash);
    }
    if (entry.kind === "preimage") {
      assert.ok(!own.has(entry.paymentHash), "a preimage record after a payment result");
    }
  }
}

function ownPaymentHash({ item }: Item): string | undefined {
  if (item?.$case !== "userEvent") return undefined;
  const { event } = item.value;
  return event?.$case === "paymentSent" || event?.$case === "paymentFailed"
    ? toHex(event.value.paymentHash)
    : undefined;
}

/** Everything that a restart could wrongly change. */
function lookedAt(world: World) {
  const { record, manager, monitors, chain } = world;
  return {
    history: [...historyOf(record)].sort(),
    updates: record.updates(),
    preimages: record.preimages(),
    broadcasts: [...new Set(chain.broadcasts.map(({ txid }) => txid))].sort(),
    rows: [...manager.disk.rows()]
      .filter(([key]) => !CHANGES_WITH_A_RESTART.test(key))
      .map(([key, value]) => `${key} ${toHex(value)}`),
    logs: monitors.map(({ disk }) => disk.logRows().length),
    events: monitors.map(({ disk }) => disk.events().map(({ rowId }) => rowId)),
  };
}

/** Receipts are signed anew with each answer and kept as the newest proof. */
const CHANGES_WITH_A_RESTART = /^(session|receipt)\//;

async function assertReplayChangesNothing(world: World): Promise<void> {
  const before = lookedAt(world);
  const names = [MANAGER, ...world.monitors.map(({ name }) => name)];
  for (const name of names) world.crash(name);
  for (const name of names) await world.restart(name);
  await world.quiesce();
  assert.deepEqual(lookedAt(world), before, "a restart changes nothing");
  assert.deepEqual(repetitions(world.record), [], "a restart repeats nothing");
}
