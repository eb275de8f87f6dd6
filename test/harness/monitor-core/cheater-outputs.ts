/** Which outputs of a revoked commitment its broadcaster must lose (BOLT 5). */
import type { Outpoint } from "@farwatch/protocol/ids";
import type { SignedCommitment } from "../channel/commitment.js";

/** to_local and every HTLC output. */
export const cheaterOutputs = ({ built, htlcs }: SignedCommitment): readonly Outpoint[] =>
  [built.toLocalIndex, ...htlcs.map(({ outputIndex }) => outputIndex)]
    .filter((vout) => vout !== undefined)
    .map((vout) => ({ txid: built.txid, vout }));
