/**
 * What holds at the end of every scenario (persistent-events.md section 5, contract section 3): no event
 * is left un-acked, a handled payment result causes nothing at any monitor, nothing is told twice, and a
 * restart of everything changes nothing.
 */
import assert from "node:assert/strict";
import { toHex } from "@farwatch/protocol/bytes";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import { rowKeys } from "@farwatch/manager-service/manager/rows";
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
  assert.equal(world.points.stillDue, 0, "every kill of the scenario has happened");
  assert.deepEqual(world.record.broken, [], "promises of monitors");
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

/**
 * The first restart may let the node act on what it is asked anew (a closed channel is only named in a
 * session), but tells it nothing new. After that a restart changes no row.
 */
async function assertReplayChangesNothing(world: World): Promise<void> {
  const before = told(world);
  await restartAll(world);
  assert.deepEqual(told(world), before, "a restart tells nothing");
  const rest = { ...told(world), ...stored(world) };
  await restartAll(world);
  assert.deepEqual({ ...told(world), ...stored(world) }, rest, "a restart changes nothing");
  assert.deepEqual(repetitions(world.record), [], "a restart repeats nothing");
}

async function restartAll(world: World): Promise<void> {
  const names = [MANAGER, ...world.monitors.map(({ name }) => name)];
  for (const name of names) world.crash(name);
  for (const name of names) world.start(name);
  await world.run();
}

const told = ({ record, monitors }: World) => ({
  history: [...historyOf(record)].sort(),
  preimages: record.preimages(),
  events: monitors.map(({ disk }) => disk.events().map(({ rowId }) => rowId)),
});

/** Receipts are signed anew with each answer and kept as the newest proof; item ids of commands count on. */
const CHANGES_WITH_A_RESTART = /^(session|receipt|meta)\//;

function stored({ record, manager, monitors, chain }: World) {
  const commands = new Set(
    record
      .of("told")
      .filter(({ item }) => item.item?.$case === "command")
      .map(({ itemId }) => `item/${rowKeys.item(itemId)}`),
  );
  return {
    updates: record.updates(),
    broadcasts: [...new Set(chain.broadcasts.map(({ txid }) => txid))].sort(),
    rows: [...manager.disk.rows()]
      .filter(([key]) => !CHANGES_WITH_A_RESTART.test(key) && !commands.has(key))
      .map(([key, value]) => `${key} ${toHex(value)}`),
    logs: monitors.map(({ disk }) => disk.logRows().length),
  };
}
