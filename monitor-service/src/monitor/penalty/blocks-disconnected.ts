/**
 * The chain lost its blocks above the fork point: forget what only they said. Emits nothing (R6). Penalties
 * for a commitment that is gone stay outstanding: it may be in a mempool and come again.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { change, type PenaltyWork } from "./work.js";

export function disconnectPenaltyBlocks(work: PenaltyWork, fork: BlockPoint): void {
  const stays = (height: number): boolean => height <= fork.height;
  const { seen, resolvedSince } = work.state;
  const isUntouched = seen.every(
    ({ seenAt, spends }) =>
      (seenAt === undefined || stays(seenAt.height)) &&
      spends.every(({ block }) => stays(block.height)),
  );
  change(work, { best: fork });
  if (resolvedSince !== undefined && !stays(resolvedSince)) {
    change(work, { resolvedSince: undefined });
  }
  if (isUntouched) return;
  change(work, {
    seen: seen.map((commitment) => ({
      ...commitment,
      seenAt:
        commitment.seenAt !== undefined && stays(commitment.seenAt.height)
          ? commitment.seenAt
          : undefined,
      spends: commitment.spends.filter(({ block }) => stays(block.height)),
    })),
  });
}
