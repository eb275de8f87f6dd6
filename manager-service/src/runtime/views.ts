/** Read-only answers: channels merged over their monitors, payments, pending events, monitors. */
import { fromHex } from "@farwatch/protocol/bytes";
import { GetChannelResponse as MonitorChannel } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  Role,
  type Forward,
  type GetChannelResponse,
  type ManagerBehind,
  type MonitorStatus,
  type MonitorView,
  type Payment,
  type PendingEvent,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { PaymentId } from "@farwatch/protocol/ids";
import { whyNotAcked } from "../manager/ack-predicate.js";
import type { HtlcLocator } from "@farwatch/protocol/gen/manager/v1/event";
import { ALL, type Tables } from "../manager/draft.js";
import { isBehindMonitor } from "../manager/restart/catch-up.js";
import { rowKeys, type ChannelRow, type Role as RowRole } from "../manager/rows.js";
import { durableId, lagOf } from "../manager/updates/durability.js";
import type { MonitorLink } from "../monitors/monitor-link.js";
import type { Replays } from "./replays.js";
import { CLOSURE_REASONS, locatorToWire } from "./item-to-wire.js";
import { forwardToWire, paymentToWire } from "./lists-to-wire.js";

const hex = (id: string): Buffer => Buffer.from(fromHex(id));

/**
 * Asks every monitor that can be reached; the others are shown by what their receipts say. Rows are read
 * before the first await.
 */
export async function channelView(
  tables: Tables,
  links: readonly MonitorLink[],
  row: ChannelRow,
): Promise<GetChannelResponse> {
  const required = links.filter(({ monitorKey }) => row.requiredMonitors.includes(monitorKey));
  return {
    channelId: hex(row.channelId),
    role: WIRE_ROLES[row.role],
    acceptedId: row.acceptedId,
    durableId: durableId(tables, row) ?? 0n,
    headHash: hex(row.headHash),
    monitors: await Promise.all(required.map((link) => monitorView(tables, link, row))),
    closed: row.closed !== undefined,
    closureReason: row.closed === undefined ? undefined : CLOSURE_REASONS[row.closed],
    frozen: row.frozen !== undefined || isBehindMonitor(tables, row),
    managerBehind: managerBehind(row),
  };
}

function managerBehind({ acceptedId, behindMonitor }: ChannelRow): ManagerBehind | undefined {
  if (behindMonitor === undefined) return undefined;
  const { monitorName: monitor, goal, missingEvents: events } = behindMonitor;
  return { monitor, updates: (goal?.updateId ?? acceptedId) - acceptedId, events };
}

async function monitorView(
  tables: Tables,
  link: MonitorLink,
  row: ChannelRow,
): Promise<MonitorView> {
  const key = rowKeys.receipt(link.monitorKey, row.channelId);
  const { connected } = link.status();
  const persistedId = tables.receipt.get(key)?.updateId ?? 0n;
  const behindBy = lagOf(tables, row, key);
  const view = connected ? await link.channel(row.channelId) : undefined;
  return {
    name: link.name,
    persistedId,
    behindBy,
    connected,
    channel: view === undefined ? undefined : MonitorChannel.decode(view.wire),
  };
}

/** In payment id order, strictly after `after`. */
export function paymentViews(
  tables: Tables,
  nodeKey: string,
  after: PaymentId | undefined,
  limit: number,
): readonly Payment[] {
  return tables.payment
    .select("node", nodeKey)
    .filter((row) => after === undefined || row.paymentId > after)
    .slice(0, limit)
    .map((row) => paymentToWire(row, tables.part.select("payment", row.paymentId)));
}

/** In the order of their keys, strictly after `after`. */
export function forwardViews(
  tables: Tables,
  nodeKey: string,
  after: string | undefined,
  limit: number,
): readonly { readonly key: string; readonly forward: Forward }[] {
  return tables.forward
    .select("node", nodeKey)
    .filter(({ forwardKey }) => after === undefined || forwardKey > after)
    .slice(0, limit)
    .map((row) => ({ key: row.forwardKey, forward: forwardToWire(tables, row) }));
}

/** Inbound HTLCs that must not be forwarded again: their forward is under way or not settled. */
export const ownedInbound = (tables: Tables, nodeKey: string): readonly HtlcLocator[] =>
  [...tables.inbound.select("owned", ALL)]
    .filter((row) => row.nodeKey === nodeKey)
    .map(locatorToWire);

export const WIRE_ROLES: Readonly<Record<RowRole, Role>> = {
  managerResolves: Role.MANAGER_RESOLVES,
  nodeResolves: Role.NODE_RESOLVES,
  observe: Role.OBSERVE,
};

const ON_ITS_WAY = "the ack is stored and on its way to the monitor";

export function pendingEvents(
  tables: Tables,
  links: readonly MonitorLink[],
  nodeKey: string,
): readonly PendingEvent[] {
  const rows = [...tables.inbox.values()].filter(
    ({ channelId }) => tables.channel.get(channelId)?.nodeKey === nodeKey,
  );
  return rows.map((row) => ({
    monitor: links.find(({ monitorKey }) => monitorKey === row.monitorKey)?.name ?? "",
    channelId: hex(row.channelId),
    eventId: row.eventId,
    eventHash: hex(row.eventHash),
    kind: row.body.kind,
    whyNotAcked: whyNotAcked(tables, row) ?? ON_ITS_WAY,
    createdAtMs: BigInt(row.createdAtMs),
  }));
}

/** When it came to be at its monitor; undefined: no event is pending. */
export function oldestPendingEvent(tables: Tables): number | undefined {
  let oldest: number | undefined;
  for (const { createdAtMs } of tables.inbox.values()) {
    oldest = Math.min(oldest ?? createdAtMs, createdAtMs);
  }
  return oldest;
}

export function monitorStatuses(
  tables: Tables,
  links: readonly MonitorLink[],
  replays: Pick<Replays, "of">,
): readonly MonitorStatus[] {
  const statuses = links.map((link) => ({ link, status: link.status() }));
  const highest = Math.max(0, ...statuses.map(({ status }) => status.tipHeight ?? 0));
  return statuses.map(({ link, status }) => ({
    name: link.name,
    monitorKey: hex(link.monitorKey),
    storeId: status.storeId === undefined ? Buffer.alloc(0) : hex(status.storeId),
    connected: status.connected,
    lagUpdates: totalLag(tables, link),
    lagBlocks: highest - (status.tipHeight ?? 0),
    tipHeight: status.tipHeight ?? 0,
    lastError: status.lastError ?? "",
    replayDone: replays.of(link.monitorKey).isDone,
    replayedEvents: replays.of(link.monitorKey).replayed,
  }));
}

/** Accepted updates, over all channels, that this monitor has not acknowledged. */
function totalLag(tables: Tables, { monitorKey }: MonitorLink): bigint {
  let lag = 0n;
  for (const row of tables.channel.values()) {
    if (!row.requiredMonitors.includes(monitorKey)) continue;
    lag += lagOf(tables, row, rowKeys.receipt(monitorKey, row.channelId));
  }
  return lag;
}
