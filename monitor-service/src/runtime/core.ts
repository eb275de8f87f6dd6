/**
 * What every operation of the shell shares: the ports, the channels in memory, the row counters and the
 * tip. Memory moves synchronously in one turn with the hand-over to the store, so both see one order.
 */
import type { BlockHeader, ChainSource } from "../chain/chain-source.js";
import type { ChainName } from "../chain/proof-of-work.js";
import type { StoreIdentity, ManagerIdentity } from "@farwatch/protocol/envelope/checks";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { Curve } from "@farwatch/protocol/curve/curve";
import type { ManagerKey } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { MonitorContext } from "../monitor/context.js";
import type { EventFeed } from "../outbox/event-feed.js";
import type { Sealer } from "../outbox/seal-event.js";
import type { ChannelSigner } from "../signer/signer.js";
import type { EpochRow, MonitorStore } from "../store/store.js";
import type { Commits } from "./commits.js";
import type { HostInfo, Principal } from "./monitor-host.js";
import type { Monitors } from "./monitors.js";
import type { Publisher } from "./publisher.js";

export interface HostLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Called at named points of the commit path; only test entry points install one. */
export type Failpoint = (name: FailpointName) => void | Promise<void>;
export type FailpointName = "afterDecide" | "afterCommit" | "afterEvents" | "beforeReply";

export interface HostDeps {
  readonly curve: Curve;
  readonly store: MonitorStore;
  readonly signer: ChannelSigner;
  readonly source: Pick<ChainSource, "tip" | "header" | "block" | "broadcast" | "feerates">;
  readonly chain: ChainName;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  /** 32 bytes: signs receipts and events. */
  readonly monitorSecret: Uint8Array;
  readonly log: HostLog;
  nowMs(): number;
  randomBytes(length: number): Uint8Array;
  /** Of the chain follower that drives the sink. */
  chainState(): HostInfo["chainState"];
  /** The disk refused or memory and disk differ: the process must end. Called once. */
  onFatal(error: Error): void;
  readonly failpoint?: Failpoint;
}

export interface RowCounters {
  log: number;
  batch: number;
  event: number;
  channel: number;
}

export interface Core {
  readonly deps: HostDeps;
  readonly context: MonitorContext;
  readonly own: StoreIdentity;
  readonly storeGen: bigint;
  readonly sealer: Sealer;
  readonly monitors: Monitors;
  readonly commits: Commits;
  readonly feed: EventFeed;
  readonly publisher: Publisher;
  readonly rows: RowCounters;
  readonly epochs: Map<ManagerKey, EpochRow>;
  /** Newest first, as the chain follower wants them; replaced as a whole. */
  headers: readonly BlockHeader[];
}

export function tipOf(core: Core): BlockPoint {
  const { height, hash } = must(core.headers[0], "a tip");
  return { height, hash };
}

export const identityOf = (core: Core, who: Principal): ManagerIdentity => ({
  managerKey: who.managerKey,
  chainHash: core.own.chainHash,
});

export const currentEpoch = (core: Core, who: Principal): bigint | undefined =>
  core.epochs.get(who.managerKey)?.epoch;

/** The next row id of a table. */
export const nextRow = (core: Core, table: keyof RowCounters): number => core.rows[table]++;
