/** How a node is built on RemoteWatch. Shown in docs/ldk.md, and run by test/contract/ldk/example.test.ts. */
import type { ChannelCredentials } from "@grpc/grpc-js";
import type {
  ChannelManager,
  ChannelMonitor,
  EventHandler,
  PeerManager,
  Watch,
} from "lightningdevkit";
import {
  RemoteWatch,
  type LdkModule,
  type MonitorReaders,
  type UserEventHandler,
} from "./index.js";

/** What every LDK application has. */
export interface Application {
  readonly ldk: LdkModule;
  readonly readers: MonitorReaders;
  readonly manager: { readonly address: string; readonly credentials: ChannelCredentials };
  readonly nodeKey: Uint8Array;
  /** Both parts in one atomic write: a temporary file, fsync, rename. */
  readonly disk: {
    load(): { readonly manager: Uint8Array; readonly told: Uint8Array } | undefined;
    save(parts: { readonly manager: Uint8Array; readonly told: Uint8Array }): Promise<void>;
  };
  newManager(watch: Watch): ChannelManager;
  readManager(bytes: Uint8Array, watch: Watch, monitors: ChannelMonitor[]): ChannelManager;
  peersOf(manager: ChannelManager): PeerManager;
  connectBlocks(manager: ChannelManager): void;
  readonly events: EventHandler;
  readonly walletEvents: UserEventHandler;
  wake(): void;
  alarm(text: string): void;
}

// example
export async function startNode(app: Application) {
  const watch = new RemoteWatch({
    ldk: app.ldk,
    ldkVersion: "0.1.0",
    ...app.manager,
    nodeKey: app.nodeKey,
    nodeEpoch: BigInt(Date.now()), // must rise with every start
    onWork: () => app.wake(), // LDK cannot be woken: run a turn soon
    onAlarm: ({ code, text }) => app.alarm(`${code}: ${text}`),
  });
  const saved = app.disk.load();
  const monitors = await watch.restore(saved?.told, app.readers);
  const manager =
    saved === undefined
      ? app.newManager(watch.asWatch())
      : app.readManager(saved.manager, watch.asWatch(), monitors);
  watch.attach(manager);
  manager.as_EventsProvider().process_pending_events(app.events); // before any block
  app.connectBlocks(manager);
  const peers = app.peersOf(manager);

  /** One turn of the event loop: after messages, blocks, timers, and when woken. */
  async function turn(): Promise<void> {
    watch.tick();
    peers.process_events();
    manager.as_EventsProvider().process_pending_events(app.events);
    await watch.processPendingEvents(app.walletEvents); // sweeps outputs, pays for anchors
    const isDirty = manager.get_and_clear_needs_persistence();
    if (!isDirty && !watch.needsSnapshot) return;
    const snapshot = watch.beginSnapshot();
    const bytes = manager.write(); // nothing may come between these two lines
    await app.disk.save({ manager: bytes, told: snapshot.told });
    watch.snapshotSaved(snapshot); // only now updates leave, and events count as handled
  }
  return { watch, manager, peers, turn };
}
// end of example
