/**
 * The steps of a ChannelMonitorUpdate, in domain words (wire: monitor/v1/update.proto; LDK
 * `ChannelMonitorUpdateStep`). Steps of one update apply in order, all or none.
 */
import type {
  CounterpartyCommitment,
  HolderCommitment,
  NegotiatedFunding,
  PendingCommitment,
} from "./channel.js";
import type { CommitmentNumber, PerCommitmentSecret, Preimage, SourceKey, Txid } from "./ids.js";
import type { Msat } from "./amount.js";
import type { FailedHtlc } from "./htlc-failure.js";

export type { FailedHtlc, HtlcFailKind, HtlcFailReason } from "./htlc-failure.js";

export interface ClaimedHtlc {
  readonly sourceKey: SourceKey;
  readonly preimage: Preimage;
  readonly skimmedFeeMsat: Msat | undefined;
  readonly attributionData: Uint8Array | undefined;
}

export type UpdateStep =
  | {
      readonly kind: "latestHolderCommitment";
      /** On the locked funding. */
      readonly commitment: HolderCommitment;
      /** One per pending funding, in the order the fundings were negotiated. */
      readonly pending: readonly PendingCommitment<HolderCommitment>[];
      readonly claimed: readonly ClaimedHtlc[];
      readonly failed: readonly FailedHtlc[];
    }
  | {
      readonly kind: "latestCounterpartyCommitment";
      readonly commitment: CounterpartyCommitment;
      readonly pending: readonly PendingCommitment<CounterpartyCommitment>[];
    }
  | {
      readonly kind: "paymentPreimage";
      readonly preimage: Preimage;
      readonly paymentInfo: Uint8Array | undefined;
    }
  | {
      readonly kind: "commitmentSecret";
      readonly commitmentNumber: CommitmentNumber;
      readonly secret: PerCommitmentSecret;
    }
  | {
      readonly kind: "channelForceClosed";
      readonly shouldBroadcast: boolean;
      readonly reason: string;
    }
  | { readonly kind: "shutdownScript"; readonly scriptPubkey: Uint8Array }
  /** A splice, or a fee bump of one: another funding is pending. */
  | ({ readonly kind: "renegotiatedFunding" } & NegotiatedFunding)
  | { readonly kind: "renegotiatedFundingLocked"; readonly fundingTxid: Txid }
  /** Of LDK nodes; has no effect here (contract 2.13). */
  | { readonly kind: "ldkReleasePaymentComplete"; readonly sourceKey: SourceKey }
  /** Of penalty-only channels: a revoked commitment, and a signed transaction that spends it. */
  | PenaltyTransactionStep;

export interface PenaltyTransactionStep {
  readonly kind: "penaltyTransaction";
  readonly commitmentTxid: Txid;
  readonly commitmentNumber: CommitmentNumber;
  /** Serialized, with witness. */
  readonly transaction: Uint8Array;
}

/** Reason of the last step of a channel whose funding never confirmed (contract 2.16). */
export const NEVER_FUNDED_REASON = "never_funded";

/**
 * Steps that a channel still takes after ChannelForceClosed, as LDK does (`update_monitor`): preimages, the
 * end of a payment, a penalty (ADR M-18), and the same once more, which changes nothing (ADR M-16). Both services go by it.
 */
export const isTakenAfterForceClose = ({ kind }: UpdateStep): boolean =>
  kind === "paymentPreimage" ||
  kind === "ldkReleasePaymentComplete" ||
  kind === "penaltyTransaction" ||
  kind === "channelForceClosed";

/** Names for GetInfo.supported_steps. */
export const SUPPORTED_STEPS: readonly UpdateStep["kind"][] = [
  "latestHolderCommitment",
  "latestCounterpartyCommitment",
  "paymentPreimage",
  "commitmentSecret",
  "channelForceClosed",
  "shutdownScript",
  "renegotiatedFunding",
  "renegotiatedFundingLocked",
  "ldkReleasePaymentComplete",
  "penaltyTransaction",
];
