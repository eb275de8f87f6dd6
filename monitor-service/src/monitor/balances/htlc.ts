/**
 * The balance of one HTLC that the confirmed commitment has as an output (onchain-engine 11, "HTLC
 * walk"; LDK `get_htlc_balance`). An amount is the HTLC's, before the fees of the claims on it.
 */
import { msatToSatFloor } from "@farwatch/protocol/amount";
import type { BlockHeight } from "@farwatch/protocol/block";
import type { CommitmentHtlc } from "@farwatch/protocol/channel";
import { assertNever } from "@farwatch/protocol/assert";
import { outpointKey } from "@farwatch/protocol/ids";
import { matureHeight } from "../chain/waiting.js";
import type { MonitorState, TrackedOutput } from "../state.js";
import type { Balance } from "./balance.js";

/** Also one whose source is unknown: it is not counted as coming back. */
export function isOwnPayment({ source }: CommitmentHtlc): boolean {
  if (source === undefined) return true;
  switch (source.origin.kind) {
    case "own":
    case "probe":
      return true;
    case "forward":
    case "trampoline":
      return false;
    default:
      return assertNever(source.origin);
  }
}

export const maybeTimeout = (htlc: CommitmentHtlc): Balance => ({
  kind: "maybeTimeoutClaimableHtlc",
  amountSat: msatToSatFloor(htlc.amountMsat),
  claimableHeight: htlc.cltvExpiry,
  paymentHash: htlc.paymentHash,
  outboundPayment: isOwnPayment(htlc),
});

export const maybePreimage = (htlc: CommitmentHtlc): Balance => ({
  kind: "maybePreimageClaimableHtlc",
  amountSat: msatToSatFloor(htlc.amountMsat),
  expiryHeight: htlc.cltvExpiry,
  paymentHash: htlc.paymentHash,
});

export const awaitingHtlc = (htlc: CommitmentHtlc, confirmationHeight: BlockHeight): Balance => ({
  kind: "claimableAwaitingConfirmations",
  amountSat: msatToSatFloor(htlc.amountMsat),
  confirmationHeight,
  source: "htlc",
});

/**
 * An HTLC output of a commitment that is not revoked, until its spend is final. Whoever spends one of
 * ours without the preimage is us; one spent with it stays a "maybe" until that cannot be undone.
 */
export function htlcBalance(
  state: MonitorState,
  outpoint: TrackedOutput["outpoint"],
  htlc: CommitmentHtlc,
  outbound: boolean,
): Balance {
  const spend = state.outputSpends.get(outpointKey(outpoint));
  if (outbound) {
    return spend === undefined || spend.byPreimage
      ? maybeTimeout(htlc)
      : awaitingHtlc(htlc, matureHeight(spend.height));
  }
  const preimage = state.preimages.get(htlc.paymentHash);
  if (preimage === undefined) return maybePreimage(htlc);
  if (spend?.byPreimage === true) return awaitingHtlc(htlc, matureHeight(spend.height));
  return {
    kind: "contentiousClaimable",
    amountSat: msatToSatFloor(htlc.amountMsat),
    timeoutHeight: htlc.cltvExpiry,
    paymentHash: htlc.paymentHash,
    preimage,
  };
}
