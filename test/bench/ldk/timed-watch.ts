/**
 * Between a ChannelManager and its Watch: how long each update takes from update_channel until LDK is told
 * that it is Completed, by the answer itself or by a MonitorEvent. The same one more crossing into WASM for
 * every Watch that is measured.
 */
import { toHex } from "@farwatch/protocol/bytes";
import { must } from "@farwatch/protocol/assert";
import type { ChannelMonitor, ChannelMonitorUpdate, OutPoint, Watch } from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";

interface Waiting {
  readonly updateId: bigint;
  /** undefined: a first ChannelMonitor, whose time is not asked for. */
  readonly since: number | undefined;
}

const COMPLETED = ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;

/** Told of what passes through, as it is called. */
export interface Listener {
  watched?(funding: string, monitor: ChannelMonitor): void;
  updated?(funding: string, update: ChannelMonitorUpdate): void;
}

export class TimedWatch {
  readonly watch: Watch;
  readonly #waiting = new Map<string, Waiting[]>();
  #latencies: number[] = [];

  constructor(
    private readonly inner: Watch,
    private readonly listener: Listener = {},
  ) {
    this.watch = ldk.Watch.new_impl({
      watch_channel: (funding, monitor) => this.#watchChannel(funding, monitor),
      update_channel: (funding, update) => this.#update(funding, update),
      release_pending_monitor_events: () => this.#release(),
    });
  }

  /** Updates and first ChannelMonitors that LDK was not told to be Completed. */
  get outstanding(): number {
    let count = 0;
    for (const updates of this.#waiting.values()) count += updates.length;
    return count;
  }

  /** Ms of each update that was Completed since the last call. */
  takeLatencies(): readonly number[] {
    const taken = this.#latencies;
    this.#latencies = [];
    return taken;
  }

  #watchChannel(funding: OutPoint, monitor: ChannelMonitor) {
    const name = nameOf(funding);
    this.listener.watched?.(name, monitor);
    const updateId = monitor.get_latest_update_id();
    const result = this.inner.watch_channel(funding, monitor);
    const isOk = result instanceof ldk.Result_ChannelMonitorUpdateStatusNoneZ_OK;
    if (isOk && result.res !== COMPLETED) this.#wait(name, { updateId, since: undefined });
    return result;
  }

  #update(funding: OutPoint, update: ChannelMonitorUpdate) {
    const since = performance.now();
    const name = nameOf(funding);
    this.listener.updated?.(name, update);
    const updateId = update.get_update_id();
    const status = this.inner.update_channel(funding, update);
    if (status === COMPLETED) this.#latencies.push(performance.now() - since);
    else this.#wait(name, { updateId, since });
    return status;
  }

  #wait(name: string, update: Waiting): void {
    const waiting = this.#waiting.get(name) ?? [];
    waiting.push(update);
    this.#waiting.set(name, waiting);
  }

  #release() {
    const released = this.inner.release_pending_monitor_events();
    for (const one of released) {
      for (const event of one.get_c()) {
        if (!(event instanceof ldk.MonitorEvent_Completed)) continue;
        this.#completed(nameOf(one.get_a()), event.monitor_update_id);
      }
    }
    return released;
  }

  #completed(name: string, updateId: bigint): void {
    const now = performance.now();
    const waiting = this.#waiting.get(name) ?? [];
    while (waiting.length > 0 && must(waiting[0], "an update").updateId <= updateId) {
      const { since } = must(waiting.shift(), "an update");
      if (since !== undefined) this.#latencies.push(now - since);
    }
  }
}

const nameOf = (funding: OutPoint): string => `${toHex(funding.get_txid())}:${funding.get_index()}`;
