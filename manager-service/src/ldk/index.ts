/** A Lightning node built on LDK whose ChannelMonitors live on remote hosts. */
export { RemoteWatch, type Snapshot } from "./remote-watch.js";
export { RemoteWatchError, type RemoteWatchFault, type WatchAlarm } from "./errors.js";
export type { ChannelLister, MonitorReaders, RemoteWatchOptions } from "./options.js";
export type { LdkModule } from "./ldk-module.js";
export type { Handled, UserEventHandler } from "./user-events.js";
