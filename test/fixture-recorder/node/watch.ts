/**
 * The two seams at which a node's monitor is recorded: the Watch between ChannelManager and ChainMonitor,
 * where updates and monitor events pass as bytes, and Persist, which is handed every new monitor.
 */
import { toHex } from "@farwatch/protocol/bytes";
import type {
  ChannelMonitor,
  ChannelMonitorUpdate,
  OutPoint,
  Persist,
  Watch,
} from "lightningdevkit";
import type { RecordedChannel } from "../fixture/document.js";
import { describeMonitorEvent } from "../ldk/describe.js";
import { commitment, outpoint, outpointName, outputsToWatch } from "../ldk/describe-parts.js";
import { monitorHead, updateSteps } from "../ldk/layout.js";
import { ldk } from "../ldk/module.js";
import { isNull } from "../ldk/result.js";
import type { Timeline } from "./timeline.js";

/** A monitor as it was persisted after an update (block-driven ones are not kept). */
export interface Snapshot {
  readonly channel: string;
  readonly updateId: bigint;
  readonly monitor: Uint8Array;
}

/** A channel before its value and keys are looked up. */
export type WatchedChannel = Omit<RecordedChannel, "channel_value_satoshis" | "keys">;

export class MonitorRecorder {
  readonly channels: WatchedChannel[] = [];
  readonly snapshots: Snapshot[] = [];
  readonly stats = { update_ms: 0, updates: 0, monitor_bytes: 0, update_bytes: 0 };
  readonly #watched = new Map<string, string>();

  constructor(private readonly timeline: Timeline) {}

  /** Passes everything on to the real ChainMonitor. */
  watch(inner: Watch): Watch {
    return ldk.Watch.new_impl({
      watch_channel: (funding, monitor) => {
        this.#watchChannel(funding, monitor);
        return inner.watch_channel(funding, monitor);
      },
      update_channel: (funding, update) => {
        this.#updateChannel(funding, update);
        const started = performance.now();
        const status = inner.update_channel(funding, update);
        this.stats.update_ms += performance.now() - started;
        return status;
      },
      release_pending_monitor_events: () => {
        const released = inner.release_pending_monitor_events();
        for (const entry of released) {
          this.timeline.add({
            type: "monitor_events",
            channel: outpointName(entry.get_a()),
            channel_id: toHex(entry.get_b().get_a()),
            counterparty: toHex(entry.get_d()),
            events: entry.get_c().map(describeMonitorEvent),
          });
        }
        return released;
      },
    });
  }

  persist(): Persist {
    const done = ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;
    return ldk.Persist.new_impl({
      persist_new_channel: (funding, monitor) => {
        this.#persisted("persist_new", { funding, monitor });
        return done;
      },
      update_persisted_channel: (funding, update, monitor) => {
        this.#persisted("persist_update", { funding, monitor, update });
        return done;
      },
      archive_persisted_channel: () => undefined,
    });
  }

  #watchChannel(funding: OutPoint, monitor: ChannelMonitor): void {
    const bytes = monitor.write();
    const channel = outpointName(funding);
    const channel_id = toHex(monitor.channel_id().get_a());
    this.timeline.add({
      type: "watch_channel",
      channel,
      monitor: toHex(bytes),
      update_id: monitor.get_latest_update_id().toString(),
      channel_id,
    });
    this.channels.push({
      channel,
      channel_id,
      funding_txo: outpoint(funding),
      ...monitorHead(bytes),
      counterparty_node_id: toHex(monitor.get_counterparty_node_id()),
      initial_monitor: toHex(bytes),
    });
  }

  #updateChannel(funding: OutPoint, update: ChannelMonitorUpdate): void {
    const bytes = update.write();
    const { id, steps } = updateSteps(bytes);
    this.stats.updates++;
    this.stats.update_bytes = Math.max(this.stats.update_bytes, bytes.length);
    this.timeline.add({
      type: "update_channel",
      channel: outpointName(funding),
      update_id: id.toString(),
      steps,
      update: toHex(bytes),
    });
  }

  #persisted(type: "persist_new" | "persist_update", what: Persistence): void {
    const { monitor } = what;
    const update = isNull(what.update) ? undefined : what.update;
    const bytes = monitor.write();
    const channel = outpointName(what.funding);
    const updateId = monitor.get_latest_update_id();
    this.stats.monitor_bytes = Math.max(this.stats.monitor_bytes, bytes.length);
    const rebuilt =
      update === undefined ? [] : monitor.counterparty_commitment_txs_from_update(update);
    this.timeline.add({
      type,
      channel,
      update_id: update === undefined ? null : update.get_update_id().toString(),
      latest_update_id: updateId.toString(),
      monitor_len: bytes.length,
      ...(rebuilt.length > 0 ? { counterparty_commitments: rebuilt.map(commitment) } : {}),
      ...(type === "persist_new"
        ? {
            initial_counterparty_commitment: commitment(
              monitor.initial_counterparty_commitment_tx(),
            ),
          }
        : {}),
      ...this.#newlyWatched(channel, monitor),
    });
    if (update !== undefined) this.snapshots.push({ channel, updateId, monitor: bytes });
  }

  /** Outputs to watch, when they are not the ones of the last time. */
  #newlyWatched(channel: string, monitor: ChannelMonitor) {
    const outputs_to_watch = outputsToWatch(monitor);
    const text = JSON.stringify(outputs_to_watch);
    if (this.#watched.get(channel) === text) return {};
    this.#watched.set(channel, text);
    return { outputs_to_watch };
  }
}

interface Persistence {
  readonly funding: OutPoint;
  readonly monitor: ChannelMonitor;
  readonly update?: ChannelMonitorUpdate;
}
