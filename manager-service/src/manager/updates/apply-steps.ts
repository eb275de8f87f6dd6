/**
 * What the steps of an update mean to the manager: commitment numbers, parts that begin, paths that
 * end, lockdown. Only what would make every monitor refuse is checked here; signatures and amounts are
 * theirs. All steps or none: the caller drops the draft on a refusal.
 */
import { assertNever } from "@farwatch/protocol/assert";
import { hashOfPreimage, type ChannelId, type UpdateId } from "@farwatch/protocol/ids";
import { checkPenaltyTransaction } from "@farwatch/protocol/penalty-transaction";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import {
  isTakenAfterForceClose,
  NEVER_FUNDED_REASON,
  type ClaimedHtlc,
  type UpdateStep,
} from "@farwatch/protocol/update";
import { relayPreimage } from "../forwards/outcomes.js";
import { markRemoved } from "../inbound/inbound-htlcs.js";
import { pathSucceeded, refundPart } from "../payments/outbound.js";
import { recordPreimage } from "../preimages/record.js";
import { semanticKeys } from "../user-event.js";
import { changeChannel, channelOf, tell, withdraw, type Work } from "../work.js";
import { keepPreimages } from "./kept-preimages.js";
import { findOutbound, takeOutbound, viewOf } from "./outbound-htlcs.js";

interface At {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
}
type Step<K extends UpdateStep["kind"]> = Extract<UpdateStep, { kind: K }>;

export function applySteps(
  work: Work,
  channelId: ChannelId,
  updateId: UpdateId,
  steps: readonly UpdateStep[],
): Refusal | undefined {
  work.touched.add(channelId);
  for (const step of steps) {
    const problem = applyStep(work, { channelId, updateId }, step);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function applyStep(work: Work, at: At, step: UpdateStep): Refusal | undefined {
  const { channelId } = at;
  if (channelOf(work, channelId).lockedDown && !isTakenAfterForceClose(step)) {
    return refuse("noFurtherUpdates", "force-closed: no such step is taken any more");
  }
  if (channelOf(work, channelId).penaltyOnly === true) return applyPenaltyStep(work, at, step);
  switch (step.kind) {
    case "latestHolderCommitment":
      return holderCommitment(work, channelId, step);
    case "latestCounterpartyCommitment":
      return counterpartyCommitment(work, channelId, step);
    case "commitmentSecret":
      return revoke(work, at, step);
    case "channelForceClosed":
      forceClosed(work, channelId, step);
      return undefined;
    case "paymentPreimage":
      // Also as a record, which waits behind no other update (contract 2.1).
      recordPreimage(work, channelId, step.preimage, undefined);
      return undefined;
    case "shutdownScript":
    case "renegotiatedFundingLocked":
      return undefined;
    case "renegotiatedFunding": {
      // Neither numbers nor HTLCs change; what is wrong with the funding the monitors see.
      const { spliceTxids } = channelOf(work, channelId);
      const { txid } = step.parameters.funding;
      changeChannel(work, channelId, { spliceTxids: [...spliceTxids, txid] });
      return undefined;
    }
    case "ldkReleasePaymentComplete":
      return channelOf(work, channelId).role === "managerResolves"
        ? refuse("unknownStep", "only a node in role NODE_RESOLVES sends it")
        : undefined;
    case "penaltyTransaction":
      return refuse("wrongChannelKind", "this channel's monitors punish with its keys");
    default:
      return assertNever(step);
  }
}

/** Of a penalty-only channel: nothing of it is known here but that its steps are of its kind. */
function applyPenaltyStep(work: Work, { channelId }: At, step: UpdateStep): Refusal | undefined {
  if (step.kind === "penaltyTransaction") {
    return checkPenaltyTransaction(step.transaction, step.commitmentTxid);
  }
  if (step.kind !== "channelForceClosed" || step.shouldBroadcast) {
    return refuse("wrongChannelKind", "this channel's monitors hold penalty transactions only");
  }
  forceClosed(work, channelId, step);
  return undefined;
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
): Refusal | undefined {
  const expected = channelOf(work, channelId).holderNumber + 1;
  if (step.commitment.commitmentNumber !== expected) return notNext("holder", expected);
  for (const claimed of step.claimed) {
    const problem = checkClaimed(work, channelId, claimed);
    if (problem !== undefined && !isPastRefusing(work, channelId, problem)) return problem;
    if (problem !== undefined) keepPreimages(work, channelId, [claimed], problem);
    relayPreimage(work, claimed.sourceKey, claimed.preimage);
  }
  for (const { sourceKey } of step.failed) refundPart(work, sourceKey);
  changeChannel(work, channelId, { holderNumber: expected });
  return undefined;
}

/** LDK has moved on when its update comes and has no other to send: what it names is kept (contract 2.12). */
const isPastRefusing = (work: Work, channelId: ChannelId, { reason }: Refusal): boolean =>
  reason === "claimNotFound" && channelOf(work, channelId).dialect === "ldk";

/** The preimages of a refused update are kept by whoever refuses it (contract 2.12). */
function checkClaimed(
  work: Work,
  channelId: ChannelId,
  { sourceKey, preimage }: ClaimedHtlc,
): Refusal | undefined {
  const found = findOutbound(channelOf(work, channelId), sourceKey);
  const details = { channel_id: channelId, source_key: sourceKey };
  if (found === undefined) {
    const text = "a claimed HTLC is in no counterparty commitment; its preimage is kept";
    return refuse("claimNotFound", text, details);
  }
  return found.paymentHash === hashOfPreimage(preimage)
    ? undefined
    : refuse("preimageMismatch", "the preimage is not that of the HTLC", details);
}

function counterpartyCommitment(
  work: Work,
  channelId: ChannelId,
  { commitment }: Step<"latestCounterpartyCommitment">,
): Refusal | undefined {
  const channel = channelOf(work, channelId);
  const { nodeKey, userChannelId, counterparty, counterpartyPrevious, dialect } = channel;
  const expected = counterparty.number + 1;
  if (commitment.commitmentNumber !== expected) return notNext("counterparty", expected);
  if (counterpartyPrevious !== undefined) {
    return refuse("malformed", "the previous counterparty commitment is not revoked yet", {
      field: "commitment_number",
    });
  }
  const known = counterparty.outbound;
  const where = { nodeKey, channelId, userChannelId, isFirst: false, dialect };
  const refusal = takeOutbound(work, where, commitment.htlcs, known);
  if (refusal !== undefined) return refusal;
  changeChannel(work, channelId, {
    counterparty: viewOf(commitment),
    counterpartyPrevious: counterparty,
  });
  return undefined;
}

function revoke(
  work: Work,
  { channelId, updateId }: At,
  step: Step<"commitmentSecret">,
): Refusal | undefined {
  const channel = channelOf(work, channelId);
  const { counterparty, counterpartyPrevious: revoked, revokedCommitments } = channel;
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
  const left = new Set(counterparty.inbound.map(({ htlcId }) => htlcId));
  const gone = revoked.inbound.filter(({ htlcId }) => !left.has(htlcId));
  markRemoved(work, channelId, gone, updateId);
  return undefined;
}

/** The first one decides, later ones change nothing (ADR M-16). */
function forceClosed(work: Work, channelId: ChannelId, step: Step<"channelForceClosed">): void {
  withdraw(work, semanticKeys.closeChannel(channelId));
  if (channelOf(work, channelId).lockedDown) return;
  changeChannel(work, channelId, { lockedDown: true });
  if (step.shouldBroadcast || step.reason !== NEVER_FUNDED_REASON) return;
  const { nodeKey } = changeChannel(work, channelId, { closed: "neverFunded" });
  tell(work, nodeKey, semanticKeys.channelClosed(channelId), {
    kind: "channelClosed",
    channelId,
    reason: "neverFunded",
    closingTxid: undefined,
    text: step.reason,
  });
}
