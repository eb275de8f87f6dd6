/**
 * What of a channel is ours, or may become ours (onchain-engine 11; LDK chain/channelmonitor.rs, `enum
 * Balance`, of which these are the variants under their own names). One list per channel; the total is
 * what can be counted on before the fees of claims not yet made.
 */
import { sat, type Msat, type Sat } from "@farwatch/protocol/amount";
import { assertNever } from "@farwatch/protocol/assert";
import type { BlockHeight } from "@farwatch/protocol/block";
import type { PaymentHash, Preimage } from "@farwatch/protocol/ids";

/** Why an amount waits for confirmations. */
export type BalanceSource = "holderForceClosed" | "counterpartyForceClosed" | "coopClose" | "htlc";

/** What our newest commitment on one funding output would give us. */
export interface CloseCandidate {
  readonly amountSat: Sat;
  /** Paid by us when we opened the channel, else 0. Not part of `amountSat`. */
  readonly transactionFeeSat: Sat;
}

/** The channel is not closed on chain. */
export interface ClaimableOnChannelClose {
  readonly kind: "claimableOnChannelClose";
  /** One per funding output that may still be the channel's, in the order they were negotiated. */
  readonly candidates: readonly CloseCandidate[];
  /** The one whose funding output is confirmed or, without a splice, the only one. */
  readonly confirmedCandidate: number;
  /** Millisatoshis that would go to fees, because outputs have whole satoshis or are too small. */
  readonly outboundPaymentHtlcRoundedMsat: Msat;
  readonly outboundForwardedHtlcRoundedMsat: Msat;
  readonly inboundClaimingHtlcRoundedMsat: Msat;
  readonly inboundHtlcRoundedMsat: Msat;
}

export type Balance =
  | ClaimableOnChannelClose
  /** Ours, told as spendable at that height. */
  | {
      readonly kind: "claimableAwaitingConfirmations";
      readonly amountSat: Sat;
      readonly confirmationHeight: BlockHeight;
      readonly source: BalanceSource;
    }
  /** Ours by preimage if our claim confirms before the counterparty's, possible from that height. */
  | {
      readonly kind: "contentiousClaimable";
      readonly amountSat: Sat;
      readonly timeoutHeight: BlockHeight;
      readonly paymentHash: PaymentHash;
      readonly preimage: Preimage;
    }
  /** We sent it; ours again from that height unless the counterparty has the preimage. */
  | {
      readonly kind: "maybeTimeoutClaimableHtlc";
      readonly amountSat: Sat;
      readonly claimableHeight: BlockHeight;
      readonly paymentHash: PaymentHash;
      /** A payment of our own, not a forward. */
      readonly outboundPayment: boolean;
    }
  /** Sent to us; ours only if the preimage comes before that height. */
  | {
      readonly kind: "maybePreimageClaimableHtlc";
      readonly amountSat: Sat;
      readonly expiryHeight: BlockHeight;
      readonly paymentHash: PaymentHash;
    }
  /** An output of a revoked commitment that our justice transaction takes. */
  | { readonly kind: "counterpartyRevokedOutputClaimable"; readonly amountSat: Sat };

/**
 * What one balance counts for. A forward's refund counts: its upstream amount is not in this channel.
 * An own payment does not: it is meant to be gone. LDK `Balance::claimable_amount_satoshis`.
 */
export function claimableSat(balance: Balance): Sat {
  switch (balance.kind) {
    case "claimableOnChannelClose": {
      const { candidates, confirmedCandidate } = balance;
      // Index 0 is also what an unconfirmed splice leaves: then the newest attempt counts.
      const counted = confirmedCandidate === 0 ? candidates.at(-1) : candidates[confirmedCandidate];
      return counted?.amountSat ?? sat(0);
    }
    case "claimableAwaitingConfirmations":
    case "contentiousClaimable":
    case "counterpartyRevokedOutputClaimable":
      return balance.amountSat;
    case "maybeTimeoutClaimableHtlc":
      return balance.outboundPayment ? sat(0) : balance.amountSat;
    case "maybePreimageClaimableHtlc":
      return sat(0);
    default:
      return assertNever(balance);
  }
}

export const totalClaimableSat = (balances: readonly Balance[]): Sat =>
  sat(balances.reduce((sum, balance) => sum + claimableSat(balance), 0n));
