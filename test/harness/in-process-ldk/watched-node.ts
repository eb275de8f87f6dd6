/**
 * A node whose ChannelMonitors live behind a RemoteWatch, with the disk that survives its death: the
 * ChannelManager and what RemoteWatch wants beside it, nothing else.
 */
import { credentials } from "@grpc/grpc-js";
import {
  RemoteWatch,
  type RemoteWatchOptions,
  type Snapshot,
  type WatchAlarm,
} from "@farwatch/manager-service/ldk";
import type { Watch } from "lightningdevkit";
import { must } from "@farwatch/protocol/assert";
import { toHex } from "@farwatch/protocol/bytes";
import { ldk } from "../../fixture-recorder/ldk/module.js";
import { InProcessNode, type NodeIdentity } from "./node.js";

export interface Disk {
  readonly manager: Uint8Array;
  readonly told: Uint8Array;
}

let epochs = 0n;

export class WatchedNode {
  readonly alarms: WatchAlarm[] = [];
  /** MonitorEvents that LDK was given, as it writes them, without Completed. */
  readonly handed: string[] = [];
  /** Ids of the Completed it was given. */
  readonly completed: bigint[] = [];
  /** LDK should be asked again. */
  work = 0;
  readonly #before: InProcessNode[] = [];
  #node: InProcessNode | undefined;
  #watch: RemoteWatch | undefined;
  disk: Disk | undefined;
  /** ChannelMonitors of its own that it starts with. */
  own: readonly Uint8Array[] | undefined;
  /** Also when only LDK asks for it; otherwise the disk is as old as RemoteWatch allows. */
  savesAlways = false;

  constructor(
    readonly identity: NodeIdentity,
    private readonly address: string,
    private readonly extra: Partial<RemoteWatchOptions> = {},
  ) {}

  get node(): InProcessNode {
    return must(this.#node, "a running node");
  }
  /** How often LDK said it, in this life and those before. */
  count(kind: Parameters<InProcessNode["count"]>[0], hash: string): number {
    return (
      this.#before.reduce((sum, node) => sum + node.count(kind, hash), 0) +
      this.node.count(kind, hash)
    );
  }
  has(kind: Parameters<InProcessNode["count"]>[0], hash: string): boolean {
    return this.count(kind, hash) > 0;
  }
  get watch(): RemoteWatch {
    return must(this.#watch, "a running watch");
  }

  /** From nothing, or from its disk. */
  async start(): Promise<InProcessNode> {
    const { identity, disk } = this;
    epochs += 1n;
    const watch = new RemoteWatch({
      ldk,
      ldkVersion: "0.1.0",
      address: this.address,
      credentials: credentials.createInsecure(),
      nodeKey: new Uint8Array(33).fill(2),
      nodeEpoch: epochs,
      onWork: () => (this.work += 1),
      onAlarm: (alarm) => this.alarms.push(alarm),
      ...this.extra,
    });
    this.#watch = watch;
    const monitors =
      this.own === undefined
        ? await watch.restore(disk?.told, identity.readers)
        : await watch.adopt(this.own, identity.readers);
    const saved = disk === undefined ? undefined : { manager: disk.manager, monitors };
    const node = new InProcessNode(identity, this.#recording(watch.asWatch()), saved);
    this.#node = node;
    watch.attach(node.manager);
    node.processEvents(); // before the blocks: what was completed is announced
    node.catchUp();
    watch.tick();
    return node;
  }

  #recording(inner: Watch): Watch {
    const { handed, completed } = this;
    return ldk.Watch.new_impl({
      watch_channel: (funding, monitor) => inner.watch_channel(funding, monitor),
      update_channel: (funding, update) => inner.update_channel(funding, update),
      release_pending_monitor_events: () => {
        const released = inner.release_pending_monitor_events();
        for (const event of released.flatMap((one) => one.get_c())) {
          if (event instanceof ldk.MonitorEvent_Completed) completed.push(event.monitor_update_id);
          else handed.push(toHex(event.write()));
        }
        return released;
      },
    });
  }

  beginSave(): { readonly snapshot: Snapshot; readonly manager: Uint8Array } {
    const snapshot = this.watch.beginSnapshot();
    return { snapshot, manager: this.node.manager.write() };
  }

  endSave({ snapshot, manager }: ReturnType<WatchedNode["beginSave"]>): void {
    this.disk = { manager, told: snapshot.told };
    this.watch.snapshotSaved(snapshot);
  }

  save(): void {
    this.endSave(this.beginSave());
  }

  /** All of it but the disk is gone. */
  async kill(): Promise<void> {
    await this.watch.stop();
    this.#watch = undefined;
    if (this.#node !== undefined) this.#before.push(this.#node);
    this.#node = undefined;
  }
}
