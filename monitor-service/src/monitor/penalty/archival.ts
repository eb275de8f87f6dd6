/** When a penalty-only channel needs no more watching; the delays are those of monitor/archival.ts. */
import { blockHeight } from "@farwatch/protocol/block";
import { outpointKey } from "@farwatch/protocol/ids";
import type { Archival } from "../archival.js";
import { ARCHIVAL_DELAY_BLOCKS } from "../constants.js";
import { spendKey, type PenaltyState, type SeenCommitment } from "./state.js";
import { change, type PenaltyWork } from "./work.js";

export function penaltyArchivalOf(state: PenaltyState, unackedEvents: boolean): Archival {
  const { best, closedAt, resolvedSince, seen } = state;
  if (closedAt === undefined && seen.length === 0) return { kind: "notClosed" };
  if (!isOver(state)) return { kind: "openBalances" };
  if (unackedEvents) return { kind: "unackedEvents" };
  const dueAt = blockHeight((resolvedSince ?? best.height) + ARCHIVAL_DELAY_BLOCKS);
  return dueAt <= best.height ? { kind: "due" } : { kind: "delay", dueAt };
}

/** Cheap; false for every open channel. */
export const mayBeOver = ({ closedAt, seen }: PenaltyState): boolean =>
  closedAt !== undefined || seen.length > 0;

export function checkPenaltyResolution(work: PenaltyWork, unackedEvents: boolean): void {
  const { state } = work;
  const resolved = isOver(state) && !unackedEvents;
  if (resolved === (state.resolvedSince !== undefined)) return;
  change(work, { resolvedSince: resolved ? state.best.height : undefined });
}

/** Also while a commitment is lost: it may come again as long as the node has not said that it is over. */
const isOver = (state: PenaltyState): boolean =>
  mayBeOver(state) &&
  state.seen.every(
    (seen) => isSettled(seen) || (seen.seenAt === undefined && state.closedAt !== undefined),
  );

/** Every output that a penalty takes is spent, and told. */
const isSettled = ({ penalties, spends, seenAt, told }: SeenCommitment): boolean => {
  if (seenAt === undefined) return false;
  const settled = new Set(
    spends
      .filter((spend) => told.includes(spendKey(spend)))
      .map(({ outpoint }) => outpointKey(outpoint)),
  );
  return penalties.every(({ tx }) =>
    tx.inputs.every(({ outpoint }) => settled.has(outpointKey(outpoint))),
  );
};
