/**
 * LDK's `Watch` for its bindings: takes bytes, answers InProgress at once, hands out what the desk says is
 * ready. Called inside LDK's locks, so it neither calls back nor throws.
 */
import { toHex } from "@farwatch/protocol/bytes";
import { channelId, txidFromInternal, type Outpoint } from "@farwatch/protocol/ids";
import { assert, must } from "@farwatch/protocol/assert";
import type { ChannelBook } from "./channel-book.js";
import type { EventDesk, Handover } from "./event-desk.js";
import { guarded } from "./guard.js";
import type { Hold } from "./hold.js";
import type { InFlight } from "./in-flight.js";
import type { Ldk, LdkModule } from "./ldk-module.js";
import { channelIdOf, completedEvent, monitorEvent, outPointOf } from "./monitor-events.js";

export interface WatchParts {
  readonly ldk: LdkModule;
  readonly book: ChannelBook;
  readonly desk: EventDesk;
  readonly hold: Hold;
  readonly inFlight: InFlight;
  /** Nothing may be handed over any more. */
  readonly isFailed: () => boolean;
  readonly failed: (error: unknown) => void;
}

export const fundingOf = (point: Ldk.OutPoint): Outpoint => ({
  txid: txidFromInternal(point.get_txid()),
  vout: point.get_index(),
});

export function ldkWatch(parts: WatchParts): Ldk.Watch {
  const { ldk, failed } = parts;
  const inProgress = ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_InProgress;
  const Result = ldk.Result_ChannelMonitorUpdateStatusNoneZ;
  const watching = () => Result.constructor_ok(inProgress);
  return ldk.Watch.new_impl({
    watch_channel: guarded(
      (funding: Ldk.OutPoint, monitor: Ldk.ChannelMonitor) =>
        watchChannel(parts, funding, monitor) ? watching() : Result.constructor_err(),
      failed,
      watching,
    ),
    update_channel: guarded(
      (funding: Ldk.OutPoint, update: Ldk.ChannelMonitorUpdate) => {
        updateChannel(parts, funding, update);
        return inProgress;
      },
      failed,
      () => inProgress,
    ),
    release_pending_monitor_events: guarded(
      () => (parts.isFailed() ? [] : parts.desk.release().map((one) => handOver(parts, one))),
      failed,
      () => [],
    ),
  });
}

/** False: this channel is watched already. */
function watchChannel(
  { book, desk, hold }: WatchParts,
  point: Ldk.OutPoint,
  monitor: Ldk.ChannelMonitor,
): boolean {
  const id = channelId(toHex(monitor.channel_id().get_a()));
  if (book.knows(id)) return false;
  const bytes = monitor.write();
  const updateId = monitor.get_latest_update_id();
  const counterpartyNodeId = monitor.get_counterparty_node_id();
  book.add({ channelId: id, funding: fundingOf(point), counterpartyNodeId }, updateId);
  desk.opened(id);
  hold.push({ kind: "watch", channelId: id, updateId, bytes });
  return true;
}

function updateChannel(
  { book, hold, inFlight }: WatchParts,
  point: Ldk.OutPoint,
  update: Ldk.ChannelMonitorUpdate,
): void {
  const funding = fundingOf(point);
  const channel = book.funded(funding);
  assert(channel !== undefined, `an update of ${funding.txid}:${funding.vout}, never watched`);
  const updateId = update.get_update_id();
  const bytes = update.write();
  book.handed(channel.channelId, updateId);
  inFlight.add(channel.channelId, updateId, bytes);
  hold.push({ kind: "update", channelId: channel.channelId, updateId, bytes });
}

function handOver(
  { ldk, book, inFlight }: WatchParts,
  { channelId: id, events, completed }: Handover,
) {
  const channel = must(book.get(id), "a channel that LDK knows");
  const made = events.map((event) => monitorEvent(ldk, channel, event));
  if (completed !== undefined) {
    made.push(completedEvent(ldk, channel, completed));
    book.completed(id, completed);
    inFlight.completed(id, completed);
  }
  return ldk.FourTuple_OutPointChannelIdCVec_MonitorEventZPublicKeyZ.constructor_new(
    outPointOf(ldk, channel.funding),
    channelIdOf(ldk, id),
    made,
    Uint8Array.from(channel.counterpartyNodeId),
  );
}

/** What a lister says of LDK, for the desk. Never inside a callback of LDK. */
export function viewOf(lister: {
  list_channels(): Ldk.ChannelDetails[];
  current_best_block(): Ldk.BestBlock;
}) {
  const listed = lister
    .list_channels()
    .map((one) => channelId(toHex(one.get_channel_id().get_a())));
  return { listed: new Set(listed), height: lister.current_best_block().get_height() };
}
