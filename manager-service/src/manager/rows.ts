/**
 * The manager's durable rows. Everything it knows is here; memory holds nothing that a restart would
 * miss. Rows are immutable: a change is a new row under the same key.
 */
import type { Msat } from "@farwatch/protocol/amount";
import type { MonitorEventBody, EventOrigin } from "@farwatch/protocol/event";
import type { BlockHeight } from "@farwatch/protocol/block";
import type { InboundHtlc } from "@farwatch/protocol/channel";
import type {
  ChannelId,
  EventId,
  Hash32,
  HtlcId,
  MonitorKey,
  Outpoint,
  PaymentHash,
  PaymentId,
  Preimage,
  SourceKey,
  StoreId,
  Txid,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { ClosureReason, ItemContent } from "./user-event.js";

/**
 * Who turns monitor events into claims and fails (contract section 1). Chosen per node when it opens its
 * first session, stored per channel, never mixed.
 */
export type Role = "managerResolves" | "nodeResolves" | "observe";

/** An outbound HTLC of an accepted counterparty commitment. */
export interface OutboundRef {
  readonly sourceKey: SourceKey;
  readonly paymentHash: PaymentHash;
}

/** An inbound HTLC of an accepted counterparty commitment. */
export interface InboundRef {
  readonly htlcId: HtlcId;
  readonly paymentHash: PaymentHash;
  readonly amountMsat: Msat;
  readonly cltvExpiry: BlockHeight;
}

/** What is kept of a counterparty commitment that is not revoked yet. */
export interface CounterpartyView {
  readonly number: number;
  readonly point: Uint8Array;
  readonly outbound: readonly OutboundRef[];
  readonly inbound: readonly InboundRef[];
}

/** What the node was told last: cumulative (contract section 1). */
export interface Completion {
  readonly updateId: UpdateId;
  readonly eventWatermark: EventId;
  /** Applied after the channel started to close: release nothing. */
  readonly closed: boolean;
  /** Highest item that had been given to an event of the channel by then; undefined: none, or not known. */
  readonly itemWatermark?: bigint | undefined;
}

/** The newest update of the monitor that is ahead: the one at which we have caught up. */
export interface BehindGoal {
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
}
export interface BehindMonitor {
  readonly monitorName: string;
  /** undefined: no update is missing, or not any more. */
  readonly goal: BehindGoal | undefined;
  /** Acked by a newer copy of these rows, and recorded only there. */
  readonly missingEvents: bigint;
  /** Of the alarm that told it. */
  readonly alarmKey: string;
}

export interface ChannelRow {
  readonly channelId: ChannelId;
  /** Short name of the channel in update keys. */
  readonly channelNo: number;
  readonly nodeKey: string;
  readonly role: Role;
  /**
   * Watched with LDK's ChannelMonitor: every update is LDK's own bytes. LDK writes no HTLC ids, so what stands
   * in commitments under htlcId was made up (proto ldk/convert/commitment.ts).
   */
  readonly dialect?: "ldk" | undefined;
  /** Of which only penalty transactions are held (ADR M-18); undefined: a channel with keys. */
  readonly penaltyOnly?: true | undefined;
  readonly chainHash: string;
  /** The node's own name of it, if it has one. */
  readonly userChannelId: Uint8Array | undefined;
  /** As watched: names the channel in signed headers, whatever is spliced. */
  readonly funding: Outpoint;
  /** Transactions of its splices, locked or not. */
  readonly spliceTxids: readonly Txid[];
  readonly requiredMonitors: readonly MonitorKey[];
  readonly setNo: number;
  readonly firstUpdateId: UpdateId;
  /** prev_hash of the first update. */
  readonly genesisHash: Hash32;
  /** One below firstUpdateId while there is no update. */
  readonly acceptedId: UpdateId;
  readonly headHash: Hash32;
  readonly holderNumber: number;
  readonly counterparty: CounterpartyView;
  /** Set from a new counterparty commitment until the secret of this one arrives. */
  readonly counterpartyPrevious: CounterpartyView | undefined;
  readonly revokedCommitments: number;
  /** ChannelForceClosed was accepted: only preimages may follow (contract 2.4). */
  readonly lockedDown: boolean;
  readonly completed: Completion | undefined;
  /** Newest item that hands an event of the channel on to its node. */
  readonly relayedUpTo?: bigint | undefined;
  /** Updates at which a checkpoint of LDK's monitor is stored, by falling id. */
  readonly checkpoints?: readonly UpdateId[] | undefined;
  /** Why nothing more is accepted; a person must look. */
  readonly frozen: string | undefined;
  /** A monitor has what these rows never had: they are an older copy (restart/channel-compared.ts). */
  readonly behindMonitor?: BehindMonitor | undefined;
  readonly closed: ClosureReason | undefined;
}

/** The exact bytes of WatchChannel; sent again to a monitor that does not know the channel. */
export interface WatchRow {
  readonly channelId: ChannelId;
  readonly firstUpdateId: UpdateId;
  readonly watchHash: Hash32;
  /** farwatch/watch/v1 body. */
  readonly header: Uint8Array;
  /** Serialized InitialState. */
  readonly payload: Uint8Array;
  /** SHA-256 of the ChannelMonitor of LDK that it was made of. */
  readonly ldkMonitorHash?: Hash32 | undefined;
}

/** Newest verified receipt of one monitor for one channel, and how far its events are recorded. */
export interface ReceiptRow {
  readonly monitorKey: MonitorKey;
  readonly channelId: ChannelId;
  readonly storeId: StoreId;
  readonly updateId: UpdateId | undefined;
  readonly updateHash: Hash32 | undefined;
  readonly afterClose: boolean;
  readonly watermark: EventId;
  readonly recordedEventId: EventId;
  /** Ids in (after, upTo] were acked by a newer copy of these rows: they never come. */
  readonly ackedElsewhere?: { readonly after: EventId; readonly upTo: EventId } | undefined;
  /** farwatch/receipt/v1 body. */
  readonly proof: Uint8Array | undefined;
}

export interface InboxRow {
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly channelId: ChannelId;
  readonly eventId: EventId;
  readonly eventHash: Hash32;
  readonly subjectKey: Hash32;
  readonly body: MonitorEventBody;
  readonly origin: EventOrigin;
  readonly createdAtMs: number;
  /** Another monitor's event with the same subject came first (contract 2.10). */
  readonly joined: boolean;
  /**
   * held: a fail whose update is not durable everywhere yet. waiting: processed, the ack waits for the
   * items in waitsFor. ackable: an ack intent is stored. stuck: cannot be processed, kept un-acked.
   * The row is deleted when the monitor confirmed the ack.
   */
  readonly state: "held" | "waiting" | "ackable" | "stuck";
  /** Semantic keys of items that, if they exist, must be handled before the ack. */
  readonly waitsFor: readonly string[];
}

export interface PaymentRow {
  readonly paymentId: PaymentId;
  readonly paymentHash: PaymentHash;
  /** undefined: known from a part only, RegisterPayment never named it. */
  readonly totalMsat: Msat | undefined;
  readonly nodeKey: string;
  readonly state: "pending" | "sent" | "failed";
  /** Set by ClosePayment or an ABANDON answer: no more parts will come. */
  readonly closedReason: string | undefined;
  readonly preimage: Preimage | undefined;
  /** Never told as sent or failed: each part has a result of its own. */
  readonly isProbe: boolean;
}

export interface PartRow {
  readonly sourceKey: SourceKey;
  readonly paymentId: PaymentId;
  readonly partKey: Uint8Array;
  readonly pathSummary: Uint8Array;
  readonly channelId: ChannelId;
  readonly amountMsat: Msat;
  /**
   * notSent: HtlcNotSent; its HTLC may never enter a commitment. refunded: the peer showed the preimage
   * (HtlcFulfilled) and failed the HTLC all the same; the payment is sent, this path was not paid.
   */
  readonly state: "alive" | "claimed" | "failed" | "notSent" | "refunded";
}

/**
 * A preimage of an HTLC on this channel, learnt outside the numbered chain or on its way in it: a preimage
 * record (contract 2.1), sent to every required monitor until each said that it is durable.
 */
export interface PreimageRow {
  readonly channelId: ChannelId;
  readonly paymentHash: PaymentHash;
  readonly preimage: Preimage;
  /** Of the HTLC that revealed it; undefined: it came in a step, which names no HTLC. */
  readonly sourceKey: SourceKey | undefined;
  /** Stores that have it; a monitor with a new store gets it again. */
  readonly durableOn: readonly { readonly monitorKey: MonitorKey; readonly storeId: StoreId }[];
  readonly createdAtMs: number;
}

/**
 * What becomes of an inbound HTLC. A claim replaces a fail as long as the node has not sent the fail
 * (contract section 1, "Commands").
 */
export type InboundDecision =
  | {
      readonly kind: "claim";
      readonly preimage: Preimage;
      /** As the peer downstream gave it; the node adds its own hold time and wraps it. */
      readonly attributionData?: Uint8Array | undefined;
    }
  | { readonly kind: "fail"; readonly reason: HtlcFailReason };

/** An inbound HTLC that a forward or ClaimPayment named; key: channel and htlc id. */
export interface InboundRow {
  readonly channelId: ChannelId;
  readonly htlcId: HtlcId;
  readonly nodeKey: string;
  readonly paymentHash: PaymentHash;
  readonly amountMsat: Msat;
  readonly userChannelId: Uint8Array | undefined;
  readonly decision: InboundDecision | undefined;
  /** A fail command was told: until the node says more, the peer may have update_fail. */
  readonly failTold: boolean;
  /** The node said that the peer has update_fail: only the end of the channel can make a claim of it. */
  readonly failSent: boolean;
  /** The node said that the claim is sent or queued. */
  readonly claimTaken: boolean;
  /** Accepted update after which no un-revoked counterparty commitment has it. */
  readonly removedBy: UpdateId | undefined;
  /** Removed by a fail, or never ours, before its preimage was known: it cannot be claimed any more. */
  readonly lost: boolean;
  /** The decision is carried out for good: see inbound-htlcs.ts, isSettled. */
  readonly settled: boolean;
}

/**
 * One forward: one inbound HTLC, or several for a trampoline. Key: its smallest inbound HTLC and the
 * payment hash (LDK: ForwardClaimId).
 */
export interface ForwardRow {
  readonly forwardKey: string;
  readonly nodeKey: string;
  readonly kind: "forward" | "trampoline";
  readonly paymentHash: PaymentHash;
  readonly inbound: readonly InboundHtlc[];
  readonly intercepted: boolean;
  readonly state: "pending" | "claimed" | "failed";
  readonly preimage: Preimage | undefined;
  /** Of the first claim: where the preimage was learnt (G22), and what the peer was left with. */
  readonly claimFromOnchain: boolean;
  readonly skimmedFeeMsat: Msat | undefined;
}

/** One outbound HTLC of a forward; key: source key. */
export interface LegRow {
  readonly sourceKey: SourceKey;
  readonly forwardKey: string;
  readonly channelId: ChannelId;
  readonly htlcId: HtlcId | undefined;
  readonly amountMsat: Msat;
  readonly userChannelId: Uint8Array | undefined;
  readonly state: "alive" | "claimed" | "failed" | "notSent";
}

/** ClaimPayment: we are the payee. Key: node key, payment hash, smallest part. */
export interface ClaimRow {
  readonly nodeKey: string;
  readonly paymentHash: PaymentHash;
  readonly preimage: Preimage;
  readonly parts: readonly ClaimPart[];
  readonly createdAtMs: number;
  /** told: PaymentClaimed was told. */
  readonly told: boolean;
}
export interface ClaimPart {
  readonly channelId: ChannelId;
  readonly htlcId: HtlcId;
  readonly amountMsat: Msat;
}

/** Something the node must handle (an event) or do (a command, derived from rows: contract section 1). */
export interface ItemRow {
  readonly itemId: bigint;
  readonly nodeKey: string;
  readonly semanticKey: string;
  readonly event: ItemContent;
  readonly createdAtMs: number;
  /** Of a command: what it asks for is durable, or no longer wanted. */
  readonly handled: boolean;
  /** Session in which the node answered a command: it is not re-sent inside that one. */
  readonly answeredIn?: string | undefined;
}

/** An ack that must reach the monitor; deleted when the monitor confirmed it. */
export interface AckRow {
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly channelId: ChannelId;
  readonly eventId: EventId;
  readonly eventHash: Hash32;
  readonly joined: boolean;
}

export interface SessionRow {
  readonly nodeKey: string;
  readonly role: Role;
  readonly nodeEpoch: bigint;
  readonly sessionId: string;
  /** Channels on which this node is behind, and by how many updates. */
  readonly behind: Readonly<Record<ChannelId, bigint>>;
  /** Channels on which this node is ahead, and its newest update. */
  readonly ahead?: Readonly<Record<ChannelId, bigint>> | undefined;
}

export interface MetaRow {
  readonly nextItemId: bigint;
  readonly nextChannelNo: number;
}

/** Only on disk; read by range when a monitor must be brought up to date. */
export interface UpdateRow {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  /** farwatch/update/v1 body. */
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** Digits of 2^64; keys of one table sort like the numbers in them. */
const ID_DIGITS = 20;
/** Digits of 2^32. */
const NUMBER_DIGITS = 10;
const padded = (id: bigint): string => id.toString().padStart(ID_DIGITS, "0");

export const rowKeys = {
  /** Of a checkpoint too. */
  update: (channelNo: number, id: bigint): string =>
    `${channelNo.toString().padStart(NUMBER_DIGITS, "0")}/${padded(id)}`,
  receipt: (monitor: MonitorKey, channelId: ChannelId): string => `${monitor}/${channelId}`,
  inbox: (row: Pick<InboxRow, "monitorKey" | "storeId" | "channelId" | "eventId">): string =>
    `${row.monitorKey}/${row.storeId}/${row.channelId}/${padded(row.eventId)}`,
  preimage: (row: Pick<PreimageRow, "channelId" | "paymentHash">): string =>
    `${row.channelId}/${row.paymentHash}`,
  inbound: (row: Pick<InboundRow, "channelId" | "htlcId">): string =>
    `${row.channelId}/${padded(BigInt(row.htlcId))}`,
  /** undefined: a claim without parts, which there is not. */
  claim: (row: Pick<ClaimRow, "nodeKey" | "paymentHash" | "parts">): string | undefined => {
    const [smallest] = row.parts.map((part) => rowKeys.inbound(part)).sort();
    return smallest === undefined ? undefined : `${row.nodeKey}/${row.paymentHash}/${smallest}`;
  },
  item: padded,
};

export const META_KEY = "manager";
export const FIRST_META: MetaRow = { nextItemId: 1n, nextChannelNo: 1 };
