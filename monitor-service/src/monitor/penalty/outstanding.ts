/**
 * The penalties that should be in the mempool or the chain now, and the outputs to watch: functions of
 * state alone, as monitor/outstanding.ts. A penalty is sent until each of its inputs is spent in the chain,
 * by itself or another: then it can change nothing.
 */
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import type { Publish } from "../effect.js";
import type { PenaltyState, SeenCommitment } from "./state.js";

export const outstandingPenalties = ({ seen }: PenaltyState): readonly Publish[] =>
  seen.flatMap((commitment) => {
    const spent = spentKeys(commitment);
    return commitment.penalties
      .filter(({ tx }) => tx.inputs.every(({ outpoint }) => !spent.has(outpointKey(outpoint))))
      .map(({ tx, rawTx }): Publish => ({
        role: "penalty",
        txid: tx.txid,
        spends: tx.inputs.map(({ outpoint }) => outpoint),
        tasks: [],
        finish: () => rawTx,
      }));
  });

/** Every output that a penalty for a seen commitment takes, each once. */
export function watchedPenaltyOutputs({ seen }: PenaltyState): readonly Outpoint[] {
  const outpoints = seen.flatMap(({ penalties }) =>
    penalties.flatMap(({ tx }) => tx.inputs.map(({ outpoint }) => outpoint)),
  );
  return [...new Map(outpoints.map((outpoint) => [outpointKey(outpoint), outpoint])).values()];
}

const spentKeys = ({ spends }: SeenCommitment): ReadonlySet<string> =>
  new Set(spends.map(({ outpoint }) => outpointKey(outpoint)));
