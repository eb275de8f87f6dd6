/** Read-only answers: channels merged over their monitors, payments, pending events, monitors. */
import { fromHex } from "@farwatch/protocol/bytes";
import { must } from "@farwatch/protocol/assert";
import { GetChannelResponse as MonitorChannel } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import {
  Role,
  type GetChannelResponse,
  type MonitorStatus,
  type MonitorView,
  type PendingEvent,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import { whyNotAcked } from "../manager/acks.js";
import { rowKeys, type ChannelRow, type Tables } from "../manager/rows.js";
import type { MonitorLink } from "../monitors/monitor-link.js";
import { CLOSURE_REASONS } from "./item-to-wire.js";
import { durableIdOf } from "./sessions.js";

const hex = (id: string): Buffer => Buffer.from(fromHex(id));

/** Asks every monitor that can be reached; the others are shown by what their receipts say. */
export async function channelView(
  tables: Tables,
  links: readonly MonitorLink[],
  row: ChannelRow,
): Promise<GetChannelResponse> {
  const required = links.filter(({ monitorKey }) => row.requiredMonitors.includes(monitorKey));
  return {
    channelId: hex(row.channelId),
    role: Role.MANAGER_RESOLVES,
    acceptedId: row.acceptedId,
    durableId: durableIdOf(tables, row),
    headHash: hex(row.headHash),
    monitors: await Promise.all(required.map((link) => monitorView(tables, link, row))),
    closed: row.closed !== undefined,
    closureReason: row.closed === undefined ? undefined : CLOSURE_REASONS[row.closed],
    frozen: row.frozen !== undefined,
  };
}

async function monitorView(
  tables: Tables,
  link: MonitorLink,
  row: ChannelRow,
): Promise<MonitorView> {
  const receipt = tables.receipt.get(rowKeys.receipt(link.monitorKey, row.channelId));
  const persistedId = receipt?.updateId ?? 0n;
  const { connected } = link.status();
  const view = connected ? await link.channel(row.channelId) : undefined;
  return {
    name: link.name,
    persistedId,
    behindBy: row.acceptedId - persistedId,
    connected,
    channel: view === undefined ? undefined : MonitorChannel.decode(view.wire),
  };
}

export function pendingEvents(
  tables: Tables,
  links: readonly MonitorLink[],
  nodeKey: string,
): readonly PendingEvent[] {
  return tables.inbox
    .keys("unacked", "all")
    .map((key) => must(tables.inbox.get(key), "inbox row"))
    .filter(({ channelId }) => tables.channel.get(channelId)?.nodeKey === nodeKey)
    .map((row) => ({
      monitor: links.find(({ monitorKey }) => monitorKey === row.monitorKey)?.name ?? "",
      channelId: hex(row.channelId),
      eventId: row.eventId,
      eventHash: hex(row.eventHash),
      kind: row.body.kind,
      whyNotAcked: whyNotAcked(row),
      createdAtMs: BigInt(row.createdAtMs),
    }));
}

export function monitorStatuses(
  tables: Tables,
  links: readonly MonitorLink[],
): readonly MonitorStatus[] {
  const statuses = links.map((link) => ({ link, status: link.status() }));
  const highest = Math.max(0, ...statuses.map(({ status }) => status.tipHeight ?? 0));
  return statuses.map(({ link, status }) => ({
    name: link.name,
    monitorKey: hex(link.monitorKey),
    storeId: status.storeId === undefined ? Buffer.alloc(0) : hex(status.storeId),
    connected: status.connected,
    lagUpdates: lagOf(tables, link),
    lagBlocks: highest - (status.tipHeight ?? 0),
    tipHeight: status.tipHeight ?? 0,
    lastError: status.lastError ?? "",
  }));
}

/** Accepted updates, over all channels, that this monitor has not acknowledged. */
function lagOf(tables: Tables, { monitorKey }: MonitorLink): bigint {
  let lag = 0n;
  for (const row of tables.channel.values()) {
    const receipt = tables.receipt.get(rowKeys.receipt(monitorKey, row.channelId));
    const from = receipt?.updateId ?? row.firstUpdateId - 1n;
    lag += row.acceptedId - from;
  }
  return lag;
}
