/**
 * LDK's own ChainMonitor in the node's process, its monitors as files in the node's folder: the baseline that
 * a remote Watch is compared with.
 */
import { fromHex, toHex } from "@farwatch/protocol/bytes";
import type {
  BroadcasterInterface,
  ChainMonitor,
  ChannelMonitor,
  Event,
  FeeEstimator,
  KeysManager,
  Logger,
  OutPoint,
} from "lightningdevkit";
import { transactionsOf } from "../../fixture-recorder/fixture/confirmed.js";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { readMonitor } from "../../fixture-recorder/ldk/monitor.js";
import { eventHandler } from "../../fixture-recorder/ldk/traits.js";
import type { ChainFollower } from "./chain-follower.js";
import type { Disk } from "./disk.js";
import type { NodeWatch, WatchSnapshot } from "./node-watch.js";

const PREFIX = "monitor-";
const HEADER_HEX = 160;

export interface LocalParts {
  readonly keys: KeysManager;
  readonly broadcaster: BroadcasterInterface;
  readonly fees: FeeEstimator;
  readonly log: Logger;
  readonly disk: Disk;
  readonly chain: ChainFollower;
}

export class LocalWatch implements NodeWatch {
  readonly watch;
  readonly #chainMonitor: ChainMonitor;
  readonly #persist;
  #restored: readonly ChannelMonitor[] = [];

  constructor(private readonly parts: LocalParts) {
    const done = ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;
    const keep = (funding: OutPoint, monitor: ChannelMonitor) => {
      parts.disk.write(nameOf(funding), monitor.write());
      return done;
    };
    this.#persist = ldk.Persist.new_impl({
      persist_new_channel: keep,
      update_persisted_channel: (funding, _update, monitor) => keep(funding, monitor),
      archive_persisted_channel: () => undefined,
    });
    this.#chainMonitor = ldk.ChainMonitor.constructor_new(
      ldk.Option_FilterZ.constructor_none(),
      parts.broadcaster,
      parts.log,
      parts.fees,
      this.#persist,
    );
    this.watch = this.#chainMonitor.as_Watch();
  }

  async restore(): Promise<readonly ChannelMonitor[]> {
    const { disk, keys } = this.parts;
    this.#restored = disk.readAll(PREFIX).map((bytes) => readMonitor(keys, bytes));
    return Promise.resolve(this.#restored);
  }

  /** Monitors join after they have seen what the manager has; from there on all get the same blocks. */
  async start(manager: { current_best_block(): { get_height(): number } }): Promise<void> {
    const to = manager.current_best_block().get_height();
    for (const monitor of this.#restored) {
      await this.#catchUp(monitor, to);
      this.watch.watch_channel(monitor.get_funding_txo().get_a(), monitor);
    }
  }

  needsSave(): boolean {
    return false;
  }
  beginSnapshot(): WatchSnapshot {
    return { told: new Uint8Array(), saved: () => undefined };
  }
  refresh(): void {
    return;
  }
  poll(handle: (event: Event) => void): void {
    const events: Event[] = [];
    const take = eventHandler((event) => events.push(event));
    this.#chainMonitor.as_EventsProvider().process_pending_events(take);
    for (const event of events) handle(event);
  }
  connectBlock(raw: Uint8Array, height: number): void {
    this.#chainMonitor.as_Listen().block_connected(raw, height);
  }
  disconnectBlock(header: Uint8Array, height: number): void {
    this.#chainMonitor.as_Listen().block_disconnected(header, height);
  }
  isQuiet(): boolean {
    return true;
  }
  async stop(): Promise<void> {
    return Promise.resolve();
  }

  async #catchUp(monitor: ChannelMonitor, to: number): Promise<void> {
    const { broadcaster, fees, log, chain } = this.parts;
    for (let height = monitor.current_best_block().get_height() + 1; height <= to; height++) {
      const raw = await chain.blockAt(height);
      const transactions = transactionsOf(raw).map((tx, pos) =>
        ldk.TwoTuple_usizeTransactionZ.constructor_new(pos, tx.toBuffer()),
      );
      const header = fromHex(raw.slice(0, HEADER_HEX));
      monitor.block_connected(header, transactions, height, broadcaster, fees, log);
    }
  }
}

const nameOf = (funding: OutPoint): string =>
  `${PREFIX}${toHex(funding.get_txid())}-${funding.get_index()}`;
