/**
 * AckEvents: deletes events for ever, durably before the answer. An ack must name the event's hash, so
 * that it never counts for another event; any order, repeated acks are fine (contract 2.9). "unknown"
 * tells the manager that the event is gone, so it is never said of a channel that cannot be read.
 */
import { checkEpoch } from "@farwatch/protocol/envelope/checks";
import type { EventAck } from "@farwatch/protocol/envelope/event-ack";
import { openEventAckBatch } from "@farwatch/protocol/envelope/open-manager-batch";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { currentEpoch, identityOf, type Core } from "./core.js";
import type { Draft } from "./draft.js";
import type { AckBatch, AckResult, Principal } from "./monitor-host.js";
import { runStep } from "./run-step.js";

/** A malformed or misaddressed ack refuses the whole call: nothing is deleted on a sender's bug. */
export async function ackEvents(
  core: Core,
  who: Principal,
  batch: AckBatch,
): Promise<Result<readonly AckResult[], Refusal>> {
  const opened = openEventAckBatch(core.deps.curve, identityOf(core, who), core.own, batch);
  if (!opened.ok) return opened;
  const acks: EventAck[] = [];
  for (const item of opened.value.items) {
    if (!item.ok) return item;
    acks.push(item.value.header);
  }
  return runStep(core, (draft) => {
    const fenced = checkEpoch(opened.value.batch.epoch, currentEpoch(core, who));
    if (fenced !== undefined) return err(fenced);
    return ok(acks.map((ack) => decideAck(core, draft, who, ack)));
  });
}

function decideAck(core: Core, draft: Draft, who: Principal, ack: EventAck): AckResult {
  const entry = core.monitors.get(ack.channelId);
  if (entry === undefined) {
    const archived = core.archive.get(ack.channelId)?.row;
    if (archived?.managerKey === who.managerKey) {
      return ack.eventId <= archived.lastEventId ? "alreadyAcked" : "unknown";
    }
    const unreadable = core.monitors.unreadable.get(ack.channelId);
    return unreadable?.managerKey === who.managerKey ? "kept" : "unknown";
  }
  if (entry.managerKey !== who.managerKey) return "unknown";
  const pending = entry.pending.get(ack.eventId);
  if (pending === undefined) {
    if (ack.eventId < entry.state.nextEventId) return "alreadyAcked";
    // A state halted while it was loaded may be older than the channel's events.
    return entry.halt?.scope === "all" ? "kept" : "unknown";
  }
  if (pending.event.eventHash !== ack.eventHash) return "hashMismatch";
  entry.pending.delete(ack.eventId);
  draft.write({ op: "deleteEvent", rowId: pending.rowId });
  return "acked";
}
