/**
 * What the node is told and must handle. Each has a semantic key: the same fact is told once, whatever
 * and however many monitor events caused it (persistent-events 2F; contract section 1).
 */
import type { Msat } from "@farwatch/protocol/amount";
import type { SpendableOutput } from "@farwatch/protocol/event";
import type {
  ChannelId,
  Outpoint,
  PaymentHash,
  PaymentId,
  Preimage,
  SourceKey,
  Txid,
} from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";

export type ClosureReason =
  | "cooperative"
  | "holderForceClosed"
  | "commitmentTxConfirmed"
  | "htlcDeadline"
  | "counterpartyRevokedState"
  | "neverFunded";

export type UserEvent =
  | {
      readonly kind: "paymentSent";
      readonly paymentId: PaymentId;
      readonly paymentHash: PaymentHash;
      readonly preimage: Preimage;
      readonly amountMsat: Msat;
      /** undefined: the payment was never registered, so its total is not known. */
      readonly feePaidMsat: Msat | undefined;
    }
  | {
      readonly kind: "paymentFailed";
      readonly paymentId: PaymentId;
      readonly paymentHash: PaymentHash;
      readonly reason: string;
    }
  | {
      readonly kind: "paymentPathSuccessful";
      readonly paymentId: PaymentId;
      readonly paymentHash: PaymentHash;
      readonly partKey: Uint8Array;
      readonly pathSummary: Uint8Array;
    }
  | {
      readonly kind: "paymentPathFailed";
      readonly paymentId: PaymentId;
      readonly paymentHash: PaymentHash;
      readonly partKey: Uint8Array;
      readonly pathSummary: Uint8Array;
      readonly reason: HtlcFailReason;
    }
  | {
      readonly kind: "channelClosed";
      readonly channelId: ChannelId;
      readonly reason: ClosureReason;
      readonly closingTxid: Txid | undefined;
      readonly text: string;
    }
  | {
      readonly kind: "spendableOutputs";
      readonly channelId: ChannelId;
      readonly outputs: readonly SpendableOutput[];
    }
  | {
      readonly kind: "discardFunding";
      readonly channelId: ChannelId;
      readonly funding: Outpoint;
    }
  | {
      readonly kind: "alarm";
      readonly code: string;
      readonly text: string;
      readonly channelId: ChannelId | undefined;
    };

export const semanticKeys = {
  paymentSent: (id: PaymentId): string => `payment-sent/${id}`,
  paymentFailed: (id: PaymentId): string => `payment-failed/${id}`,
  pathSuccessful: (key: SourceKey): string => `payment-path-successful/${key}`,
  pathFailed: (key: SourceKey): string => `payment-path-failed/${key}`,
  channelClosed: (id: ChannelId): string => `channel-closed/${id}`,
  spendable: (subjectKey: string): string => `spendable-outputs/${subjectKey}`,
  discard: (subjectKey: string): string => `discard-funding/${subjectKey}`,
  alarm: (code: string, about: string): string => `alarm/${code}/${about}`,
};
