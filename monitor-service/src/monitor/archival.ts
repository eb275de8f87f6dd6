/**
 * When a channel needs no more watching (onchain-engine 16; LDK `check_and_update_full_resolution_status`,
 * contract 2.16). The shell moves it to the archive; here is only the decision, and the height from
 * which the delay counts.
 */
import { blockHeight, type BlockHeight } from "@farwatch/protocol/block";
import { claimableBalances } from "./balances/claimable-balances.js";
import { closedWithoutUpdates } from "./balances/on-close.js";
import { ARCHIVAL_DELAY_BLOCKS, NEVER_FUNDED_DELAY_BLOCKS } from "./constants.js";
import type { MonitorState } from "./state.js";
import { change, type Work } from "./work.js";

/** What stands between a channel and the archive. */
export type Archival =
  | { readonly kind: "due" }
  | { readonly kind: "notClosed" }
  | { readonly kind: "openBalances" }
  /** An event that nobody acked may still be needed: it keeps its channel, however long. */
  | { readonly kind: "unackedEvents" }
  | { readonly kind: "delay"; readonly dueAt: BlockHeight };

export function archivalOf(state: MonitorState, unackedEvents: boolean): Archival {
  const delay = delayOf(state);
  if (delay.kind === "notClosed" || delay.kind === "openBalances") return delay;
  if (unackedEvents) return { kind: "unackedEvents" };
  return delay.kind === "delay" && delay.dueAt <= state.best.height ? { kind: "due" } : delay;
}

function delayOf(state: MonitorState): Archival {
  const { best, neverFundedAt, resolvedSince, spend } = state;
  if (spend !== undefined) {
    if (!isResolved(state)) return { kind: "openBalances" };
    const since = resolvedSince ?? best.height;
    return { kind: "delay", dueAt: blockHeight(since + ARCHIVAL_DELAY_BLOCKS) };
  }
  // A funding that exists can be spent by a commitment, however the node closed the channel.
  if (isFunded(state)) return { kind: "notClosed" };
  if (closedWithoutUpdates(state) && claimableBalances(state).length === 0) return { kind: "due" };
  return neverFundedAt === undefined
    ? { kind: "notClosed" }
    : { kind: "delay", dueAt: blockHeight(neverFundedAt + NEVER_FUNDED_DELAY_BLOCKS) };
}

/** By the funding it was opened with or any splice. */
const isFunded = (state: MonitorState): boolean =>
  state.fundingConfirmedAt !== undefined ||
  state.alternativeFunding !== undefined ||
  state.retiredFundings.length > 0;

/** Spent, everything told, nothing of ours left in the closing. */
const isResolved = (state: MonitorState): boolean =>
  state.spend !== undefined &&
  state.waiting.length === 0 &&
  state.claims.length === 0 &&
  claimableBalances(state).length === 0;

/** Cheap; false for every open channel, which most are at every block. */
export const mayBeResolved = ({ spend, lockdown, holderBroadcast }: MonitorState): boolean =>
  spend !== undefined || lockdown || holderBroadcast !== undefined;

/** Starts the delay, and ends it when there is something to do again. */
export function checkResolution(work: Work, unackedEvents: boolean): void {
  const { state } = work;
  const resolved = isResolved(state) && !unackedEvents;
  if (resolved === (state.resolvedSince !== undefined)) return;
  change(work, { resolvedSince: resolved ? state.best.height : undefined });
}

/** A resolved channel has something of ours again: a person should know (a deep reorganisation). */
export const reappeared = (before: MonitorState, after: MonitorState): boolean =>
  before.resolvedSince !== undefined &&
  after.resolvedSince === undefined &&
  !isResolved(after) &&
  !isOthersSpend(after);

/** The counterparty sweeps what was its own, a second stage's output for example: nothing for us. */
const isOthersSpend = (state: MonitorState): boolean =>
  state.spend !== undefined &&
  state.waiting.every(({ fact }) => fact.kind === "outputResolved") &&
  state.claims.length === 0 &&
  claimableBalances(state).length === 0;
