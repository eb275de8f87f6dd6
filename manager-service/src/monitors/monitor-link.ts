/**
 * PORT: one monitor, seen from the manager. A link reconnects by itself, opens a session under our
 * epoch, brings the monitor up to date from what the manager stored, and reports what the monitor says
 * only after verifying its signatures. Everything it sends may be sent again; ids make that safe.
 */
import type { BumpItem } from "@farwatch/protocol/bump";
import type { MonitorEvent } from "@farwatch/protocol/event";
import type {
  ChannelId,
  EventId,
  Hash32,
  MonitorKey,
  PaymentHash,
  Preimage,
  SourceKey,
  StoreId,
  Txid,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { Compared, ToldByStore } from "../manager/restart/cursors.js";

/** An accepted update: exact bytes, the same for every monitor and for ever. */
export interface StoredUpdate {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  /** farwatch/update/v1 body. */
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** First state of a channel: farwatch/watch/v1 body and InitialState bytes. */
export interface StoredWatch {
  readonly channelId: ChannelId;
  readonly firstUpdateId: UpdateId;
  readonly watchHash: Hash32;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

/** A verified receipt: everything up to and including updateId is durable on this monitor. */
export interface MonitorReceipt {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly status: "persisted" | "appliedAfterClose";
  readonly eventWatermark: EventId;
  /** farwatch/receipt/v1 body: kept as proof. */
  readonly header: Uint8Array;
}

/** What a preimage record says; the signature around it names the current epoch. */
export interface StoredPreimage {
  readonly channelId: ChannelId;
  readonly paymentHash: PaymentHash;
  readonly preimage: Preimage;
  /** Of the HTLC that revealed it, when known. */
  readonly sourceKey: SourceKey | undefined;
}

export interface EventAck {
  readonly channelId: ChannelId;
  readonly storeId: StoreId;
  readonly eventId: EventId;
  readonly eventHash: Hash32;
}

/** What a node's wallet made of a bump request. */
export interface BumpAnswer {
  readonly channelId: ChannelId;
  readonly claimId: Hash32;
  readonly funded: { readonly kind: "transaction" | "psbt"; readonly bytes: Uint8Array };
}

export type AckResult = "acked" | "alreadyAcked" | "unknown" | "hashMismatch";

export interface LinkIdentity {
  readonly name: string;
  readonly monitorKey: MonitorKey;
}

/** The monitor's answer about one channel, with what we hold under its newest id. */
export type Found = Pick<Compared, "channelId" | "theirs" | "hashAtTheirs" | "told">;

/** What a link needs from, and tells to, the manager's runtime. Promises: wait before going on. */
export interface LinkHost {
  /** Every channel this monitor must hold; asked at each connect. */
  channels(): readonly StoredWatch[];
  /** Newest accepted id of a channel and its hash. */
  head(channelId: ChannelId): { readonly updateId: UpdateId; readonly updateHash: Hash32 };
  /** Stored updates with ids in [from, from + limit), in order. */
  updates(channelId: ChannelId, from: UpdateId, limit: number): Promise<readonly StoredUpdate[]>;
  /** Hash of the update with this id (the genesis hash for first_update_id - 1); undefined: not stored. */
  hashAt(channelId: ChannelId, updateId: UpdateId): Promise<Hash32 | undefined>;
  /** Ack intents to send again after a reconnect. */
  pendingAcks(monitor: LinkIdentity): readonly EventAck[];
  /** Records of channels this monitor must hold that this store has not confirmed; asked at each connect. */
  pendingPreimages(monitor: LinkIdentity, storeId: StoreId): readonly StoredPreimage[];
  /** Records of a channel that this monitor must hold, confirmed or not, but those whose HTLCs are gone. */
  preimagesOf(monitor: LinkIdentity, channelId: ChannelId): readonly StoredPreimage[];
  /** What this store told us so far; asked before the monitor is asked where it stands. */
  toldBy(monitor: LinkIdentity, storeId: StoreId, channelId: ChannelId): ToldByStore;
  /** Judges where the monitor stands, and stores what follows. A refusal: send it nothing. */
  compared(monitor: LinkIdentity, storeId: StoreId, found: Found): Promise<Refusal | undefined>;
  connected(monitor: LinkIdentity, storeId: StoreId): void;
  disconnected(monitor: LinkIdentity, reason: string): void;
  receipts(
    monitor: LinkIdentity,
    storeId: StoreId,
    receipts: readonly MonitorReceipt[],
  ): Promise<void>;
  refused(monitor: LinkIdentity, channelId: ChannelId, updateId: UpdateId, refusal: Refusal): void;
  /** Verified: these records are durable on this store. */
  preimagesStored(
    monitor: LinkIdentity,
    storeId: StoreId,
    records: readonly StoredPreimage[],
  ): Promise<void>;
  /** Kept, and sent again at the next connect. */
  preimageRefused(monitor: LinkIdentity, record: StoredPreimage, refusal: Refusal): void;
  event(monitor: LinkIdentity, storeId: StoreId, event: MonitorEvent): Promise<void>;
  /** Before endOfReplay: everything that is open at this monitor. */
  bump(monitor: LinkIdentity, item: BumpItem): void;
  /** Everything that was un-acked at this connection was recorded before. */
  endOfReplay(monitor: LinkIdentity, replayed: bigint): void;
  acked(
    monitor: LinkIdentity,
    results: readonly { readonly ack: EventAck; readonly result: AckResult }[],
  ): Promise<void>;
  /** The two sides disagree and sending more would make it worse; a person must look. */
  alarm(monitor: LinkIdentity, channelId: ChannelId | undefined, refusal: Refusal): void;
}

export interface LinkStatus {
  readonly connected: boolean;
  readonly storeId: StoreId | undefined;
  readonly tipHeight: number | undefined;
  readonly lastError: string | undefined;
}

/** The monitor's own answer to GetChannel, as far as the merged view shows it. */
export interface MonitorChannelView {
  readonly latestUpdateId: UpdateId;
  readonly latestUpdateHash: Hash32;
  readonly holderCommitmentNumber: bigint;
  readonly counterpartyCommitmentNumber: bigint;
  readonly revokedCommitments: bigint;
  readonly nextEventId: EventId;
  readonly unackedEventIds: readonly EventId[];
  readonly halted: boolean;
  /** The serialized GetChannelResponse, handed on verbatim. */
  readonly wire: Uint8Array;
}

export interface MonitorLink extends LinkIdentity {
  start(host: LinkHost): void;
  /** Sends a first state; the receipt comes back through LinkHost.receipts. */
  watch(watch: StoredWatch): void;
  /** Queues updates; they leave in order, batched under one signature when busy. */
  send(updates: readonly StoredUpdate[]): void;
  /** Sends records at once, whatever else is under way. */
  putPreimages(records: readonly StoredPreimage[]): void;
  ack(acks: readonly EventAck[]): void;
  broadcastHolder(
    channelId: ChannelId,
    reason: string,
    overrideStale: boolean,
  ): Promise<Result<Txid, Refusal>>;
  /** Hands the answer to the monitor, which completes and broadcasts it. Sending it again is safe. */
  signBump(answer: BumpAnswer): Promise<Result<Txid, Refusal>>;
  /** undefined when the monitor cannot be reached. */
  channel(channelId: ChannelId): Promise<MonitorChannelView | undefined>;
  status(): LinkStatus;
  stop(): Promise<void>;
}
