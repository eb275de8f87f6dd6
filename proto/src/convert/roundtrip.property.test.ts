/** decode(encode(x)) = x for every type, and no bytes whatever make a parser throw. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MonitorEvent as WireEvent } from "../../gen/monitor/v1/event.js";
import { BumpRequestItem, ReceiptBatch } from "../../gen/monitor/v1/monitor_service.js";
import type { Refusal } from "../reasons.js";
import type { Result } from "../result.js";
import { bumpItemFromWire, bumpItemToWire } from "./bump.js";
import { encodeInitialState, parseInitialState } from "./channel.js";
import { detailToRefusal, encodeErrorDetail, parseErrorDetail, refusalToDetail } from "./error.js";
import { decodeEventPayload, encodeEventPayload, sealedFromWire, sealedToWire } from "./event.js";
import { receiptBatchFromWire, receiptBatchToWire } from "./receipt.js";
import { initialStates, stepLists } from "./testing/arbitraries.js";
import {
  bumpItems,
  envelopes,
  eventPayloads,
  receiptBatches,
  refusals,
} from "./testing/event-arbitraries.js";
import { encodeUpdatePayload, parseUpdatePayload } from "./update.js";

const RUNS = { numRuns: 200 };

function valueOf<T>(result: Result<T, Refusal>): T {
  if (!result.ok) assert.fail(`${result.error.reason} ${result.error.details["field"]}`);
  return result.value;
}

/** The generator's objects have no prototype; those of the parsers do. */
function assertSame<T>(actual: T, generated: T): void {
  assert.deepEqual(actual, structuredClone(generated));
}

/** One change to valid bytes: flip, cut, grow or repeat. */
const mutated = (valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(valid, fc.nat(), fc.nat(255), fc.constantFrom("flip", "cut", "grow", "repeat"))
    .map(([bytes, at, byte, how]) => {
      const position = bytes.length === 0 ? 0 : at % bytes.length;
      if (how === "cut") return bytes.slice(0, position);
      if (how === "grow") return Uint8Array.of(...bytes, byte);
      if (how === "repeat") return Uint8Array.of(...bytes, ...bytes.slice(position));
      const copy = Uint8Array.from(bytes);
      copy[position] = byte;
      return copy;
    });

describe("conversion between wire and domain", () => {
  it("gives back every bump request, also through its bytes", () => {
    fc.assert(
      fc.property(bumpItems, (item) => {
        const bytes = BumpRequestItem.encode(bumpItemToWire(item)).finish();
        assertSame(valueOf(bumpItemFromWire(BumpRequestItem.decode(bytes))), item);
      }),
      RUNS,
    );
  });

  it("gives back every initial state", () => {
    fc.assert(
      fc.property(initialStates, (initial) => {
        assertSame(valueOf(parseInitialState(encodeInitialState(initial))), initial);
      }),
      RUNS,
    );
  });

  it("gives back every list of steps", () => {
    fc.assert(
      fc.property(stepLists, (steps) => {
        assertSame(valueOf(parseUpdatePayload(encodeUpdatePayload(steps))), steps);
      }),
      RUNS,
    );
  });

  it("gives back every event, sealed or not", () => {
    fc.assert(
      fc.property(eventPayloads, envelopes, (payload, envelope) => {
        const bytes = encodeEventPayload(payload);
        assertSame(valueOf(decodeEventPayload(bytes)), payload);
        const sealed = { ...envelope, payload: Uint8Array.from(bytes) };
        const wire = WireEvent.decode(WireEvent.encode(sealedToWire(sealed)).finish());
        assertSame(valueOf(sealedFromWire(wire)), { ...sealed, ...payload });
      }),
      RUNS,
    );
  });

  it("gives back every batch of receipts", () => {
    fc.assert(
      fc.property(receiptBatches, (batch) => {
        const wire = ReceiptBatch.decode(ReceiptBatch.encode(receiptBatchToWire(batch)).finish());
        assertSame(valueOf(receiptBatchFromWire(wire)), batch);
      }),
      RUNS,
    );
  });

  it("gives back every refusal", () => {
    fc.assert(
      fc.property(refusals, (refusal) => {
        assertSame(parseErrorDetail(encodeErrorDetail(refusal)), refusal);
        assertSame(detailToRefusal(refusalToDetail(refusal)), refusal);
      }),
      RUNS,
    );
  });

  it("never throws on random bytes, and accepts only what re-encodes to itself", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const steps = parseUpdatePayload(bytes);
        if (steps.ok) assert.deepEqual(Buffer.from(encodeUpdatePayload(steps.value)), buf(bytes));
        parseInitialState(bytes);
        decodeEventPayload(bytes);
        parseErrorDetail(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it("never throws on changed updates, and an accepted one means other steps", () => {
    fc.assert(
      fc.property(mutated(stepLists.map(encodeUpdatePayload)), (bytes) => {
        const result = parseUpdatePayload(bytes);
        if (result.ok) assert.deepEqual(buf(encodeUpdatePayload(result.value)), buf(bytes));
        else assert.ok(result.error.details["field"] !== undefined);
      }),
      { numRuns: 1000 },
    );
  });

  it("never throws on changed initial states and events", () => {
    fc.assert(
      fc.property(
        mutated(initialStates.map(encodeInitialState)),
        mutated(eventPayloads.map(encodeEventPayload)),
        (initial, event) => {
          const state = parseInitialState(initial);
          if (state.ok) assert.deepEqual(buf(encodeInitialState(state.value)), buf(initial));
          const payload = decodeEventPayload(event);
          if (payload.ok) assert.deepEqual(buf(encodeEventPayload(payload.value)), buf(event));
        },
      ),
      { numRuns: 500 },
    );
  });
});

const buf = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
