/** How a decision about a channel of any kind is written: sealed events and log rows, in memory and draft. */
import type { NewMonitorEvent, SealedMonitorEvent } from "@farwatch/protocol/event";
import type { Hash32, Outpoint } from "@farwatch/protocol/ids";
import { sealEvent } from "../outbox/seal-event.js";
import { nextRow, type Core } from "./core.js";
import type { Draft } from "./draft.js";
import type { AnyEntry } from "./monitors.js";
import type { LogInput } from "./preimage-log.js";

/** Made only once the input is accepted: a refused one leaves no row behind. */
export type LogSource = () => LogInput;

/** Moves nothing: throws when sealing fails. */
export function sealAll(
  core: Core,
  entry: AnyEntry,
  funding: Outpoint,
  events: readonly NewMonitorEvent[],
): readonly SealedMonitorEvent[] {
  const { channelId } = entry;
  let previous: Hash32 | undefined = entry.lastEventHash;
  return events.map((event) => {
    const sealed = sealEvent(core.sealer, { channelId, funding, previous }, event);
    previous = sealed.eventHash;
    return sealed;
  });
}

export function storeEvents(
  core: Core,
  draft: Draft,
  entry: AnyEntry,
  sealed: readonly SealedMonitorEvent[],
): void {
  for (const event of sealed) {
    const pending = { rowId: nextRow(core, "event"), event, committed: false };
    entry.pending.set(event.eventId, pending);
    entry.lastEventHash = event.eventHash;
    draft.addEvent(entry, pending);
  }
}

export function appendLog(core: Core, draft: Draft, entry: AnyEntry, log: LogInput): void {
  const rowId = nextRow(core, "log");
  const { channelNo, headRowId: prevRowId } = entry;
  draft.write({ op: "appendLog", row: { ...log, rowId, channelNo, prevRowId } });
  entry.headRowId = rowId;
  entry.rowsSinceSnapshot++;
}
