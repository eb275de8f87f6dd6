/** What a RemoteWatch is given. */
import type { ChannelCredentials } from "@grpc/grpc-js";
import type { WatchAlarm } from "./errors.js";
import type { Ldk, LdkModule } from "./ldk-module.js";
import type { LinkClock } from "./link-options.js";

export interface RemoteWatchOptions {
  /** The initialized `lightningdevkit` package. */
  readonly ldk: LdkModule;
  /** Of the LDK inside it: "0.1", "0.2" or "0.3", with or without the rest. */
  readonly ldkVersion: string;
  /** host:port of the manager-service; the host must be a name in its certificate. */
  readonly address: string;
  /** With the client certificate that the manager-service has configured for this node. */
  readonly credentials: ChannelCredentials;
  /** The node's public key, 33 bytes. */
  readonly nodeKey: Uint8Array;
  /** Must rise with every start of the node: two nodes with one key are told apart by it. */
  readonly nodeEpoch: bigint;
  /** LDK cannot be woken: call PeerManager.process_events and the rest of your event loop. */
  readonly onWork: () => void;
  /** Something a person must look at. Called again after a reconnect if it still is. */
  readonly onAlarm: (alarm: WatchAlarm) => void;
  /** For logs: the connection came or went. */
  readonly onConnection?: (isUp: boolean, why: string) => void;
  /** For tests. */
  readonly clock?: LinkClock;
}

/** What LDK needs to read ChannelMonitors; the same objects as for the ChannelManager. */
export interface MonitorReaders {
  readonly entropySource: Ldk.EntropySource;
  readonly signerProvider: Ldk.SignerProvider;
  readonly feeEstimator: Ldk.FeeEstimator;
  readonly logger: Ldk.Logger;
}

/** What `attach` and `tick` look at: a ChannelManager, or anything that answers like one. */
export type ChannelLister = Pick<Ldk.ChannelManager, "list_channels" | "current_best_block">;
