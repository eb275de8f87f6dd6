/**
 * What may be looked at from outside: channels and pending events as of the newest commit, never the
 * state that is still on its way to the disk.
 */
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import { outpointKey, type ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { eventId } from "@farwatch/protocol/ids";
import { isSpent } from "../monitor/htlcs.js";
import { archivalOf } from "../monitor/archival.js";
import { outstanding } from "../monitor/outstanding.js";
import type { MonitorState } from "../monitor/state.js";
import { archivedRefusal } from "./archive.js";
import { otherOwner, type Core } from "./core.js";
import { causeOf } from "./error-cause.js";
import type { ChannelView, Principal } from "./monitor-host.js";
import type { ChannelEntry } from "./monitors.js";

/** Errors: channelUnknown, notYourChannel, channelArchived, storedStateUnreadable. */
export function findOwn(
  core: Core,
  who: Principal,
  channelId: ChannelId,
): Result<ChannelEntry, Refusal> {
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
  };
}

/** Claims and second-stage transactions with the transaction that is out for each now. */
function openClaims(core: Core, state: MonitorState): ChannelView["openClaims"] {
  const published = new Map(
    publishes(core, state).flatMap(({ txid, spends }) =>
      spends.map((outpoint) => [outpointKey(outpoint), txid] as const),
    ),
  );
  const claims = state.claims.flatMap(({ inputs, feeratePerKw }) =>
    inputs.map(({ outpoint, kind, valueSat }) => ({
      outpoint,
      kind: String(kind),
      valueSat: BigInt(valueSat),
      txid: published.get(outpointKey(outpoint)),
      feeratePerKw: feeratePerKw ?? 0,
    })),
  );
  const secondStage = state.holderHtlcClaims.flatMap(({ commitmentTxid, outputIndex, htlc }) => {
    const outpoint = { txid: commitmentTxid, vout: outputIndex };
    if (isSpent(state, outpoint)) return [];
    return [
      {
        outpoint,
        kind: htlc.offered ? "holderHtlcTimeout" : "holderHtlcSuccess",
        valueSat: htlc.amountMsat / 1000n,
        txid: published.get(outpointKey(outpoint)),
        feeratePerKw: state.confirmedHolder?.feeratePerKw ?? 0,
      },
    ];
  });
  return [...claims, ...secondStage];
}

function publishes(core: Core, state: MonitorState): ReturnType<typeof outstanding> {
  try {
    return outstanding(core.context, state);
  } catch (error) {
    core.deps.log.error({ cause: causeOf(error) }, "outstanding transactions cannot be built");
    return [];
  }
}

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
