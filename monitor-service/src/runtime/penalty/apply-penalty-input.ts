/** As apply-input.ts, for penalty-only channels: step, seal, move memory, note what to write. All or none. */
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type { Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { mayBeOver } from "../../monitor/penalty/archival.js";
import type { PenaltyInput, PenaltyTransition } from "../../monitor/penalty/input.js";
import { penaltyStep } from "../../monitor/penalty/step.js";
import type { Core } from "../core.js";
import type { Draft } from "../draft.js";
import { haltChannel } from "../halt.js";
import { SNAPSHOT_AT_MOST_ROWS } from "../limits.js";
import type { PenaltyEntry } from "../monitors.js";
import { appendLog, sealAll, storeEvents, type LogSource } from "../record.js";

/** Errors: the step's own refusal, or channelHalted when it broke an invariant. */
export function applyPenaltyInput(
  core: Core,
  draft: Draft,
  entry: PenaltyEntry,
  input: PenaltyInput,
  log: LogSource | undefined,
): Result<PenaltyTransition, Refusal> {
  let transition: PenaltyTransition;
  let sealed: readonly SealedMonitorEvent[];
  try {
    const result = penaltyStep(entry.state, input);
    if (!result.ok) return result;
    transition = result.value;
    sealed = sealAll(core, entry, entry.state.funding, transition.events);
  } catch (error) {
    return err(haltChannel(core, draft, entry, scopeOf(input), error));
  }
  core.monitors.setPenaltyState(entry, transition.state);
  draft.touch(entry);
  if (log !== undefined) appendLog(core, draft, entry, log());
  storeEvents(core, draft, entry, sealed);
  if (wantsSnapshot(entry, transition, log)) draft.snapshot(entry);
  return ok(transition);
}

const scopeOf = ({ kind }: PenaltyInput): "updates" | "all" =>
  kind === "blockConnected" || kind === "blocksDisconnected" ? "all" : "updates";

/** What was seen in blocks is in no log row, so from then on the state itself is written. */
function wantsSnapshot(
  entry: PenaltyEntry,
  { state, persist }: PenaltyTransition,
  log: LogSource | undefined,
): boolean {
  if (log === undefined) return persist;
  return mayBeOver(state) || entry.rowsSinceSnapshot >= SNAPSHOT_AT_MOST_ROWS;
}
