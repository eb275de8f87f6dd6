/**
 * What the steps of an update mean to the manager: commitment numbers, parts that begin, paths that
 * end, lockdown. Only what would make every monitor refuse is checked here; signatures and amounts are
 * theirs. All steps or none: the caller drops the draft on a refusal.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { hashOfPreimage, type ChannelId } from "@farwatch/protocol/ids";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import type { ClaimedHtlc, UpdateStep } from "@farwatch/protocol/update";
import { paymentSucceeded, pathSucceeded } from "../payments/outbound.js";
import { rowKeys } from "../rows.js";
import { semanticKeys } from "../user-event.js";
import { alarm, changeChannel, channelOf, tell, type Keep, type Work } from "../work.js";
import { findOutbound, takeOutbound, viewOf } from "./outbound-htlcs.js";

export interface StepsRefused {
  readonly refusal: Refusal;
  readonly keep: Keep | undefined;
}
type Step<K extends UpdateStep["kind"]> = Extract<UpdateStep, { kind: K }>;

/** Reason text of a channel that never had a funding transaction (contract 2.16). */
export const NEVER_FUNDED = "never_funded";

const plain = (refusal: Refusal | undefined): StepsRefused | undefined =>
  refusal === undefined ? undefined : { refusal, keep: undefined };

export function applySteps(
  work: Work,
  channelId: ChannelId,
  steps: readonly UpdateStep[],
): StepsRefused | undefined {
  for (const step of steps) {
    const problem = applyStep(work, channelId, step);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function applyStep(work: Work, channelId: ChannelId, step: UpdateStep): StepsRefused | undefined {
  if (channelOf(work, channelId).lockedDown && step.kind !== "paymentPreimage") {
    return plain(refuse("noFurtherUpdates", "force-closed: only preimages are taken"));
  }
  switch (step.kind) {
    case "latestHolderCommitment":
      return holderCommitment(work, channelId, step);
    case "latestCounterpartyCommitment":
      return plain(counterpartyCommitment(work, channelId, step));
    case "commitmentSecret":
      return plain(revoke(work, channelId, step));
    case "channelForceClosed":
      forceClosed(work, channelId, step);
      return undefined;
    case "paymentPreimage":
    case "shutdownScript":
      return undefined;
    default:
      return assertNever(step);
  }
}

const notNext = (which: string, expected: number): Refusal =>
  refuse("malformed", `not the next ${which} commitment`, {
    field: "commitment_number",
    expected: String(expected),
  });

function holderCommitment(
  work: Work,
  channelId: ChannelId,
  step: Step<"latestHolderCommitment">,
): StepsRefused | undefined {
  const expected = channelOf(work, channelId).holderNumber + 1;
  if (step.commitment.commitmentNumber !== expected) return plain(notNext("holder", expected));
  for (const claimed of step.claimed) {
    const problem = checkClaimed(work, channelId, claimed);
    if (problem !== undefined) return problem;
  }
  changeChannel(work, channelId, { holderNumber: expected });
  return undefined;
}

/** Contract 2.12: a claimed entry that is not found never costs the preimage. */
function checkClaimed(
  work: Work,
  channelId: ChannelId,
  claimed: ClaimedHtlc,
): StepsRefused | undefined {
  const { sourceKey, preimage } = claimed;
  const found = findOutbound(channelOf(work, channelId), sourceKey);
  const paymentHash = hashOfPreimage(preimage);
  const details = { channel_id: channelId, source_key: sourceKey };
  if (found !== undefined && found.paymentHash !== paymentHash) {
    return plain(refuse("preimageMismatch", "the preimage is not that of the HTLC", details));
  }
  if (found !== undefined) return undefined;
  const text = `a claimed HTLC is in no counterparty commitment; its preimage is kept`;
  return {
    refusal: refuse("claimNotFound", text, details),
    keep(fresh) {
      const row = { channelId, sourceKey, paymentHash, preimage };
      fresh.draft.preimage.put(rowKeys.preimage(row), row);
      const { nodeKey } = channelOf(fresh, channelId);
      for (const payment of fresh.draft.payment.select("hash", paymentHash)) {
        if (payment.nodeKey === nodeKey) paymentSucceeded(fresh, payment, preimage);
      }
      alarm(fresh, nodeKey, "claimNotFound", sourceKey, text, channelId);
    },
  };
}

function counterpartyCommitment(
  work: Work,
  channelId: ChannelId,
  { commitment }: Step<"latestCounterpartyCommitment">,
): Refusal | undefined {
  const { nodeKey, counterparty, counterpartyPrevious } = channelOf(work, channelId);
  const expected = counterparty.number + 1;
  if (commitment.commitmentNumber !== expected) return notNext("counterparty", expected);
  if (counterpartyPrevious !== undefined) {
    return refuse("malformed", "the previous counterparty commitment is not revoked yet", {
      field: "commitment_number",
    });
  }
  const known = counterparty.outbound;
  const refusal = takeOutbound(work, nodeKey, channelId, commitment.htlcs, known);
  if (refusal !== undefined) return refusal;
  changeChannel(work, channelId, {
    counterparty: viewOf(commitment),
    counterpartyPrevious: counterparty,
  });
  return undefined;
}

function revoke(
  work: Work,
  channelId: ChannelId,
  step: Step<"commitmentSecret">,
): Refusal | undefined {
  const { counterpartyPrevious: revoked, revokedCommitments } = channelOf(work, channelId);
  if (revoked?.number !== step.commitmentNumber) {
    return refuse("malformed", "no un-revoked previous commitment of that number", {
      field: "commitment_number",
    });
  }
  if (!work.context.opensPoint(step.secret, revoked.point)) {
    return refuse("invalidSecret", "the secret does not open the commitment's point", {
      channel_id: channelId,
    });
  }
  changeChannel(work, channelId, {
    counterpartyPrevious: undefined,
    revokedCommitments: revokedCommitments + 1,
  });
  for (const { sourceKey } of revoked.outbound) pathSucceeded(work, sourceKey);
  return undefined;
}

function forceClosed(work: Work, channelId: ChannelId, step: Step<"channelForceClosed">): void {
  changeChannel(work, channelId, { lockedDown: true });
  if (step.shouldBroadcast || step.reason !== NEVER_FUNDED) return;
  const { nodeKey } = changeChannel(work, channelId, { closed: "neverFunded" });
  tell(work, nodeKey, semanticKeys.channelClosed(channelId), {
    kind: "channelClosed",
    channelId,
    reason: "neverFunded",
    closingTxid: undefined,
    text: step.reason,
  });
}
