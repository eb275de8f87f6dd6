/**
 * Un-acked events of one channel above an id. A channel keeps every event until its ack, so there may be
 * very many: what is new is found by its ids, which are gapless when given out, not by a walk over all of
 * them (persistent-events G23, G32).
 */
import { eventId, type EventId } from "@farwatch/protocol/ids";

/**
 * In event id order. `next` is the id that the next event will have; undefined when it is not known: then
 * all are looked at.
 */
export function pendingAbove<P>(
  pending: ReadonlyMap<EventId, P>,
  after: EventId,
  next: EventId | undefined,
): readonly P[] {
  const isFew = next !== undefined && next - after <= BigInt(pending.size);
  if (!isFew) return [...pending].flatMap(([id, event]) => (id > after ? [event] : []));
  const found: P[] = [];
  for (let id = eventId(after + 1n); id < next; id = eventId(id + 1n)) {
    const event = pending.get(id);
    if (event !== undefined) found.push(event);
  }
  return found;
}
