/**
 * HTLCs of our own commitment that can be claimed now (BOLT 5, "HTLC Output Handling: Local Commitment,
 * Local Offers" and "Remote Offers"): functions of state alone, as `outstanding`.
 */
import type { HolderCommitment } from "@farwatch/protocol/channel";
import type { Outpoint } from "@farwatch/protocol/ids";
import { channelTypeRules } from "@farwatch/protocol/bolt/channel-type";
import { wantsHolderCommitment } from "./chain/holder-broadcast.js";
import { isSpent } from "./htlcs.js";
import { claimsOn } from "./second-stages.js";
import type { HolderHtlcClaim, MonitorState } from "./state.js";

/** The second stage of this HTLC could be in the next block and no confirmed spend forestalls it. */
export interface ReadyHtlc {
  readonly claim: HolderHtlcClaim;
  readonly commitment: HolderCommitment;
  readonly outpoint: Outpoint;
}

export function readyHolderHtlcs(state: MonitorState): readonly ReadyHtlc[] {
  const { confirmedHolder: commitment = unconfirmed(state), best } = state;
  if (commitment === undefined) return [];
  const claims =
    commitment === state.confirmedHolder
      ? state.holderHtlcClaims
      : claimsOn(commitment, state.preimages);
  return claims.flatMap((claim) => {
    const { htlc, preimage } = claim;
    const outpoint = { txid: claim.commitmentTxid, vout: claim.outputIndex };
    const ready = htlc.offered ? htlc.cltvExpiry <= best.height : preimage !== undefined;
    return ready && !isSpent(state, outpoint) ? [{ claim, commitment, outpoint }] : [];
  });
}

/**
 * Our commitment while it waits for confirmation: second stages that carry their own fee go out with it
 * and can be in the same block (onchain-engine 8). On the other types their script makes them wait.
 */
function unconfirmed(state: MonitorState): HolderCommitment | undefined {
  const together = channelTypeRules(state.parameters.channelType).secondStagePaysFee;
  return together && wantsHolderCommitment(state) ? state.holderBroadcast?.commitment : undefined;
}
