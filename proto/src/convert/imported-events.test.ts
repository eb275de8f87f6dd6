/** Events in a first state: the same ones come out, in their order, and only those that may be imported. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { must } from "../assert.js";
import { htlcId, updateId } from "../ids.js";
import { InitialState } from "../../gen/monitor/v1/monitor_service.js";
import { MonitorEventPayload } from "../../gen/monitor/v1/event.js";
import { encodeInitialState, parseInitialState } from "./channel.js";
import { encodeEventPayload, type EventPayload } from "./event.js";
import { readImportedEvents, withImportedEvents, type ImportedEvent } from "./imported-events.js";
import { MAX_IMPORTED_EVENTS } from "./limits.js";
import { hashes, initialStates, msats, preimages, sources } from "./testing/arbitraries.js";

const sample = <T>(values: fc.Arbitrary<T>): T => must(fc.sample(values, 1)[0], "a sample");
const FIRST = updateId(41n);
const initial = sample(initialStates);
const bytes = encodeInitialState(initial);

const event = (id: number, update = 40n): ImportedEvent => ({
  body: {
    kind: "htlcEvent",
    paymentHash: sample(hashes),
    source: structuredClone(sample(sources)), // plain objects, as they are read
    htlcId: htlcId(id),
    amountMsat: sample(msats),
    userChannelId: undefined,
    resolution: {
      kind: "claimed",
      preimage: sample(preimages),
      skimmedFeeMsat: undefined,
      attributionData: undefined,
    },
  },
  origin: { kind: "update", updateId: updateId(update) },
});

function reasonOf(state: Uint8Array): readonly unknown[] {
  const read = readImportedEvents(state, FIRST);
  return read.ok ? ["read", read.value.length] : [read.error.reason, read.error.details["field"]];
}

const withPayload = (payload: EventPayload): Uint8Array =>
  InitialState.encode({
    ...InitialState.decode(bytes),
    pendingEvents: [MonitorEventPayload.decode(encodeEventPayload(payload))],
  }).finish();

describe("events in a first state", () => {
  it("come out in their order, and change nothing of the state", () => {
    const events = [event(3), event(1), event(2)];
    const state = withImportedEvents(bytes, events);
    const read = readImportedEvents(state, FIRST);
    assert.ok(read.ok);
    assert.deepEqual(read.value, events);
    assert.deepEqual(parseInitialState(state), parseInitialState(bytes));
    assert.deepEqual(withImportedEvents(bytes, []), bytes);
    assert.deepEqual(reasonOf(bytes), ["read", 0]);
  });

  it("are of updates before the first one", () => {
    assert.deepEqual(reasonOf(withImportedEvents(bytes, [event(0, 40n)])), ["read", 1]);
    const late = withImportedEvents(bytes, [event(0), event(1, 41n)]);
    assert.deepEqual(reasonOf(late), ["malformed", "pending_events[1]"]);
  });

  it("are HTLC events of an update only", () => {
    const { body, origin } = event(0);
    const discard = { kind: "discardFunding", funding: initial.parameters.funding } as const;
    assert.deepEqual(reasonOf(withPayload({ body: discard, origin })), [
      "malformed",
      "pending_events[0]",
    ]);
    const command = withPayload({ body, origin: { kind: "command", command: "close" } });
    assert.deepEqual(reasonOf(command), ["malformed", "pending_events[0]"]);
  });

  it("are at most as many as a channel has HTLCs", () => {
    const one = event(0);
    const most = Array.from({ length: MAX_IMPORTED_EVENTS }, () => one);
    assert.deepEqual(reasonOf(withImportedEvents(bytes, most)), ["read", MAX_IMPORTED_EVENTS]);
    const tooMany = withImportedEvents(bytes, [...most, one]);
    assert.deepEqual(reasonOf(tooMany), ["tooLarge", "pending_events"]);
  });
});
