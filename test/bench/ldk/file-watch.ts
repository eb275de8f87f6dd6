/**
 * LDK's own ChainMonitor in the node's process: what a remote one is compared with. Its Persist either appends
 * each update to a file of the channel and waits for fdatasync (less than LDK's MonitorUpdatingPersister, which
 * makes a file of each), or writes nothing at all.
 */
import fs from "node:fs";
import path from "node:path";
import { toHex } from "@farwatch/protocol/bytes";
import type { ChannelMonitor, OutPoint, Persist } from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { isNull } from "../../fixture-recorder/ldk/result.js";
import type { NodeIdentity } from "../../harness/in-process-ldk/node.js";
import type { NodeWatch, WatchSnapshot } from "../../harness/ldk-node/node-watch.js";

export class FileWatch implements NodeWatch {
  readonly watch;
  readonly #chainMonitor;
  readonly #files = new Map<string, number>();
  readonly #persist: Persist;

  /** `folder`: undefined writes nothing. */
  constructor(
    identity: NodeIdentity,
    private readonly folder: string | undefined,
  ) {
    const done = ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;
    const keep = (funding: OutPoint, bytes: () => Uint8Array) => {
      if (folder !== undefined) this.#append(funding, bytes());
      return done;
    };
    this.#persist = ldk.Persist.new_impl({
      persist_new_channel: (funding, monitor) => keep(funding, () => monitor.write()),
      update_persisted_channel: (funding, update, monitor) =>
        keep(funding, () => written(isNull(update) ? monitor : update)),
      archive_persisted_channel: () => undefined,
    });
    this.#chainMonitor = ldk.ChainMonitor.constructor_new(
      ldk.Option_FilterZ.constructor_none(),
      identity.broadcast,
      identity.logger,
      identity.fees,
      this.#persist,
    );
    this.watch = this.#chainMonitor.as_Watch();
  }

  restore(): Promise<readonly ChannelMonitor[]> {
    return Promise.resolve([]);
  }
  start(): Promise<void> {
    return Promise.resolve();
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
  /** No channel closes here: the monitors have nothing for a wallet. */
  poll(): void {
    return;
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
  stop(): Promise<void> {
    for (const file of this.#files.values()) fs.closeSync(file);
    this.#files.clear();
    return Promise.resolve();
  }

  #append(funding: OutPoint, bytes: Uint8Array): void {
    const file = this.#fileOf(funding);
    fs.writeSync(file, bytes);
    fs.fdatasyncSync(file);
  }

  #fileOf(funding: OutPoint): number {
    const name = `${toHex(funding.get_txid())}-${funding.get_index()}`;
    const known = this.#files.get(name);
    if (known !== undefined) return known;
    const opened = fs.openSync(path.join(this.folder ?? "", name), "a");
    this.#files.set(name, opened);
    return opened;
  }
}

const written = (object: { write(): Uint8Array }): Uint8Array => object.write();
