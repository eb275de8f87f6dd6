/** Where a monitor stands on a channel, out of its GetChannel answer. */
import { fixedHex, readWith } from "@farwatch/protocol/convert/reader";
import type { GetChannelResponse } from "@farwatch/protocol/gen/monitor/v1/monitor_service";
import { eventId, hash32, updateId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, type Result } from "@farwatch/protocol/result";
import type { MonitorCursors } from "../manager/restart/cursors.js";

/** Errors: wrongLength, malformed. */
export function readCursors(answer: GetChannelResponse): Result<MonitorCursors, Refusal> {
  if (answer.nextEventId === 0n) {
    return err(refuse("malformed", "event ids start at 1", { field: "next_event_id" }));
  }
  return readWith(() => ({
    updateId: updateId(answer.latestUpdateId),
    updateHash: hash32(fixedHex(answer.latestUpdateHash, 32, "latest_update_hash")),
    holderNumber: answer.holderCommitmentNumber,
    counterpartyNumber: answer.counterpartyCommitmentNumber,
    nextEventId: eventId(answer.nextEventId),
    unackedEventIds: answer.unackedEventIds.map((id) => eventId(id)),
    halted: answer.halted,
  }));
}
