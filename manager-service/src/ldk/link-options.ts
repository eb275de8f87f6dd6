/** How a RemoteWatch reaches its manager-service, and the clock it waits by. */
import type { ChannelCredentials } from "@grpc/grpc-js";

export interface LinkTimer {
  cancel(): void;
}
export interface LinkClock {
  after(ms: number, run: () => void): LinkTimer;
  /** Uniform in [0, 1): spreads reconnects. */
  jitter(): number;
}

export const systemClock: LinkClock = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return { cancel: () => clearTimeout(timer) };
  },
  jitter: () => Math.random(),
};

export interface LinkOptions {
  /** host:port; the host must be a name in the manager-service's certificate. */
  readonly address: string;
  /** The node's client certificate names it to the manager-service. */
  readonly credentials: ChannelCredentials;
  /** 33 bytes. */
  readonly nodeKey: Uint8Array;
  /** Rises with every start of the node; an older one is fenced out for good. */
  readonly nodeEpoch: bigint;
  /** As LDK calls itself, for example "0.1.0". */
  readonly ldkVersion: string;
  readonly clock: LinkClock;
}
