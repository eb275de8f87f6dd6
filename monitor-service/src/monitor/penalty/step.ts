/** penaltyStep(state, input): as monitor/step.ts, for penalty-only channels. Pure. */
import { assert, assertNever } from "@farwatch/protocol/assert";
import type { Refusal } from "@farwatch/protocol/reasons";
import { ok, type Result } from "@farwatch/protocol/result";
import { applyPenaltyUpdate } from "./apply-update.js";
import { checkPenaltyResolution } from "./archival.js";
import { connectPenaltyBlock } from "./block-connected.js";
import { disconnectPenaltyBlocks } from "./blocks-disconnected.js";
import type { PenaltyInput, PenaltyTransition } from "./input.js";
import { commitmentSeen } from "./seen.js";
import type { PenaltyState } from "./state.js";
import { change, type PenaltyWork } from "./work.js";

export function penaltyStep(
  state: PenaltyState,
  input: PenaltyInput,
): Result<PenaltyTransition, Refusal> {
  const work: PenaltyWork = { state, events: [] };
  const refused = dispatch(work, input);
  if (!refused.ok) return refused;
  checkInvariants(state, work);
  return ok({
    state: work.state,
    events: work.events,
    persist: !onlyTheTipMoved(state, work.state),
    afterClose: input.kind === "updateReceived" && state.seen.length > 0,
  });
}

function dispatch(work: PenaltyWork, input: PenaltyInput): Result<void, Refusal> {
  switch (input.kind) {
    case "updateReceived":
      return applyPenaltyUpdate(work, input);
    case "blockConnected":
      connectPenaltyBlock(work, input);
      return ok(undefined);
    case "blocksDisconnected":
      disconnectPenaltyBlocks(work, input.forkPoint);
      return ok(undefined);
    case "lookedUp":
      lookedUp(work, input);
      return ok(undefined);
    case "resolutionChecked":
      checkPenaltyResolution(work, input.unackedEvents);
      return ok(undefined);
    default:
      return assertNever(input);
  }
}

/** Somewhere at or below our best block; the update that brought its penalty is why we know. */
function lookedUp(
  work: PenaltyWork,
  { upTo, found }: Extract<PenaltyInput, { kind: "lookedUp" }>,
): void {
  for (const { updateId, penalty } of found) {
    const { best, seen } = work.state;
    const known = seen.find(({ commitmentTxid }) => commitmentTxid === penalty.commitmentTxid);
    commitmentSeen(work, [penalty], known?.seenAt ?? best, { kind: "update", updateId });
  }
  if (upTo > work.state.lookedUpTo) change(work, { lookedUpTo: upTo });
}

function checkInvariants(before: PenaltyState, { state, events }: PenaltyWork): void {
  assert(state.nextEventId === before.nextEventId + BigInt(events.length), "event ids are gapless");
  assert(state.latestUpdateId >= before.latestUpdateId, "update ids never fall");
  assert(state.lookedUpTo <= state.latestUpdateId, "only known updates are looked up");
}

/** A look-up that found nothing is done again after a restart, so it is not written. */
function onlyTheTipMoved(before: PenaltyState, state: PenaltyState): boolean {
  const { best, lookedUpTo } = before;
  const after = { ...state, best, lookedUpTo };
  return (Object.keys(after) as (keyof PenaltyState)[]).every((key) => after[key] === before[key]);
}
