/** The node's monitors on other hosts: a manager-service by RemoteWatch, as any LDK application would use it. */
import fs from "node:fs";
import { credentials } from "@grpc/grpc-js";
import { fromHex } from "@farwatch/protocol/bytes";
import { RemoteWatch, type MonitorReaders } from "@farwatch/manager-service/ldk";
import type { ChannelManager, ChannelMonitor, Event, Watch } from "lightningdevkit";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import type { NodeWatch, WatchSnapshot } from "./node-watch.js";
import type { RemotePlan } from "./protocol.js";

const RETRY_MS = 1_000;

export interface RemoteParts {
  readonly plan: RemotePlan;
  readonly readers: MonitorReaders;
  /** There is something for LDK. */
  readonly onWork: () => void;
  readonly onAlarm: (text: string) => void;
}

export class RemoteNodeWatch implements NodeWatch {
  readonly #remote: RemoteWatch;

  constructor(private readonly parts: RemoteParts) {
    const { address, caFile, certFile, keyFile, nodeKey } = parts.plan;
    const read = (file: string): Buffer => fs.readFileSync(file);
    this.#remote = new RemoteWatch({
      ldk,
      ldkVersion: "0.1.0",
      address,
      credentials: credentials.createSsl(read(caFile), read(keyFile), read(certFile)),
      nodeKey: fromHex(nodeKey),
      nodeEpoch: BigInt(Date.now()), // rises with every start, and needs no place on disk
      onWork: parts.onWork,
      onAlarm: ({ code, text, channelId }) =>
        parts.onAlarm(`${code}${channelId === undefined ? "" : ` of ${channelId}`}: ${text}`),
    });
  }

  get watch(): Watch {
    return this.#remote.asWatch();
  }

  restore(told: Uint8Array | undefined): Promise<readonly ChannelMonitor[]> {
    return this.#remote.restore(told, this.parts.readers);
  }

  start(manager: ChannelManager): Promise<void> {
    this.#remote.attach(manager);
    return Promise.resolve();
  }

  needsSave(): boolean {
    return this.#remote.needsSnapshot;
  }
  beginSnapshot(): WatchSnapshot {
    const snapshot = this.#remote.beginSnapshot();
    return { told: snapshot.told, saved: () => this.#remote.snapshotSaved(snapshot) };
  }
  refresh(): void {
    this.#remote.tick();
  }
  poll(handle: (event: Event) => void): void {
    if (this.#polling) return;
    this.#polling = true;
    this.#remote
      .processPendingEvents((event) => {
        handle(event);
        return "afterSnapshot"; // the application's answer is saved with the ChannelManager
      })
      .then((any) => any && this.parts.onWork())
      .then(
        () => (this.#polling = false),
        (error: unknown) => {
          this.parts.onAlarm(String(error));
          setTimeout(() => (this.#polling = false), RETRY_MS); // what failed is given again
        },
      );
  }
  #polling = false;
  /** The remote monitors follow their own bitcoind. */
  connectBlock(): void {
    return;
  }
  disconnectBlock(): void {
    return;
  }
  isQuiet(): boolean {
    const { held, unaccepted } = this.#remote.backlog;
    return held === 0 && unaccepted === 0;
  }
  stop(): Promise<void> {
    return this.#remote.stop();
  }
}
