/**
 * What may be looked at from outside: channels and pending events as of the newest commit, never the
 * state that is still on its way to the disk.
 */
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type { ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { eventId } from "@farwatch/protocol/ids";
import { archivalOf } from "../monitor/archival.js";
import { penaltyArchivalOf } from "../monitor/penalty/archival.js";
import { archivedRefusal } from "./archive.js";
import { otherOwner, type Core } from "./core.js";
import { ownOutputs } from "./own-outputs.js";
import { openBumps, openClaims } from "./claim-views.js";
import type { AnyView, ChannelView, PenaltyView, Principal } from "./monitor-host.js";
import type { AnyEntry, ChannelEntry, PenaltyEntry } from "./monitors.js";

/** A channel with keys. Errors: those of findAny; wrongChannelKind. */
export function findOwn(
  core: Core,
  who: Principal,
  channelId: ChannelId,
): Result<ChannelEntry, Refusal> {
  const found = findAny(core, who, channelId);
  if (!found.ok) return found;
  if (found.value.kind === "full") return ok(found.value);
  const details = { channel_id: channelId };
  return err(refuse("wrongChannelKind", "only penalty transactions are held for it", details));
}

/** Errors: channelUnknown, notYourChannel, channelArchived, storedStateUnreadable. */
export function findAny(
  core: Core,
  who: Principal,
  channelId: ChannelId,
): Result<AnyEntry, Refusal> {
  const details = { channel_id: channelId };
  const entry = core.monitors.get(channelId);
  const owner = entry?.managerKey ?? otherOwner(core, channelId);
  if (owner === undefined) return err(refuse("channelUnknown", "not watched here", details));
  if (owner !== who.managerKey) {
    return err(refuse("notYourChannel", "the channel belongs to another manager", details));
  }
  if (entry !== undefined) return ok(entry);
  const archived = core.archive.get(channelId);
  if (archived !== undefined) return err(archivedRefusal(archived));
  return err(refuse("storedStateUnreadable", "the stored channel cannot be read", details));
}

const BEFORE_ALL = eventId(0n);

export function viewOf(core: Core, entry: ChannelEntry): ChannelView {
  const events = core.monitors.committedEvents(entry.channelId, BEFORE_ALL);
  return {
    state: entry.durable,
    halted: entry.halt !== undefined,
    archivedAt: undefined,
    archival: archivalOf(entry.durable, events.length > 0),
    pendingEventIds: events.map((event) => event.eventId),
    openClaims: openClaims(core, entry.durable),
    openBumps: openBumps(core, entry.durable),
    ownOutputs: ownOutputs(core, entry.durable),
  };
}

export function penaltyViewOf(core: Core, entry: PenaltyEntry): PenaltyView {
  const events = core.monitors.committedEvents(entry.channelId, BEFORE_ALL);
  return {
    penalty: entry.durable,
    halted: entry.halt !== undefined,
    archivedAt: undefined,
    archival: penaltyArchivalOf(entry.durable, events.length > 0),
    pendingEventIds: events.map((event) => event.eventId),
  };
}

export const anyViewOf = (core: Core, entry: AnyEntry): AnyView =>
  entry.kind === "full" ? viewOf(core, entry) : penaltyViewOf(core, entry);

/** In (channel, event id) order. */
export function pendingEvents(
  core: Core,
  who: Principal,
  channel: ChannelId | undefined,
): readonly SealedMonitorEvent[] {
  const own =
    channel === undefined
      ? core.monitors.channelsWithEvents(who.managerKey)
      : [channel].filter((id) => core.monitors.get(id)?.managerKey === who.managerKey);
  return own.flatMap((id) => core.monitors.committedEvents(id, BEFORE_ALL));
}
