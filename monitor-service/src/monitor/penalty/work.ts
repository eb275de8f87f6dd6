/** The scratch pad of one step of a penalty-only channel; see monitor/work.ts. */
import type { EventOrigin, MonitorEventBody, NewMonitorEvent } from "@farwatch/protocol/event";
import { eventId } from "@farwatch/protocol/ids";
import type { PenaltyState, SeenCommitment } from "./state.js";

export interface PenaltyWork {
  state: PenaltyState;
  readonly events: NewMonitorEvent[];
}

export function change(work: PenaltyWork, patch: Partial<PenaltyState>): void {
  work.state = { ...work.state, ...patch };
}

export function emit(work: PenaltyWork, body: MonitorEventBody, origin: EventOrigin): void {
  const id = work.state.nextEventId;
  work.events.push({ eventId: id, body, origin });
  change(work, { nextEventId: eventId(id + 1n) });
}

/** Puts it in the place of the one of the same txid, or at the end. */
export function putSeen(work: PenaltyWork, next: SeenCommitment): void {
  const { seen } = work.state;
  const isKnown = seen.some(({ commitmentTxid }) => commitmentTxid === next.commitmentTxid);
  change(work, {
    seen: isKnown
      ? seen.map((one) => (one.commitmentTxid === next.commitmentTxid ? next : one))
      : [...seen, next],
  });
}
