/** When nothing more is made of an output that a wallet's transaction spends. */
import { outpointKey, type Outpoint } from "@farwatch/protocol/ids";
import { ANTI_REORG_DELAY } from "../constants.js";
import type { MonitorState } from "../state.js";

/**
 * Its commitment cannot confirm any more, or its spend is ANTI_REORG_DELAY deep. A deeper reorg makes a
 * new claim of it, with other coins.
 */
export function isResolved(state: MonitorState, outpoint: Outpoint): boolean {
  const { spend, best, outputSpends, holderHtlcClaims } = state;
  if (spend?.final !== true) return false;
  const spent = outputSpends.get(outpointKey(outpoint));
  if (spent !== undefined) return spent.height + ANTI_REORG_DELAY - 1 <= best.height;
  return !holderHtlcClaims.some(
    ({ commitmentTxid, outputIndex }) =>
      commitmentTxid === outpoint.txid && outputIndex === outpoint.vout,
  );
}
