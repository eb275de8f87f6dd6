/**
 * Which of our commitments may still be broadcast (onchain-engine 17). A receipt for holder commitment N
 * lets the node reveal the secret of N-1: from then on N is the floor. An update that is answered as
 * applied after the close releases nothing at the node (contract 2.4), so it does not raise the floor
 * and the commitment chosen for broadcast before it stays good.
 */
import type { HolderCommitment } from "@farwatch/protocol/channel";
import type { CommitmentNumber } from "@farwatch/protocol/ids";
import type { MonitorState } from "./state.js";
import { change, type Work } from "./work.js";

export const higher = (a: CommitmentNumber, b: CommitmentNumber | undefined): CommitmentNumber =>
  b !== undefined && b > a ? b : a;

export function raiseHolderFloor(work: Work, number: CommitmentNumber): void {
  const holderFloor = higher(work.state.holderFloor, number);
  if (holderFloor !== work.state.holderFloor) change(work, { holderFloor });
}

/** Its secret may be out: on chain it would cost the whole channel. */
export const mayBeRevoked = (
  { holderFloor }: Pick<MonitorState, "holderFloor">,
  { commitmentNumber }: Pick<HolderCommitment, "commitmentNumber">,
): boolean => commitmentNumber < holderFloor;

/** Our newest commitment is older than one told durable: this state comes from a backup. */
export const isBehind = (state: MonitorState): boolean => mayBeRevoked(state, state.holder);
