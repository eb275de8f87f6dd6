/**
 * What the node is told and must handle. Each has a semantic key: the same fact is told once, whatever
 * and however many monitor events caused it (persistent-events 2F; contract section 1).
 */
import type { Msat } from "@farwatch/protocol/amount";
import type { EventOrigin, MonitorEventBody, SpendableOutput } from "@farwatch/protocol/event";
import type {
  ChannelId,
  EventId,
  Hash32,
  HtlcId,
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
  | "neverFunded"
  /** A node that was behind asked for the close: its own state was revoked. */
  | "outdatedNode";

/** One HTLC of a forward, named by its channel and its id there. */
export interface HtlcLocator {
  readonly channelId: ChannelId;
  readonly htlcId: HtlcId | undefined;
  readonly amountMsat: Msat;
  readonly userChannelId: Uint8Array | undefined;
}

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
  /** A part of a probe came back; the node reads the reason and answers PROBE_OK or PROBE_FAILED. */
  | ({
      readonly kind: "probeResult";
      readonly sourceKey: SourceKey;
      readonly reason: HtlcFailReason;
    } & ProbePart)
  | ({ readonly kind: "probeSuccessful" } & ProbePart)
  | ({ readonly kind: "probeFailed" } & ProbePart)
  | {
      readonly kind: "paymentForwarded";
      readonly prev: readonly HtlcLocator[];
      readonly next: readonly HtlcLocator[];
      readonly totalFeeMsat: Msat;
      readonly skimmedFeeMsat: Msat | undefined;
      readonly claimFromOnchain: boolean;
    }
  | {
      readonly kind: "htlcHandlingFailed";
      readonly prev: readonly HtlcLocator[];
      readonly reason: HtlcFailReason;
    }
  | {
      readonly kind: "forwardLost";
      readonly prev: HtlcLocator;
      readonly next: HtlcLocator;
      readonly amountMsat: Msat;
    }
  | {
      readonly kind: "paymentClaimed";
      readonly paymentHash: PaymentHash;
      readonly amountMsat: Msat;
    }
  | {
      readonly kind: "alarm";
      readonly code: string;
      readonly text: string;
      readonly channelId: ChannelId | undefined;
    };

export interface ProbePart {
  readonly paymentId: PaymentId;
  readonly paymentHash: PaymentHash;
  readonly partKey: Uint8Array;
  readonly pathSummary: Uint8Array;
}

/** What the node must do; wanted until rows say that it is done (contract section 1, "Commands"). */
export type NodeCommand =
  | {
      readonly kind: "claimInbound";
      readonly channelId: ChannelId;
      readonly htlcId: HtlcId;
      readonly preimage: Preimage;
      readonly attributionData?: Uint8Array | undefined;
    }
  | {
      readonly kind: "failInbound";
      readonly channelId: ChannelId;
      readonly htlcId: HtlcId;
      readonly reason: HtlcFailReason;
    }
  | {
      readonly kind: "closeChannel";
      readonly channelId: ChannelId;
      readonly reason: ClosureReason;
    };

/** A monitor's event, handed on in roles NODE_RESOLVES and OBSERVE. */
export interface RelayedEvent {
  readonly kind: "monitorEvent";
  readonly channelId: ChannelId;
  readonly eventId: EventId;
  readonly eventHash: Hash32;
  readonly body: MonitorEventBody;
  readonly origin: EventOrigin;
  readonly createdAtMs: number;
}

export type ItemContent = UserEvent | NodeCommand | RelayedEvent;

export const isCommand = (content: ItemContent): content is NodeCommand =>
  content.kind === "claimInbound" ||
  content.kind === "failInbound" ||
  content.kind === "closeChannel";

export const semanticKeys = {
  paymentSent: (id: PaymentId): string => `payment-sent/${id}`,
  paymentFailed: (id: PaymentId): string => `payment-failed/${id}`,
  pathSuccessful: (key: SourceKey): string => `payment-path-successful/${key}`,
  pathFailed: (key: SourceKey): string => `payment-path-failed/${key}`,
  channelClosed: (id: ChannelId): string => `channel-closed/${id}`,
  spendable: (subjectKey: string): string => `spendable-outputs/${subjectKey}`,
  discard: (subjectKey: string): string => `discard-funding/${subjectKey}`,
  probeResult: (key: SourceKey): string => `probe-result/${key}`,
  probeOutcome: (key: SourceKey): string => `probe-outcome/${key}`,
  forwarded: (forwardKey: string): string => `payment-forwarded/${forwardKey}`,
  handlingFailed: (forwardKey: string): string => `htlc-handling-failed/${forwardKey}`,
  forwardLost: (inboundKey: string): string => `forward-lost/${inboundKey}`,
  paymentClaimed: (claimKey: string): string => `payment-claimed/${claimKey}`,
  claimInbound: (inboundKey: string): string => `claim-inbound/${inboundKey}`,
  failInbound: (inboundKey: string): string => `fail-inbound/${inboundKey}`,
  closeChannel: (id: ChannelId): string => `close-channel/${id}`,
  monitorEvent: (subjectKey: string, what: string): string => `monitor-event/${subjectKey}/${what}`,
  alarm: (code: string, about: string): string => `alarm/${code}/${about}`,
};
