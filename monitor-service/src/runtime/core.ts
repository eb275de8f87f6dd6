/**
 * What every operation of the shell shares: the ports, the channels in memory, the row counters and the
 * tip. Memory moves synchronously in one turn with the hand-over to the store, so both see one order.
 */
import type { BlockHeader } from "../chain/chain-source.js";
import type { StoreIdentity, ManagerIdentity } from "@farwatch/protocol/envelope/checks";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { ChannelId, ManagerKey } from "@farwatch/protocol/ids";
import { must } from "@farwatch/protocol/assert";
import type { MonitorContext } from "../monitor/context.js";
import type { EventFeed } from "../outbox/event-feed.js";
import type { Sealer } from "../outbox/seal-event.js";
import type { EpochRow } from "../store/store.js";
import type { Archive } from "./archive.js";
import type { CatchUp } from "./catch-up.js";
import type { Commits } from "./commits.js";
import type { HostDeps } from "./deps.js";
import type { Principal } from "./monitor-host.js";
import type { Monitors, PenaltyEntry } from "./monitors.js";
import type { Sweep } from "../tx/sweep-plan.js";
import type { Publisher } from "./publisher.js";

export interface RowCounters {
  log: number;
  batch: number;
  event: number;
  channel: number;
  sweep: number;
}

/** What the shell asks of the sweeper; an interface, because the sweeper itself needs the Core. */
export interface SweepControl {
  request(): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** As SweepControl, for look-ups of commitments that may be older than their penalties. */
export interface LookupControl {
  request(entry: PenaltyEntry): void;
  requestAll(): void;
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export interface Core {
  readonly deps: HostDeps;
  readonly context: MonitorContext;
  readonly own: StoreIdentity;
  readonly storeGen: bigint;
  readonly sealer: Sealer;
  readonly monitors: Monitors;
  readonly archive: Archive;
  readonly commits: Commits;
  readonly feed: EventFeed;
  /** Channels that are to be watched from a block we have no header of. */
  readonly catchUp: CatchUp;
  readonly publisher: Publisher;
  /** Of commitments that new penalties are for. */
  readonly lookups: LookupControl;
  /** undefined: our own outputs are left to the node. */
  sweeper: SweepControl | undefined;
  readonly rows: RowCounters;
  /** Not over, by id; as durable as the state of channels. */
  readonly sweeps: Map<number, Sweep>;
  readonly epochs: Map<ManagerKey, EpochRow>;
  /** When everything outstanding was last offered to the chain source. */
  offeredAtMs: number;
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

/** Of a channel that is known but not in memory. */
export const otherOwner = (core: Core, channelId: ChannelId): ManagerKey | undefined =>
  core.archive.get(channelId)?.row.managerKey ??
  core.monitors.unreadable.get(channelId)?.managerKey;
