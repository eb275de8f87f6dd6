/**
 * GetLdkMonitor (contract 2.22): the newest checkpoint at or below what the node was told, or the monitor it was
 * watched with, and the updates after it. What was never durable is never given: a node that was told more has
 * met a manager that lost data, and must not start from it (restart rule R6).
 */
import { assert, must } from "@farwatch/protocol/assert";
import type { LdkMonitorStart } from "@farwatch/protocol/gen/manager/v1/manager_service";
import { InitialState } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { updateId, type UpdateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { decodeBytesRow } from "../manager/codec.js";
import type { Tables } from "../manager/draft.js";
import { isOver } from "../manager/inbound/inbound-htlcs.js";
import { unresolvedHtlcs } from "../manager/monitor-events/unresolved.js";
import { rowKeys, type ChannelRow } from "../manager/rows.js";
import { notOfLdk } from "../manager/updates/accept-checkpoint.js";
import { durableId } from "../manager/updates/durability.js";
import type { ManagerStore } from "../store/store.js";
import { itemToWire } from "./item-to-wire.js";
import type { LdkMonitorSource } from "./manager-host.js";
import type { UpdateLog } from "./update-log.js";

/** Updates in memory at once for one caller: LDK's are about 450 bytes, and 3 MiB at most. */
export const UPDATES_PER_READ = 32;

interface Base {
  readonly monitor: Uint8Array;
  readonly updateId: UpdateId;
}

/** Errors: malformed (not LDK's channel), rangeExceeded. */
export async function ldkMonitor(
  { tables, log, store }: { tables: Tables; log: UpdateLog; store: ManagerStore },
  channel: ChannelRow,
  told: UpdateId,
): Promise<Result<LdkMonitorSource, Refusal>> {
  if (channel.dialect !== "ldk") return err(notOfLdk(channel.channelId));
  const last = lastDurable(tables, channel);
  if (told > last) {
    const details = { channel_id: channel.channelId, field: "told", limit: String(last) };
    const text = "the node was told of updates that are not durable here: this manager lost data";
    return err(refuse("rangeExceeded", text, details));
  }
  const facts = factsOf(tables, channel);
  const base = await baseOf(tables, store, channel, told);
  const start = { monitor: Buffer.from(base.monitor), updateId: base.updateId, ...facts };
  return ok({ start, updates: updatesOf(log, channel, base.updateId, told) });
}

/**
 * What a node can have been told: durable now or once, if a monitor lost its store since. The first state is
 * the node's own.
 */
function lastDurable(tables: Tables, channel: ChannelRow): bigint {
  const ids = [durableId(tables, channel), channel.completed?.updateId, channel.firstUpdateId - 1n];
  return ids.reduce((high: bigint, id) => (id !== undefined && id > high ? id : high), 0n);
}

function factsOf(
  tables: Tables,
  channel: ChannelRow,
): Omit<LdkMonitorStart, "monitor" | "updateId"> {
  const handled = tables.item.select("handledOnChain", channel.channelId);
  return {
    acceptedId: channel.acceptedId,
    durableId: durableId(tables, channel) ?? 0n,
    closed: isOver(channel),
    unresolvedHtlcs: unresolvedHtlcs(tables, channel),
    handledHtlcEvents: handled.map(itemToWire),
  };
}

async function baseOf(
  { watch }: Tables,
  store: ManagerStore,
  { channelId, channelNo, firstUpdateId, checkpoints = [] }: ChannelRow,
  told: UpdateId,
): Promise<Base> {
  const at = checkpoints.find((id) => id <= told);
  if (at !== undefined) {
    const key = rowKeys.update(channelNo, at);
    const next = rowKeys.update(channelNo, at + 1n);
    const [row] = await store.range("checkpoint", key, next, 1);
    // Gone when a newer one took its place meanwhile.
    if (row !== undefined) return { monitor: decodeBytesRow(row.value), updateId: at };
  }
  const { payload } = must(watch.get(channelId), "watch row");
  const { ldkMonitor: first } = InitialState.decode(payload);
  return {
    monitor: must(first, "LDK's monitor in a first state"),
    updateId: updateId(firstUpdateId - 1n),
  };
}

async function* updatesOf(
  log: UpdateLog,
  { channelId }: ChannelRow,
  base: UpdateId,
  told: UpdateId,
): AsyncGenerator<Uint8Array> {
  let next = base + 1n;
  while (next <= told) {
    const left = Number(told - next + 1n);
    const rows = await log.read(channelId, next, Math.min(left, UPDATES_PER_READ));
    for (const row of rows) yield row.payload;
    assert(rows.length > 0, "an accepted update is stored");
    next += BigInt(rows.length);
  }
}
