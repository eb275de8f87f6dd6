/**
 * Going on chain with our own commitment: on the node's or an operator's request, or because an HTLC's
 * deadline is reached (R29). Once per monitor (R29a). A commitment that may be stale is never broadcast
 * on our own initiative: it would be punished.
 */
import type { CloseReason, EventOrigin } from "@farwatch/protocol/event";
import { assertNever } from "@farwatch/protocol/assert";
import { refuse, type Refusal } from "@farwatch/protocol/reasons";
import { err, ok, type Result } from "@farwatch/protocol/result";
import { LATENCY_GRACE_PERIOD_BLOCKS, claimBuffer } from "../constants.js";
import { decodeCommitmentNumber } from "@farwatch/protocol/bolt/commitment-number";
import { isBehind, mayBeRevoked } from "../holder-floor.js";
import { pendingHtlcs } from "../htlcs.js";
import type { MonitorInput } from "../input.js";
import { confirmedScope, fundingScopes, holderOn } from "../scopes.js";
import type { FundingScope, MonitorState } from "../state.js";
import { change, emit, type Work } from "../work.js";

/** Does nothing when a spend is confirmed, we already broadcast, or what we hold may be revoked. */
export function startHolderBroadcast(work: Work, reason: CloseReason): void {
  const { state } = work;
  if (state.spend !== undefined || state.holderBroadcast !== undefined || isBehind(state)) return;
  const { commitment, funding } = holderOn(broadcastScope(state));
  const elsewhere = fundingScopes(state).map(holderOn);
  change(work, {
    holderBroadcast: {
      reason,
      commitment,
      funding,
      elsewhere: elsewhere.filter((other) => other.commitment !== commitment),
      since: state.best.height,
    },
  });
  emit(
    work,
    {
      kind: "holderForceClosed",
      funding,
      commitmentTxid: commitment.txid,
      reason,
    },
    originOf(work, reason),
  );
}

/** The confirmed funding, unless nothing newer than what we revoked was ever signed for it. */
function broadcastScope(state: MonitorState): FundingScope {
  const scope = confirmedScope(state);
  return scope.holder.commitmentNumber === state.holder.commitmentNumber ? scope : state;
}

function originOf(work: Work, reason: CloseReason): EventOrigin {
  switch (reason.kind) {
    case "htlcDeadline":
    case "fundingReplaced":
      return { kind: "block", block: work.state.best };
    case "nodeRequested":
      return { kind: "command", command: "ChannelForceClosed" };
    case "operator":
      return { kind: "command", command: "BroadcastHolderCommitment" };
    default:
      return assertNever(reason);
  }
}

export function broadcastByOperator(
  work: Work,
  request: Extract<MonitorInput, { kind: "broadcastHolder" }>,
): Result<void, Refusal> {
  if (isSuspect(work.state) && !request.overrideStale) {
    return err(
      refuse(
        "staleSuspected",
        "the node closed this channel without broadcast, or a newer commitment was seen: " +
          "our state may be old",
      ),
    );
  }
  if (isBehind(work.state)) {
    const details = {
      commitment_number: String(work.state.holder.commitmentNumber),
      floor: String(work.state.holderFloor),
    };
    const why = "our newest commitment here is older than one told durable: it may be revoked";
    return err(refuse("holderRevoked", why, details));
  }
  // Also a broadcast that began before goes on. An override says nothing about suspicions to come.
  if (isSuspect(work.state)) change(work, { staleOverridden: true });
  // A person may know of a funding that is on its way (LDK's `require_funding_seen`).
  change(work, { awaitsFunding: false });
  startHolderBroadcast(work, { kind: "operator", text: request.reason });
  return ok(undefined);
}

/** Our commitment may be old, so that only a person may have it broadcast, whatever began before. */
const isSuspect = (state: MonitorState): boolean => state.staleSuspected || knowsOfNewer(state);

export const isHeldBack = (state: MonitorState): boolean =>
  isSuspect(state) && !state.staleOverridden;

/**
 * We go on chain, no spend of the funding output has confirmed, and ours cannot be revoked. The node's
 * hint that our data is old also stops a broadcast that began before it. Where the funding is broadcast
 * by hand nothing goes out before it was seen, though the close is told at once (R32).
 */
export const wantsHolderCommitment = (state: MonitorState): boolean =>
  state.holderBroadcast !== undefined &&
  state.spend === undefined &&
  !state.awaitsFunding &&
  !isHeldBack(state) &&
  !mayBeRevoked(state, state.holderBroadcast.commitment);

/** A commitment newer than all we know was seen: ours may be revoked, so the node has to decide. */
export function knowsOfNewer({ seenSpend, obscureFactor, counterparty }: MonitorState): boolean {
  if (seenSpend?.kind !== "unknown") return false;
  const { locktime, inputs } = seenSpend.tx;
  const number = decodeCommitmentNumber(locktime, inputs[0]?.sequence ?? 0, obscureFactor);
  return number !== undefined && number > counterparty.commitmentNumber;
}

/** Evaluated at every block; dust HTLCs count, their value is lost all the same. */
export function checkDeadlines(work: Work): void {
  const { state } = work;
  if (state.spend !== undefined || state.holderBroadcast !== undefined) return;
  if (isSuspect(state)) return;
  const height = state.best.height;
  const buffer = claimBuffer(state.parameters.constantsProfile);
  for (const { htlc, outbound } of pendingHtlcs(state)) {
    const due = outbound
      ? htlc.cltvExpiry + LATENCY_GRACE_PERIOD_BLOCKS <= height
      : state.preimages.has(htlc.paymentHash) && htlc.cltvExpiry <= height + buffer;
    if (!due) continue;
    startHolderBroadcast(work, { kind: "htlcDeadline", paymentHash: htlc.paymentHash });
    return;
  }
}
