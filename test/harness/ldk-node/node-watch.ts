/** What a node needs of whoever keeps its ChannelMonitors, be it in the same process or on another host. */
import type { ChannelManager, ChannelMonitor, Event, Watch } from "lightningdevkit";

/** A moment that is being saved. */
export interface WatchSnapshot {
  /** To be saved with the ChannelManager that is written in the same synchronous stretch. */
  readonly told: Uint8Array;
  /** The save is on disk. */
  saved(): void;
}

export interface NodeWatch {
  /** For the ChannelManager. */
  readonly watch: Watch;
  /** Monitors for ChannelManager.read; `told` as it was saved with it, undefined for a new node. */
  restore(told: Uint8Array | undefined): Promise<readonly ChannelMonitor[]>;
  /** The manager is there: read, or new. Its events are processed before it is given a block. */
  start(manager: ChannelManager): Promise<void>;
  /** Something waits for a save. */
  needsSave(): boolean;
  beginSnapshot(): WatchSnapshot;
  /** Called outside LDK's callbacks after anything happened, before the node acts on events. */
  refresh(manager: ChannelManager): void;
  /** SpendableOutputs and BumpTransaction of the monitors, now or as soon as they are there. */
  poll(handle: (event: Event) => void): void;
  connectBlock(raw: Uint8Array, height: number): void;
  disconnectBlock(header: Uint8Array, height: number): void;
  /** Nothing is held or on its way. */
  isQuiet(): boolean;
  stop(): Promise<void>;
}
