import assert from "node:assert/strict";
import { eventId, type EventId } from "@farwatch/protocol/ids";
import { pendingAbove } from "./pending-above.js";

const EVENTS = 10_000;

/** Counts the entries that somebody looked at. */
class Counted extends Map<EventId, bigint> {
  looks = 0;
  override get(id: EventId): bigint | undefined {
    this.looks += 1;
    return super.get(id);
  }
  override *[Symbol.iterator](): MapIterator<[EventId, bigint]> {
    for (const entry of super.entries()) {
      this.looks += 1;
      yield entry;
    }
  }
}

/** Events 1 to EVENTS, but those that were acked. */
function pendingBut(...acked: readonly bigint[]): Counted {
  const pending = new Counted();
  for (let id = 1n; id <= EVENTS; id += 1n) if (!acked.includes(id)) pending.set(eventId(id), id);
  return pending;
}
const NEXT = eventId(EVENTS + 1);

describe("un-acked events above an id", () => {
  it("are found without a look at the others (G23)", () => {
    const pending = pendingBut(9_998n);
    const found = pendingAbove(pending, eventId(9_996), NEXT);
    assert.deepEqual(found, [9_997n, 9_999n, 10_000n]);
    assert.equal(pending.looks, 4);
  });

  it("are none above the last one, and all above none", () => {
    const pending = pendingBut(3n);
    assert.deepEqual(pendingAbove(pending, eventId(EVENTS), NEXT), []);
    assert.equal(pending.looks, 0);
    assert.equal(pendingAbove(pending, eventId(0), NEXT).length, EVENTS - 1);
  });

  it("of a channel that acked very many are found by a look at those that are left", () => {
    const pending = new Counted([[eventId(5_000), 5_000n]]);
    assert.deepEqual(pendingAbove(pending, eventId(0), NEXT), [5_000n]);
    assert.equal(pending.looks, 1);
  });

  it("are looked for among all when the next id is not known", () => {
    const pending = pendingBut();
    assert.deepEqual(pendingAbove(pending, eventId(9_999), undefined), [10_000n]);
    assert.equal(pending.looks, EVENTS);
  });
});
