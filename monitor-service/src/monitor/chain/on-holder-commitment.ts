/**
 * Our own commitment confirmed (BOLT 5, "Unilateral Close Handling: Local Commitment Transaction"):
 * HTLC-timeout for what we offered, HTLC-success for what we can claim; to_local after its delay comes
 * back as a spendable output.
 */
import { must } from "@farwatch/protocol/assert";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { HolderCommitment } from "@farwatch/protocol/channel";
import type { PaymentHash, Preimage } from "@farwatch/protocol/ids";
import { nonDustByOutput } from "../commitments.js";
import { claimsOn } from "../second-stages.js";
import { change, type Work } from "../work.js";
import { failAbsentHtlcs } from "./absent-htlcs.js";
import { track } from "./waiting.js";

export function handleHolderCommitment(
  work: Work,
  commitment: HolderCommitment,
  block: BlockPoint,
): void {
  const { txid } = commitment;
  const { preimages, spend } = work.state;
  const nonDust = nonDustByOutput(commitment.htlcs);
  change(work, {
    spend: {
      ...must(spend, "set by the caller"),
      perCommitmentPoint: commitment.perCommitmentPoint,
    },
    confirmedHolder: commitment,
    holderHtlcClaims: claimsOn(commitment, preimages),
  });
  track(
    work,
    nonDust.map(({ htlc, outputIndex }) => ({
      outpoint: { txid, vout: outputIndex },
      createdAt: block.height,
      role: { kind: "htlc", htlc },
    })),
  );
  failAbsentHtlcs(work, { txid, block }, commitment.htlcs);
}

/** A preimage that arrived after our commitment confirmed completes its HTLC-success transactions. */
export function claimReceivedWithPreimage(work: Work, hash: PaymentHash, preimage: Preimage): void {
  change(work, {
    holderHtlcClaims: work.state.holderHtlcClaims.map((claim) =>
      !claim.htlc.offered && claim.htlc.paymentHash === hash ? { ...claim, preimage } : claim,
    ),
  });
}
