/**
 * Compares what was saved beside a ChannelManager with what the manager-service has, before anything is read
 * or sent (restart rule R6). A ChannelMonitor that is too new makes LDK close its channel and report success;
 * so ids decide, not LDK.
 */
import type { ChannelId } from "@farwatch/protocol/ids";
import { RemoteWatchError } from "./errors.js";
import type { Told, ToldChannel } from "./told.js";

export interface HeldByManager {
  readonly acceptedId: bigint;
}

export interface RestorePlan {
  /** Ids of what LDK may need a ChannelMonitor of. */
  readonly wanted: readonly ChannelId[];
  /** Never reached the manager-service: LDK discards them, nothing was funded. */
  readonly unsent: readonly ChannelId[];
}

/** `unfinished`: channels with HTLC events that were not marked done. */
export function planRestore(
  told: Told,
  held: ReadonlyMap<ChannelId, HeldByManager>,
  unfinished: ReadonlySet<ChannelId>,
): RestorePlan {
  for (const id of held.keys()) {
    if (!told.has(id)) throw stale(id, "is not known to the saved ChannelManager");
  }
  const wanted: ChannelId[] = [];
  const unsent: ChannelId[] = [];
  for (const [id, saved] of told) {
    const there = held.get(id);
    if (there === undefined) {
      if (saved.completed !== undefined) throw lost(id, "has nothing of it");
      unsent.push(id);
      continue;
    }
    compare(id, saved, there);
    if (saved.state !== "settled" || unfinished.has(id)) wanted.push(id);
  }
  return { wanted, unsent };
}

function compare(id: ChannelId, saved: ToldChannel, { acceptedId }: HeldByManager): void {
  if (acceptedId > saved.newest) {
    throw stale(id, `has update ${acceptedId}, the saved ChannelManager made ${saved.newest}`);
  }
  if (saved.completed !== undefined && acceptedId < saved.completed) {
    throw lost(id, `has update ${acceptedId}, and had told ${saved.completed} durable`);
  }
}

const stale = (id: ChannelId, why: string): RemoteWatchError =>
  new RemoteWatchError(
    "staleSnapshot",
    `channel ${id}: the manager-service ${why}. The saved ChannelManager is an older copy; starting it ` +
      `would close the channel`,
  );

const lost = (id: ChannelId, why: string): RemoteWatchError =>
  new RemoteWatchError("managerLost", `channel ${id}: the manager-service ${why}`);
