/**
 * From what is on a node's disk to the ChannelMonitors its ChannelManager is read with (contract 2.22; restart
 * rules R3, R6, R7). Which channels need one:
 * - open when the ChannelManager was written: LDK demands it;
 * - with updates in flight in it: LDK demands it too, whatever became of the channel;
 * - closed, while HTLCs of it wait for an outcome that no saved ChannelManager has: their events come again.
 */
import type { ChannelId } from "@farwatch/protocol/ids";
import type { ChannelBook } from "./channel-book.js";
import { RemoteWatchError, textOf, type WatchAlarm } from "./errors.js";
import type { EventDesk } from "./event-desk.js";
import { fundingOf } from "./ldk-watch.js";
import type { Ldk, LdkModule } from "./ldk-module.js";
import type { ManagerLink } from "./manager-link.js";
import type { MonitorReaders } from "./options.js";
import { hasOutboundHtlcs } from "./outbound-htlcs.js";
import { monitorItemOf } from "./read-item.js";
import { buildReplica, silentBroadcaster, type Replica } from "./replica.js";
import type { RestorePlan } from "./restore-plan.js";
import type { Told, ToldChannel } from "./told.js";

/**
 * Updates replayed for one channel before the result is stored as a checkpoint: about 0.2 s of replay, and one
 * checkpoint of 64 kB for every hundred payments (restart.md 6).
 */
export const CHECKPOINT_AFTER_UPDATES = 500;

export interface RestoreParts {
  readonly ldk: LdkModule;
  readonly link: ManagerLink;
  readonly book: ChannelBook;
  readonly desk: EventDesk;
  readonly alarm: (alarm: WatchAlarm) => void;
}

export async function restoreMonitors(
  parts: RestoreParts,
  told: Told,
  plan: RestorePlan,
  readers: MonitorReaders,
): Promise<Ldk.ChannelMonitor[]> {
  const { book, desk } = parts;
  for (const id of plan.unsent) book.forget(id);
  const unfinished = desk.channelsWithHtlcs();
  const broadcaster = silentBroadcaster(parts.ldk);
  const monitors: Ldk.ChannelMonitor[] = [];
  for (const id of plan.wanted) {
    const saved = told.get(id);
    if (saved === undefined) continue;
    const replica = await fetchReplica(parts, { id, told: saved.completed, readers, broadcaster });
    if (!isNeeded(saved, replica, unfinished.has(id))) {
      book.settle(id);
      continue;
    }
    book.revive(id);
    register(book, id, replica.monitor);
    for (const item of replica.start.handledHtlcEvents) desk.repeat(monitorItemOf(item));
    if (saved.completed === undefined) await announceFirst(parts, id, replica);
    await checkpoint(parts, id, replica);
    monitors.push(replica.monitor);
  }
  return monitors;
}

/** The first ChannelMonitor counts as in flight until its Completed. */
const hasInFlight = ({ completed, newest }: ToldChannel): boolean =>
  completed === undefined || completed < newest;

function isNeeded(saved: ToldChannel, { monitor, start }: Replica, isUnfinished: boolean): boolean {
  if (saved.state === "open" || hasInFlight(saved) || isUnfinished) return true;
  if (start.closed) return start.unresolvedHtlcs > 0;
  return hasOutboundHtlcs(monitor.write());
}

interface Wanted {
  readonly id: ChannelId;
  readonly told: bigint | undefined;
  readonly readers: MonitorReaders;
  readonly broadcaster: Ldk.BroadcasterInterface;
}

const fetchReplica = (
  { ldk, link }: RestoreParts,
  { id, told, readers, broadcaster }: Wanted,
): Promise<Replica> =>
  link.use((rpc) =>
    buildReplica(
      { ldk, readers, broadcaster, channelId: id, told },
      rpc.getLdkMonitor({ channelId: Buffer.from(id, "hex"), told: told ?? 0n }),
    ),
  );

export function register(book: ChannelBook, id: ChannelId, monitor: Ldk.ChannelMonitor): void {
  const funding = fundingOf(monitor.get_funding_txo().get_a());
  const counterpartyNodeId = monitor.get_counterparty_node_id();
  book.add({ channelId: id, funding, counterpartyNodeId }, monitor.get_latest_update_id());
}

/**
 * The saved ChannelManager waits for its first ChannelMonitor, yet LDK may have published the funding since.
 * It must hear the Completed before the block that confirms the funding, or it panics ("broadcast by the
 * local client before it should have", channel.rs). No update tells whether it is durable; asking again does.
 */
async function announceFirst(
  parts: RestoreParts,
  id: ChannelId,
  { start }: Replica,
): Promise<void> {
  const { monitor: ldkMonitor, updateId } = start;
  const request = { initialState: Buffer.alloc(0), firstUpdateId: updateId + 1n, ldkMonitor };
  const answer = await parts.link.use((rpc) => rpc.watchChannel(request));
  if (!answer.ok) throw new RemoteWatchError("refused", answer.error.message, answer.error);
  if (!answer.value.completed) return;
  parts.desk.completed(id, { updateId, itemWatermark: 0n, closed: false });
}

export const isLongLog = ({ updates }: Pick<Replica, "updates">): boolean =>
  updates >= CHECKPOINT_AFTER_UPDATES;

/** Only makes the next start shorter: a failure is told and does not stop this one. */
async function checkpoint(parts: RestoreParts, id: ChannelId, replica: Replica): Promise<void> {
  if (!isLongLog(replica)) return;
  const monitor = Buffer.from(replica.monitor.write());
  const updateId = replica.monitor.get_latest_update_id();
  const request = { channelId: Buffer.from(id, "hex"), updateId, monitor };
  try {
    const answer = await parts.link.use((rpc) => rpc.putLdkCheckpoint(request));
    if (answer.ok) return;
    parts.alarm({ code: answer.error.reason, text: answer.error.message, channelId: id });
  } catch (error) {
    parts.alarm({ code: "checkpoint", text: textOf(error), channelId: id });
  }
}
