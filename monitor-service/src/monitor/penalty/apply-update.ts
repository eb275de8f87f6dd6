/** All steps of one update or none: penalties to hold, and the node's word that the channel is over. */
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import type { PenaltyTransactionStep, UpdateStep } from "@farwatch/protocol/update";
import { MAX_PENALTIES_PER_CHANNEL, readPenaltyTx } from "./check-penalty.js";
import type { PenaltyInput } from "./input.js";
import { newestFirst, seenCommitment } from "./seen.js";
import { change, putSeen, type PenaltyWork } from "./work.js";

/** Errors: wrongChannelKind, malformed, tooLarge. */
export function applyPenaltyUpdate(
  work: PenaltyWork,
  update: Extract<PenaltyInput, { kind: "updateReceived" }>,
): Result<void, Refusal> {
  for (const [index, step] of update.steps.entries()) {
    const refusal = applyStep(work, step);
    if (refusal === undefined) continue;
    const details = { ...refusal.details, field: `steps[${index}]` };
    return err({ ...refusal, details });
  }
  change(work, { latestUpdateId: update.updateId, latestUpdateHash: update.updateHash });
  return ok(undefined);
}

function applyStep(work: PenaltyWork, step: UpdateStep): Refusal | undefined {
  switch (step.kind) {
    case "penaltyTransaction":
      return hold(work, step);
    case "channelForceClosed":
      if (step.shouldBroadcast) {
        return refuse("wrongChannelKind", "no commitment to broadcast is held here");
      }
      change(work, { closedAt: work.state.closedAt ?? work.state.best.height });
      return undefined;
    case "latestHolderCommitment":
    case "latestCounterpartyCommitment":
    case "commitmentSecret":
    case "paymentPreimage":
    case "shutdownScript":
    case "renegotiatedFunding":
    case "renegotiatedFundingLocked":
    case "ldkReleasePaymentComplete":
      return refuse("wrongChannelKind", "this channel holds penalty transactions only");
  }
}

/** Also of a commitment that has one: another one with a higher fee may be the one that confirms. */
function hold(work: PenaltyWork, step: PenaltyTransactionStep): Refusal | undefined {
  const read = readPenaltyTx(step);
  if (!read.ok) return read.error;
  const { penaltyCount } = work.state;
  if (penaltyCount >= MAX_PENALTIES_PER_CHANNEL) {
    const details = { limit: String(MAX_PENALTIES_PER_CHANNEL) };
    return refuse("tooLarge", "the channel holds too many penalty transactions", details);
  }
  change(work, { penaltyCount: penaltyCount + 1 });
  const seen = seenCommitment(work, step.commitmentTxid);
  if (seen !== undefined) {
    putSeen(work, { ...seen, penalties: newestFirst([read.value], seen.penalties) });
  }
  return undefined;
}
