/**
 * A revoked commitment of the channel is in the chain. Told once, at once, whatever reorganisations do
 * (R20); every penalty for it is sent from then on.
 */
import { must } from "@farwatch/protocol/assert";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { EventOrigin } from "@farwatch/protocol/event";
import type { PenaltyTransactionStep } from "@farwatch/protocol/update";
import { MAX_PENALTIES_PER_COMMITMENT, readPenaltyTx } from "./check-penalty.js";
import type { Penalty, SeenCommitment } from "./state.js";
import { emit, putSeen, type PenaltyWork } from "./work.js";

/** `found`: of one commitment, the newest first. */
export function commitmentSeen(
  work: PenaltyWork,
  found: readonly PenaltyTransactionStep[],
  seenAt: BlockPoint,
  origin: EventOrigin,
): void {
  const { commitmentTxid, commitmentNumber } = must(found[0], "a penalty");
  const known = seenCommitment(work, commitmentTxid);
  const read = found.map((step) => heldPenalty(step));
  const penalties = newestFirst(read, known?.penalties ?? []);
  if (known !== undefined) {
    putSeen(work, { ...known, seenAt, penalties });
    return;
  }
  putSeen(work, { commitmentTxid, commitmentNumber, seenAt, penalties, spends: [], told: [] });
  const body = {
    kind: "commitmentTxConfirmed",
    txid: commitmentTxid,
    spend: "revoked",
    mutualClose: false,
    commitmentNumber,
  } as const;
  emit(work, body, origin);
}

export const seenCommitment = (
  { state }: PenaltyWork,
  txid: SeenCommitment["commitmentTxid"],
): SeenCommitment | undefined => state.seen.find(({ commitmentTxid }) => commitmentTxid === txid);

/** Each once, and not without end. */
export function newestFirst(
  news: readonly Penalty[],
  known: readonly Penalty[],
): readonly Penalty[] {
  const byTxid = new Map([...news, ...known].map((penalty) => [penalty.tx.txid, penalty]));
  return [...byTxid.values()].slice(0, MAX_PENALTIES_PER_COMMITMENT);
}

/** It was checked before it was stored. */
function heldPenalty(step: PenaltyTransactionStep): Penalty {
  const read = readPenaltyTx(step);
  return must(read.ok ? read.value : undefined, "a penalty transaction that is readable again");
}
