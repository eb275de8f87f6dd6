/**
 * step(state, input): what one input does to one channel. Pure: the same state and input give the same
 * answer, whatever the clock, the disk or the network. Only a switch; the rules are in the files named.
 */
import { assertNever } from "@farwatch/protocol/assert";
import type { Refusal } from "@farwatch/protocol/reasons";
import { ok, type Result } from "@farwatch/protocol/result";
import { refreshBumps } from "./bumps/refresh-bumps.js";
import { checkResolution } from "./archival.js";
import { connectBlock } from "./chain/block-connected.js";
import { disconnectBlocks } from "./chain/blocks-disconnected.js";
import { onClaimRefused } from "./claims/claim-refused.js";
import { broadcastByOperator } from "./chain/holder-broadcast.js";
import type { MonitorContext } from "./context.js";
import type { Transition } from "./effect.js";
import { raiseHolderFloor } from "./holder-floor.js";
import { isClosing } from "./htlcs.js";
import type { MonitorInput } from "./input.js";
import { checkInvariants } from "./invariants.js";
import type { MonitorState } from "./state.js";
import { applyUpdate } from "./update/apply-update.js";
import { learnPreimages } from "./update/payment-preimage.js";
import { startWork, type Work } from "./work.js";

export function step(
  ctx: MonitorContext,
  state: MonitorState,
  input: MonitorInput,
): Result<Transition, Refusal> {
  const work = startWork(ctx, state);
  const refused = dispatch(work, input);
  if (!refused.ok) return refused;
  refreshBumps(work);
  checkInvariants(state, work);
  return ok({
    state: work.state,
    events: work.events,
    relays: work.relays,
    persist: !onlyTheTipMoved(state, work),
    afterClose: input.kind === "updateReceived" && isClosing(state) && isClosing(work.state),
  });
}

function dispatch(work: Work, input: MonitorInput): Result<void, Refusal> {
  switch (input.kind) {
    case "updateReceived":
      return applyUpdate(work, input);
    case "preimagesLearned":
      learnPreimages(work, input.preimages);
      return ok(undefined);
    case "blockConnected":
      connectBlock(work, input);
      return ok(undefined);
    case "blocksDisconnected":
      disconnectBlocks(work, input.forkPoint);
      return ok(undefined);
    case "claimRefused":
      onClaimRefused(work, input);
      return ok(undefined);
    case "resolutionChecked":
      checkResolution(work, input.unackedEvents);
      return ok(undefined);
    case "broadcastHolder":
      return broadcastByOperator(work, input);
    case "holderFloorKnown":
      raiseHolderFloor(work, input.number);
      return ok(undefined);
    default:
      return assertNever(input);
  }
}

/** The tip is stored once for all channels; a channel is written only when it changed otherwise. */
function onlyTheTipMoved(before: MonitorState, work: Work): boolean {
  const { best, feerates } = before;
  const after = { ...work.state, best, feerates };
  return (Object.keys(after) as (keyof MonitorState)[]).every((key) => after[key] === before[key]);
}
