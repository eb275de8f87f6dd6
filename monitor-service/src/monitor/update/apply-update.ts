/**
 * All steps of one update or none (a refusal leaves the old state in place). After ChannelForceClosed
 * little but preimages is taken; after a spend or our own broadcast steps still apply (contract 2.4).
 */
import { assertNever } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { equalBytes } from "@farwatch/protocol/bytes";
import { hashOfPreimage } from "@farwatch/protocol/ids";
import {
  isTakenAfterForceClose,
  NEVER_FUNDED_REASON,
  type UpdateStep,
} from "@farwatch/protocol/update";
import { startHolderBroadcast } from "../chain/holder-broadcast.js";
import { raiseHolderFloor } from "../holder-floor.js";
import { isClosing } from "../htlcs.js";
import type { ReceivedUpdate } from "../input.js";
import { change, type Work } from "../work.js";
import { revokeCounterparty } from "./commitment-secret.js";
import { nextCounterpartyCommitment } from "./latest-counterparty-commitment.js";
import { nextHolderCommitment } from "./latest-holder-commitment.js";
import { addPreimage } from "./payment-preimage.js";
import { lockFunding } from "./renegotiated-funding-locked.js";
import { renegotiateFunding } from "./renegotiated-funding.js";

export function applyUpdate(work: Work, update: ReceivedUpdate): Result<void, Refusal> {
  const wasClosing = isClosing(work.state);
  for (const [index, step] of update.steps.entries()) {
    if (work.state.lockdown && !isTakenAfterForceClose(step)) {
      return err(
        refuse("noFurtherUpdates", "the channel was force-closed: no such step is taken any more", {
          field: `steps[${index}]`,
        }),
      );
    }
    const applied = applyStep(work, update, step);
    if (!applied.ok) return applied;
  }
  change(work, { latestUpdateId: update.updateId, latestUpdateHash: update.updateHash });
  if (!wasClosing) raiseHolderFloor(work, work.state.holder.commitmentNumber);
  return ok(undefined);
}

function applyStep(work: Work, update: ReceivedUpdate, step: UpdateStep): Result<void, Refusal> {
  switch (step.kind) {
    case "latestHolderCommitment":
      return nextHolderCommitment(work, update, step);
    case "latestCounterpartyCommitment":
      return nextCounterpartyCommitment(work, update, step);
    case "commitmentSecret":
      return revokeCounterparty(work, update, step);
    case "paymentPreimage":
      addPreimage(work, hashOfPreimage(step.preimage), step.preimage);
      return ok(undefined);
    case "channelForceClosed":
      forceClose(work, step);
      return ok(undefined);
    case "shutdownScript":
      return setShutdownScript(work, step.scriptPubkey);
    case "renegotiatedFunding":
      return renegotiateFunding(work, step, update.verifySignatures);
    case "renegotiatedFundingLocked":
      return lockFunding(work, update, step.fundingTxid);
    case "ldkReleasePaymentComplete":
      return ok(undefined);
    case "penaltyTransaction":
      return err(refuse("wrongChannelKind", "this channel punishes with its own keys"));
    default:
      return assertNever(step);
  }
}

/**
 * Not broadcasting is the node's hint that its data may be old: we then never broadcast by ourselves. The
 * first one decides: a later one is an echo of a node that no longer knows the channel (ADR M-16).
 */
function forceClose(work: Work, step: Extract<UpdateStep, { kind: "channelForceClosed" }>): void {
  if (work.state.lockdown) return;
  if (step.shouldBroadcast) {
    startHolderBroadcast(work, { kind: "nodeRequested", text: step.reason });
  } else {
    change(work, { staleSuspected: true });
    if (step.reason === NEVER_FUNDED_REASON) {
      change(work, { neverFundedAt: work.state.best.height });
    }
  }
  change(work, { lockdown: true });
}

function setShutdownScript(work: Work, script: Uint8Array): Result<void, Refusal> {
  const known = work.state.shutdownScript;
  if (known !== undefined && !equalBytes(known, script)) {
    return err(
      refuse("malformed", "the shutdown script is set once", { field: "shutdown_script" }),
    );
  }
  if (known === undefined) change(work, { shutdownScript: Uint8Array.from(script) });
  return ok(undefined);
}
