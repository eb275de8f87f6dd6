/**
 * Which side is behind on one channel: what a monitor answered to GetChannel against what the manager has
 * stored of it (persistent-events R61, contract 2.25). A healthy manager stores before it sends and records
 * before it acks, so a monitor that knows more was served by a newer copy of the manager's database. A
 * monitor makes durable before it answers, so a store that knows less than it once said is an older copy.
 */
import type {
  ChannelId,
  EventId,
  Hash32,
  MonitorKey,
  StoreId,
  UpdateId,
} from "@farwatch/protocol/ids";

/** Where a monitor stands on a channel. */
export interface MonitorCursors {
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly holderNumber: bigint;
  readonly counterpartyNumber: bigint;
  readonly nextEventId: EventId;
  readonly unackedEventIds: readonly EventId[];
  readonly halted: boolean;
}

/** What a store had told us before it was asked where it stands. */
export interface ToldByStore {
  /** undefined: no receipt of this store. */
  readonly updateId: UpdateId | undefined;
  readonly recordedEventId: EventId;
}

export interface Compared {
  readonly monitorKey: MonitorKey;
  readonly monitorName: string;
  readonly storeId: StoreId;
  readonly channelId: ChannelId;
  /** undefined: the monitor does not know the channel. */
  readonly theirs: MonitorCursors | undefined;
  /** What we hold under theirs.updateId. */
  readonly hashAtTheirs: Hash32 | undefined;
  readonly told: ToldByStore;
}

export interface OwnCursors {
  readonly acceptedId: UpdateId;
  /** What is stored under the monitor's newest id; undefined: nothing. */
  readonly hashAtTheirs: Hash32 | undefined;
  readonly holderNumber: bigint;
  readonly counterpartyNumber: bigint;
  readonly told: ToldByStore;
  /** By now; it may have grown since `told`. */
  readonly recordedEventId: EventId;
  /** False while the newest row about this monitor is of another store: its events are then not known. */
  readonly knowsEvents: boolean;
}

export interface Comparison {
  /** Updates that the monitor has and we do not. */
  readonly managerLacksUpdates: bigint;
  /** Events that were acked, and not by this copy of the rows. */
  readonly managerLacksEvents: bigint;
  /** Updates that the store had told durable and has no longer. */
  readonly monitorLacksUpdates: bigint;
  readonly monitorLacksEvents: bigint;
  /** Both hold something at one id, and it is not the same. */
  readonly isFork: boolean;
  /** Same update, other commitments: one of the two states is damaged. */
  readonly numbersDiffer: boolean;
}

export function compareCursors(own: OwnCursors, theirs: MonitorCursors): Comparison {
  const ahead = above(theirs.updateId, own.acceptedId);
  const isFork = ahead === 0n && own.hashAtTheirs !== theirs.updateHash;
  const isHead = theirs.updateId === own.acceptedId && !isFork;
  const { told } = own;
  const lastEvent = theirs.nextEventId - 1n;
  return {
    managerLacksUpdates: ahead,
    managerLacksEvents: own.knowsEvents ? ackedUnseen(own, theirs) : 0n,
    monitorLacksUpdates: isFork ? 0n : above(told.updateId ?? 0n, theirs.updateId),
    monitorLacksEvents: above(told.recordedEventId, lastEvent),
    isFork,
    numbersDiffer:
      isHead &&
      (theirs.holderNumber !== own.holderNumber ||
        theirs.counterpartyNumber !== own.counterpartyNumber),
  };
}

/** Event ids above those we recorded that the monitor keeps no longer. */
function ackedUnseen(own: OwnCursors, theirs: MonitorCursors): bigint {
  const unseen = above(theirs.nextEventId - 1n, own.recordedEventId);
  const kept = theirs.unackedEventIds.filter((id) => id > own.recordedEventId);
  return above(unseen, BigInt(kept.length));
}

const above = (high: bigint, low: bigint): bigint => (high > low ? high - low : 0n);
