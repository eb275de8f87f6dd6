/**
 * A spend of the funding without the shape of a commitment is a mutual close, or a splice of which no
 * update has told us yet: a monitor that was cut off sees blocks before updates. The outputs that could
 * be the new funding are watched for a while, and what spends them is kept.
 */
import type { BlockPoint } from "@farwatch/protocol/block";
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import type { ParsedTx } from "../../tx/parsed-tx.js";
import { IRREVOCABLE_DEPTH } from "../constants.js";
import { change, type Work } from "../work.js";

/** A splice has few outputs; the bound only stops a batch payment from filling the state. */
const MAX_SUSPECTS = 64;
const P2WSH_BYTES = 34;
const P2WSH_PREFIX = [0x00, 0x20] as const;

/** The transaction spends the funding and is no commitment. */
export const suspectSplice = (work: Work, tx: ParsedTx, { height }: BlockPoint): void =>
  change(work, {
    suspects: fundingLike(tx)
      .slice(0, MAX_SUSPECTS)
      .map((outpoint) => ({ outpoint, createdAt: height })),
  });

/** Kept with its own outputs: it may be a commitment on the splice. */
export function noteSuspectSpent(work: Work, tx: ParsedTx, block: BlockPoint): void {
  const { suspects, unidentifiedSpends } = work.state;
  const keys = new Set(suspects.map(({ outpoint }) => outpointKey(outpoint)));
  if (!tx.inputs.some(({ outpoint }) => keys.has(outpointKey(outpoint)))) return;
  const outputs = fundingLike(tx).map((outpoint) => ({ outpoint, createdAt: block.height }));
  change(work, {
    unidentifiedSpends: [...unidentifiedSpends, { tx, block }],
    suspects: [...suspects, ...outputs].slice(0, MAX_SUSPECTS),
  });
}

/** After that a node which spliced would long have said so. */
export function forgetSuspects(work: Work): void {
  const { suspects, spend, best } = work.state;
  if (suspects.length === 0 || spend === undefined) return;
  if (spend.block.height + IRREVOCABLE_DEPTH > best.height) return;
  change(work, { suspects: [], unidentifiedSpends: [] });
}

/** Funding outputs and the outputs of commitments that we would track are P2WSH. */
const fundingLike = ({ txid, outputs }: ParsedTx): readonly Outpoint[] =>
  outputs.flatMap(({ scriptPubkey }, vout) =>
    scriptPubkey.length === P2WSH_BYTES &&
    P2WSH_PREFIX.every((byte, index) => scriptPubkey[index] === byte)
      ? [{ txid, vout }]
      : [],
  );
