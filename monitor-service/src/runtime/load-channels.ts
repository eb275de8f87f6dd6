/**
 * Channels from the store: newest snapshot, then the log rows after it, replayed without verifying
 * signatures again. The event ids that come out must be those that were stored. A channel that does
 * not come out right is halted or kept as unreadable; the others start.
 */
import { assert } from "@farwatch/protocol/assert";
import type { FirstState } from "@farwatch/protocol/channel";
import { parseFirstState } from "@farwatch/protocol/convert/penalty-only";
import type { EventId, PaymentHash } from "@farwatch/protocol/ids";
import { decodeState } from "../monitor/codec.js";
import { decodePenaltyState } from "../monitor/penalty/codec.js";
import { penaltyStep } from "../monitor/penalty/step.js";
import { step } from "../monitor/step.js";
import type { ChannelRow, LogRow, SnapshotRow, StoredState } from "../store/store.js";
import { applyInput } from "./apply-input.js";
import { tipOf, type Core } from "./core.js";
import type { Draft } from "./draft.js";
import { causeOf } from "./error-cause.js";
import { haltChannel, newIncident } from "./halt.js";
import { LOG_PAGE_ROWS } from "./limits.js";
import type { AnyEntry, ChannelEntry, EntryBase, PenaltyEntry } from "./monitors.js";
import { inputOfRow, penaltyInputOfRow } from "./replay-log.js";
import { runStep } from "./run-step.js";
import { firstCommitmentsIn } from "./stored-commitments.js";

export async function loadChannels(core: Core, stored: StoredState): Promise<void> {
  const snapshots = new Map(stored.snapshots.map((row) => [row.channelNo, row]));
  for (const row of stored.archived) core.archive.add(row, undefined);
  for (const row of stored.channels) addChannel(core, row, snapshots.get(row.channelNo));
  addEvents(core, stored);
  for (const { channelNo, incident } of stored.halts) {
    const entry = core.monitors.byNo(channelNo);
    if (entry !== undefined) entry.halt = { scope: "all", incident };
  }
  const broken = await replayAll(core, stored);
  const heads = new Map(stored.eventHeads.map((row) => [row.channelNo, row.lastEventId]));
  await runStep(core, (draft) => {
    for (const entry of core.monitors.all()) {
      settle(core, draft, entry, heads.get(entry.channelNo), broken.get(entry));
    }
  });
}

function addChannel(core: Core, row: ChannelRow, snapshot: SnapshotRow | undefined): void {
  const { channelNo, channelId, managerKey, watchHash } = row;
  try {
    assert(snapshot !== undefined, "a channel has a snapshot from its first commit on");
    const first = parseFirstState(row.payload);
    assert(first.ok, "a readable first state");
    const base = {
      channelNo,
      channelId,
      managerKey,
      watchHash,
      headRowId: snapshot.logRowId,
      rowsSinceSnapshot: 0,
      lastEventHash: undefined,
      pending: new Map(),
      halt: undefined,
    };
    core.monitors.add(loaded(base, first.value, snapshot.bytes));
  } catch (error) {
    const incident = newIncident(core);
    core.monitors.unreadable.set(channelId, { managerKey, incident });
    core.deps.log.error({ incident, channelId, cause: causeOf(error) }, "channel unreadable");
  }
}

function loaded(base: EntryBase, first: FirstState, bytes: Uint8Array): AnyEntry {
  if (first.kind === "penaltyOnly") {
    const state = decodePenaltyState(bytes);
    return { ...base, kind: "penaltyOnly", state, durable: state };
  }
  const firstCounterpartyCommitments = firstCommitmentsIn(first.initial);
  const state = decodeState(bytes);
  const keptPreimages = new Set<PaymentHash>();
  const own = { firstCounterpartyCommitments, keptPreimages, state, durable: state };
  return { ...base, kind: "full", ...own };
}

function addEvents(core: Core, stored: StoredState): void {
  for (const { rowId, channelNo, event } of stored.events) {
    core.monitors.byNo(channelNo)?.pending.set(event.eventId, { rowId, event, committed: true });
  }
  for (const { channelNo, lastEventHash } of stored.eventHeads) {
    const entry = core.monitors.byNo(channelNo);
    if (entry !== undefined) entry.lastEventHash = lastEventHash;
  }
}

/** Returns the channels whose log does not replay, with the reason. */
async function replayAll(core: Core, stored: StoredState): Promise<ReadonlyMap<AnyEntry, unknown>> {
  const broken = new Map<AnyEntry, unknown>();
  let after = stored.nextRowIds.log - 1;
  for (const { headRowId } of core.monitors.all()) after = Math.min(after, headRowId);
  for (;;) {
    const page = await core.deps.store.readLog(after, LOG_PAGE_ROWS);
    const last = page.at(-1);
    if (last === undefined) return broken;
    after = last.rowId;
    for (const row of page) {
      const entry = core.monitors.byNo(row.channelNo);
      if (entry === undefined || row.rowId <= entry.headRowId) continue;
      replayRow(core, entry, row, broken);
    }
  }
}

function replayRow(core: Core, entry: AnyEntry, row: LogRow, broken: Map<AnyEntry, unknown>): void {
  const { headRowId } = entry;
  entry.headRowId = row.rowId;
  entry.rowsSinceSnapshot++;
  if (broken.has(entry) || entry.halt !== undefined) return;
  try {
    assert(row.prevRowId === headRowId, "the log of a channel is a chain");
    if (entry.kind === "full") replayFull(core, entry, row);
    else replayPenalty(core, entry, row);
  } catch (error) {
    broken.set(entry, error);
  }
}

function replayFull(core: Core, entry: ChannelEntry, row: LogRow): void {
  const result = step(core.context, entry.state, inputOfRow(row, entry.state));
  assert(result.ok, "a stored input is accepted again");
  core.monitors.setState(entry, result.value.state);
}

function replayPenalty(core: Core, entry: PenaltyEntry, row: LogRow): void {
  const result = penaltyStep(entry.state, penaltyInputOfRow(row));
  assert(result.ok, "a stored input is accepted again");
  core.monitors.setPenaltyState(entry, result.value.state);
}

/** Every block up to the stored tip was given to every channel that was not halted. */
function settle(
  core: Core,
  draft: Draft,
  entry: AnyEntry,
  lastEventId: EventId | undefined,
  failure: unknown,
): void {
  const expected = (lastEventId ?? 0n) + 1n;
  if (entry.halt === undefined) {
    const mismatch = entry.state.nextEventId !== expected;
    const cause = failure ?? (mismatch ? new Error("stored events do not match") : undefined);
    if (cause !== undefined) haltChannel(core, draft, entry, "all", cause);
    else if (entry.kind === "full") {
      core.monitors.setState(entry, { ...entry.state, best: tipOf(core) });
    } else core.monitors.setPenaltyState(entry, { ...entry.state, best: tipOf(core) });
  }
  if (entry.halt === undefined && entry.kind === "full") recallFloor(core, draft, entry);
  draft.touch(entry);
}

/** A store restored from a backup is older than what this monitor once told durable. */
function recallFloor(core: Core, draft: Draft, entry: ChannelEntry): void {
  const { channelId, state } = entry;
  const number = core.deps.floors.floorOf(channelId);
  if (number === undefined || number <= state.holderFloor) return;
  const holder = state.holder.commitmentNumber;
  core.deps.log.error(
    { channelId, holder, floor: number },
    "stored state is older than what was told durable: our commitment is not broadcast",
  );
  applyInput(core, draft, entry, { kind: "holderFloorKnown", number }, undefined);
}
