/**
 * MonitorEvents in domain words (contract 2.5; wire: monitor/v1/event.proto). BumpRequest is not an
 * event with an id: it is level-triggered (contract 2.19).
 */
import type { Msat, Sat } from "./amount.js";
import type { BlockDelta, BlockPoint } from "./block.js";
import type { HtlcSource } from "./channel.js";
import type {
  ChannelId,
  CommitmentNumber,
  EventId,
  Hash32,
  HtlcId,
  Outpoint,
  PaymentHash,
  Preimage,
  Txid,
  UpdateId,
} from "./ids.js";
import type { HtlcFailReason } from "./update.js";

export type EventOrigin =
  | { readonly kind: "update"; readonly updateId: UpdateId }
  | { readonly kind: "chain"; readonly txid: Txid; readonly block: BlockPoint }
  | { readonly kind: "command"; readonly command: string }
  | { readonly kind: "block"; readonly block: BlockPoint };

export type HtlcResolution =
  | {
      readonly kind: "claimed";
      readonly preimage: Preimage;
      readonly skimmedFeeMsat: Msat | undefined;
      readonly attributionData: Uint8Array | undefined;
    }
  | { readonly kind: "failed"; readonly reason: HtlcFailReason };

export type FundingSpendKind =
  "mutual" | "holder" | "counterparty" | "counterpartyPrevious" | "revoked" | "unknown";

export type CloseReason =
  | { readonly kind: "nodeRequested"; readonly text: string }
  | { readonly kind: "htlcDeadline"; readonly paymentHash: PaymentHash }
  | { readonly kind: "operator"; readonly text: string }
  /** What had closed the channel was lost in a reorganisation, and another funding confirmed. */
  | { readonly kind: "fundingReplaced" };

export type SpendableOutputKind =
  | { readonly kind: "static" }
  | {
      readonly kind: "delayedPayment";
      readonly perCommitmentPoint: Uint8Array;
      readonly contestDelay: BlockDelta;
      readonly revocationPubkey: Uint8Array;
      readonly channelKeysId: Uint8Array;
    }
  | {
      readonly kind: "staticPayment";
      readonly channelKeysId: Uint8Array;
      readonly csvOne: boolean;
    };

export interface SpendableOutput {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
  readonly scriptPubkey: Uint8Array;
  readonly output: SpendableOutputKind;
}

export type MonitorEventBody =
  | {
      readonly kind: "htlcEvent";
      readonly paymentHash: PaymentHash;
      readonly source: HtlcSource;
      readonly htlcId: HtlcId;
      readonly amountMsat: Msat;
      readonly userChannelId: Uint8Array | undefined;
      readonly resolution: HtlcResolution;
    }
  | {
      readonly kind: "holderForceClosed";
      readonly funding: Outpoint;
      readonly commitmentTxid: Txid;
      readonly reason: CloseReason;
    }
  | {
      readonly kind: "commitmentTxConfirmed";
      readonly txid: Txid;
      readonly spend: FundingSpendKind;
      readonly mutualClose: boolean;
      readonly commitmentNumber: CommitmentNumber | undefined;
    }
  | { readonly kind: "spendableOutputs"; readonly outputs: readonly SpendableOutput[] }
  | { readonly kind: "discardFunding"; readonly funding: Outpoint }
  /** Penalty-only channels: another transaction took what one of ours was to take. */
  | PenaltyOvertaken;

export interface PenaltyOvertaken {
  readonly kind: "penaltyOvertaken";
  readonly commitmentTxid: Txid;
  readonly commitmentNumber: CommitmentNumber;
  readonly outpoint: Outpoint;
  readonly spentBy: Txid;
  /** The node's own wallet was faster; false: the counterparty has the output. */
  readonly byRevocationKey: boolean;
}

/** An event as the monitor core creates it: numbered, not yet sealed. */
export interface NewMonitorEvent {
  readonly eventId: EventId;
  readonly body: MonitorEventBody;
  readonly origin: EventOrigin;
}

/** An event as it is stored and sent: bytes fixed for ever. */
export interface SealedMonitorEvent {
  readonly channelId: ChannelId;
  readonly eventId: EventId;
  /** farwatch/event/v1 body. */
  readonly header: Uint8Array;
  readonly eventHash: Hash32;
  /** Serialized MonitorEventPayload. */
  readonly payload: Uint8Array;
  readonly subjectKey: Hash32;
  readonly createdAtMs: number;
  readonly signature: Uint8Array;
}

/** A sealed event with its payload parsed. */
export interface MonitorEvent extends SealedMonitorEvent {
  readonly body: MonitorEventBody;
  readonly origin: EventOrigin;
}
