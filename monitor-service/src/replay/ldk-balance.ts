/** Our balances under the names and fields LDK tells them with (`Balance` of its bindings). */
import { assertNever } from "@farwatch/protocol/assert";
import { claimableSat, type Balance, type BalanceSource } from "../monitor/balances/balance.js";
import { toHex } from "@farwatch/protocol/bytes";
import type { BalanceShape } from "./recording-shape.js";

const SOURCES: Readonly<Record<BalanceSource, string>> = {
  holderForceClosed: "HolderForceClosed",
  counterpartyForceClosed: "CounterpartyForceClosed",
  coopClose: "CoopClose",
  htlc: "Htlc",
};

export const toLdkBalance = (balance: Balance): BalanceShape => ({
  ...fields(balance),
  claimable_amount_satoshis: String(claimableSat(balance)),
});

function fields(balance: Balance): BalanceShape {
  switch (balance.kind) {
    case "claimableOnChannelClose": {
      const candidate = balance.candidates[balance.confirmedCandidate];
      return {
        type: "ClaimableOnChannelClose",
        amount_satoshis: String(candidate?.amountSat ?? 0n),
        transaction_fee_satoshis: String(candidate?.transactionFeeSat ?? 0n),
        outbound_payment_htlc_rounded_msat: String(balance.outboundPaymentHtlcRoundedMsat),
        outbound_forwarded_htlc_rounded_msat: String(balance.outboundForwardedHtlcRoundedMsat),
        inbound_claiming_htlc_rounded_msat: String(balance.inboundClaimingHtlcRoundedMsat),
        inbound_htlc_rounded_msat: String(balance.inboundHtlcRoundedMsat),
      };
    }
    case "claimableAwaitingConfirmations":
      return {
        type: "ClaimableAwaitingConfirmations",
        amount_satoshis: String(balance.amountSat),
        confirmation_height: balance.confirmationHeight,
        source: SOURCES[balance.source],
      };
    case "contentiousClaimable":
      return {
        type: "ContentiousClaimable",
        amount_satoshis: String(balance.amountSat),
        timeout_height: balance.timeoutHeight,
        payment_hash: balance.paymentHash,
        payment_preimage: toHex(balance.preimage),
      };
    case "maybeTimeoutClaimableHtlc":
      return {
        type: "MaybeTimeoutClaimableHTLC",
        amount_satoshis: String(balance.amountSat),
        claimable_height: balance.claimableHeight,
        payment_hash: balance.paymentHash,
        outbound_payment: Number(balance.outboundPayment),
      };
    case "maybePreimageClaimableHtlc":
      return {
        type: "MaybePreimageClaimableHTLC",
        amount_satoshis: String(balance.amountSat),
        expiry_height: balance.expiryHeight,
        payment_hash: balance.paymentHash,
      };
    case "counterpartyRevokedOutputClaimable":
      return {
        type: "CounterpartyRevokedOutputClaimable",
        amount_satoshis: String(balance.amountSat),
      };
    default:
      return assertNever(balance);
  }
}
