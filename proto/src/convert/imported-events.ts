/**
 * What a monitor from before had told and nobody had acked, in a first state (contract 2.9: an import
 * keeps the order and gives new ids). Kept apart from InitialState: it is told once and is no state.
 */
import { MonitorEventPayload } from "../../gen/monitor/v1/event.js";
import { InitialState } from "../../gen/monitor/v1/monitor_service.js";
import type { EventOrigin, MonitorEventBody } from "../event.js";
import type { UpdateId } from "../ids.js";
import type { Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import { decodeEventPayload, encodeEventPayload } from "./event.js";
import { MAX_IMPORTED_EVENTS } from "./limits.js";
import { fail, parseWith, WireError } from "./reader.js";

/** Of an open channel, so of an update: what the chain decides is found again on the chain. */
export interface ImportedEvent {
  readonly body: Extract<MonitorEventBody, { kind: "htlcEvent" }>;
  readonly origin: Extract<EventOrigin, { kind: "update" }>;
}

/** Errors: malformed, wrongLength, rangeExceeded, tooLarge. */
export const readImportedEvents = (
  initialState: Uint8Array,
  firstUpdateId: UpdateId,
): Result<readonly ImportedEvent[], Refusal> =>
  parseWith(InitialState, initialState, ({ pendingEvents }) => {
    if (pendingEvents.length > MAX_IMPORTED_EVENTS) {
      fail("tooLarge", "pending_events", `more than ${MAX_IMPORTED_EVENTS} events`);
    }
    return pendingEvents.map((event, index) => readOne(event, firstUpdateId, index));
  });

/** The same first state with these events, in this order. */
export const withImportedEvents = (
  initialState: Uint8Array,
  events: readonly ImportedEvent[],
): Uint8Array =>
  InitialState.encode({
    ...InitialState.decode(initialState),
    pendingEvents: events.map((event) => MonitorEventPayload.decode(encodeEventPayload(event))),
  }).finish();

function readOne(
  event: MonitorEventPayload,
  firstUpdateId: UpdateId,
  index: number,
): ImportedEvent {
  const field = `pending_events[${index}]`;
  const read = decodeEventPayload(MonitorEventPayload.encode(event).finish());
  if (!read.ok) throw new WireError(read.error);
  const { body, origin } = read.value;
  if (body.kind !== "htlcEvent") fail("malformed", field, "only HTLC events are imported");
  if (origin.kind !== "update" || origin.updateId >= firstUpdateId) {
    fail("malformed", field, "not of an update before the first one");
  }
  return { body, origin };
}
