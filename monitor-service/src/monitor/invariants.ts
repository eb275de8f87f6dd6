/** Cheap assertions after every step. A broken one halts the channel; nothing of the step is committed. */
import { assert } from "@farwatch/protocol/assert";
import type { MonitorState } from "./state.js";
import type { Work } from "./work.js";

export function checkInvariants(before: MonitorState, work: Work): void {
  const { state, events } = work;
  assert(state.nextEventId === before.nextEventId + BigInt(events.length), "event ids are gapless");
  assert(state.latestUpdateId >= before.latestUpdateId, "update ids never fall");
  assert(
    state.holder.commitmentNumber >= before.holder.commitmentNumber,
    "holder commitment numbers never fall",
  );
  assert(state.holderFloor >= before.holderFloor, "the floor of our commitments never falls");
  assert(
    state.counterpartyPrevious === undefined ||
      state.counterpartyPrevious.commitmentNumber + 1 === state.counterparty.commitmentNumber,
    "previous and current counterparty commitments are neighbours",
  );
  for (const key of state.fulfilled.keys()) {
    const wasClaimed = before.fulfilled.has(key);
    const failedNow = events.some(
      ({ body }) =>
        body.kind === "htlcEvent" &&
        body.source.sourceKey === key &&
        body.resolution.kind === "failed",
    );
    assert(!(wasClaimed && failedNow), "a failure never follows a claim");
  }
}
