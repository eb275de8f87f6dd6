/** Everything that can happen to the manager. */
import type { HtlcSource, InitialState, PenaltyOnlyChannel } from "@farwatch/protocol/channel";
import type { EventOrigin, MonitorEventBody } from "@farwatch/protocol/event";
import type { Msat } from "@farwatch/protocol/amount";
import type {
  ChannelId,
  EventId,
  Hash32,
  ManagerKey,
  MonitorKey,
  PaymentHash,
  PaymentId,
  Preimage,
  SourceKey,
  StoreId,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { PayloadType } from "@farwatch/protocol/envelope/update";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { Compared } from "./restart/cursors.js";
import type { ClaimPart, Role, UpdateRow } from "./rows.js";

/** What a step may know besides rows and input. */
export interface Context {
  readonly managerKey: ManagerKey;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  /** For createdAtMs, and for the one rule with a time limit (claims/, CLAIM_PATIENCE_MS). */
  readonly nowMs: number;
  /** Does a per-commitment secret open this point (BOLT 3)? */
  readonly opensPoint: (secret: Uint8Array, point: Uint8Array) => boolean;
}

/** What a node says of one of its channels when it opens a session. */
export interface NodeChannel {
  readonly channelId: ChannelId;
  readonly lastUpdateId: UpdateId;
  readonly holderNumber: bigint;
  readonly counterpartyNumber: bigint;
  readonly revokedCommitments: bigint;
}

export type DoneAnswer =
  | { readonly kind: "handled" }
  | { readonly kind: "retrying" }
  | { readonly kind: "abandon"; readonly reason: string }
  /** Answers probeResult. */
  | { readonly kind: "probe"; readonly succeeded: boolean }
  /** Answers a command. */
  | { readonly kind: "command"; readonly result: CommandResult };

/** What the node did about a command (contract section 1). */
export type CommandResult = "sent" | "queued" | "alreadyRemoving" | "notFound" | "channelClosed";

/** A receipt whose signature and update hash were verified. */
export interface VerifiedReceipt {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly afterClose: boolean;
  readonly watermark: EventId;
  readonly proof: Uint8Array;
}

export type ManagerInput =
  | {
      readonly kind: "watchOffered";
      readonly nodeKey: string;
      readonly initial: InitialState;
      readonly firstUpdateId: UpdateId;
      readonly payload: Uint8Array;
      /** SHA-256 of the ChannelMonitor that an LDK node gave; undefined: it gave the state in our words. */
      readonly ldkMonitorHash?: Hash32 | undefined;
      readonly requiredMonitors: readonly MonitorKey[];
      readonly setNo: number;
    }
  | {
      readonly kind: "penaltyWatchOffered";
      readonly nodeKey: string;
      readonly channel: PenaltyOnlyChannel;
      readonly firstUpdateId: UpdateId;
      readonly payload: Uint8Array;
      readonly requiredMonitors: readonly MonitorKey[];
      readonly setNo: number;
    }
  | {
      readonly kind: "updateOffered";
      readonly nodeKey: string;
      readonly channelId: ChannelId;
      readonly updateId: UpdateId;
      readonly payload: Uint8Array;
      /** Default: typedSteps. */
      readonly payloadType?: PayloadType | undefined;
      readonly steps: readonly UpdateStep[];
      /** What is stored under this id; looked up for ids at or below the head. */
      readonly stored: UpdateRow | undefined;
    }
  | {
      /** LDK's ChannelMonitor as its node rebuilt it. */
      readonly kind: "checkpointOffered";
      readonly nodeKey: string;
      readonly channelId: ChannelId;
      readonly updateId: UpdateId;
      readonly monitor: Uint8Array;
      /** What the monitor itself says it is of. */
      readonly named: { readonly channelId: ChannelId; readonly updateId: bigint };
    }
  | {
      readonly kind: "receiptsStored";
      readonly monitorKey: MonitorKey;
      readonly storeId: StoreId;
      readonly receipts: readonly VerifiedReceipt[];
    }
  /** A monitor said where it stands, before anything else is exchanged on the channel. */
  | ({ readonly kind: "channelCompared" } & Compared)
  | {
      /** A monitor will never take an accepted update. */
      readonly kind: "updateRefused";
      readonly monitorName: string;
      readonly channelId: ChannelId;
      readonly updateId: UpdateId;
      readonly refusal: Refusal;
    }
  | {
      readonly kind: "monitorEvent";
      readonly monitorKey: MonitorKey;
      readonly storeId: StoreId;
      readonly channelId: ChannelId;
      readonly eventId: EventId;
      readonly eventHash: Hash32;
      readonly subjectKey: Hash32;
      readonly body: MonitorEventBody;
      readonly origin: EventOrigin;
      readonly createdAtMs: number;
    }
  | {
      readonly kind: "acksConfirmed";
      /** Inbox keys of events the monitor no longer holds. */
      readonly inboxKeys: readonly string[];
    }
  | {
      readonly kind: "paymentRegistered";
      readonly nodeKey: string;
      readonly paymentId: PaymentId;
      readonly paymentHash: PaymentHash;
      readonly totalMsat: Msat;
      readonly isProbe: boolean;
    }
  | {
      readonly kind: "paymentClosed";
      readonly nodeKey: string;
      readonly paymentId: PaymentId;
      readonly reason: string;
    }
  | {
      readonly kind: "htlcNotSent";
      readonly nodeKey: string;
      readonly channelId: ChannelId;
      readonly source: HtlcSource;
      readonly paymentHash: PaymentHash;
    }
  | {
      /** ClaimPayment: the payee claims every part of a payment. */
      readonly kind: "claimRequested";
      readonly nodeKey: string;
      readonly paymentHash: PaymentHash;
      readonly preimage: Preimage;
      readonly parts: readonly ClaimPart[];
    }
  | {
      /** Fast path (R14): update_fulfill_htlc arrived, no commitment removes the HTLC yet. */
      readonly kind: "htlcFulfilled";
      readonly nodeKey: string;
      readonly channelId: ChannelId;
      readonly sourceKey: SourceKey;
      readonly preimage: Preimage;
      /** What an intercepted forward kept beyond its fee; undefined: nothing, or not known. */
      readonly skimmedFeeMsat: Msat | undefined;
      /** As update_fulfill_htlc carried it. */
      readonly attributionData?: Uint8Array | undefined;
    }
  | {
      /** One monitor said that these preimage records are durable. */
      readonly kind: "preimagesStored";
      readonly monitorKey: MonitorKey;
      readonly storeId: StoreId;
      readonly records: readonly {
        readonly channelId: ChannelId;
        readonly paymentHash: PaymentHash;
      }[];
    }
  | {
      /** The shell's slow clock: rules with a time limit look at Context.nowMs. */
      readonly kind: "timePassed";
    }
  | {
      readonly kind: "itemsDone";
      readonly nodeKey: string;
      readonly items: readonly { readonly itemId: bigint; readonly answer: DoneAnswer }[];
    }
  | {
      readonly kind: "sessionOpened";
      readonly nodeKey: string;
      readonly role: Role;
      readonly nodeEpoch: bigint;
      /** Used when the epoch is new. */
      readonly newSessionId: string;
      /** An LDK node may not know commitment numbers, nor name every channel. */
      readonly isLdk?: boolean | undefined;
      readonly channels: readonly NodeChannel[];
    }
  | {
      readonly kind: "alarmRaised";
      readonly code: string;
      readonly about: string;
      readonly text: string;
      readonly channelId: ChannelId | undefined;
    };
