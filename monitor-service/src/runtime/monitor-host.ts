/**
 * What the RPC layer may ask of the shell. Everything that answers with a promise answers only after
 * the commit that justifies the answer. Domain types only; rpc/ converts.
 */
import type { FeeratePerKw, Sat } from "@farwatch/protocol/amount";
import type { BlockHeight, BlockPoint } from "@farwatch/protocol/block";
import type { BumpItem } from "@farwatch/protocol/bump";
import type { SealedMonitorEvent } from "@farwatch/protocol/event";
import type {
  ChannelId,
  CommitmentNumber,
  EventId,
  Hash32,
  ManagerKey,
  MonitorKey,
  Outpoint,
  PaymentHash,
  StoreId,
  Txid,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { Archival } from "../monitor/archival.js";
import type { BumpRequest, HtlcToBump } from "../monitor/effect.js";
import type { PenaltyState } from "../monitor/penalty/state.js";
import type { Claim, ClaimInput, MonitorState, OwnOutput } from "../monitor/state.js";
import type { CounterpartyTx, Justice } from "../monitor/watchtower.js";

/** Who calls, taken from the client certificate, never from a message. */
export interface Principal {
  readonly name: string;
  readonly managerKey: ManagerKey;
  /** May call admin RPCs. */
  readonly admin: boolean;
}

/** Exact bytes as received; verified before they are parsed. */
export interface SignedHeader {
  readonly header: Uint8Array;
  readonly signature: Uint8Array;
}
export interface SignedPayload {
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}
export interface UpdateBatch extends SignedHeader {
  readonly updates: readonly SignedPayload[];
}
export interface WatchRequest {
  /** farwatch/update-batch/v1 with one hash: that of the watch header. */
  readonly batch: SignedHeader;
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
}

export type ReceiptStatus = "persisted" | "appliedAfterClose";

export interface UpdateReceipt {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  readonly updateHash: Hash32;
  readonly status: ReceiptStatus;
  readonly eventWatermark: EventId;
  /** farwatch/receipt/v1 body. */
  readonly header: Uint8Array;
}
export interface SignedReceipts extends SignedHeader {
  readonly receipts: readonly UpdateReceipt[];
}
export interface RefusedUpdate {
  readonly channelId: ChannelId | undefined;
  readonly updateId: UpdateId | undefined;
  readonly refusal: Refusal;
}
export interface SubmitOutcome {
  readonly receipts: SignedReceipts | undefined;
  readonly refused: readonly RefusedUpdate[];
}

export interface SessionOpened {
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly storeGen: bigint;
  readonly epoch: bigint;
}

export interface PreimageBatch extends SignedHeader {
  readonly records: readonly { readonly header: Uint8Array; readonly preimage: Uint8Array }[];
}
export interface PreimageOutcome {
  readonly channelId: ChannelId | undefined;
  readonly paymentHash: PaymentHash | undefined;
  /** undefined: durable. */
  readonly refusal: Refusal | undefined;
}
export interface StoredPreimages {
  /** In the order of the records. */
  readonly outcomes: readonly PreimageOutcome[];
  /** farwatch/receipt-batch/v1 over the hashes of the durable records; undefined when none is. */
  readonly receipt: SignedHeader | undefined;
}

/** "kept": the channel is unreadable or halted, and what it holds cannot be judged. */
export type AckResult = "acked" | "alreadyAcked" | "unknown" | "hashMismatch" | "kept";

export interface AckBatch extends SignedHeader {
  readonly acks: readonly Uint8Array[];
}

/** An output that we claim, until its spend is 6 deep. */
export interface OpenClaim {
  readonly outpoint: Outpoint;
  readonly kind: ClaimInput["kind"] | HtlcToBump["role"];
  readonly valueSat: Sat;
  /** Out for it now. */
  readonly txid: Txid | undefined;
  readonly feeratePerKw: FeeratePerKw | undefined;
  /** undefined: a second stage of our commitment. */
  readonly claim: Claim | undefined;
  readonly notBefore: BlockHeight;
  readonly deadline: BlockHeight | undefined;
  /** By a transaction that is not final. */
  readonly spent: boolean;
}

/** A transaction of ours for which a wallet pays. */
export interface OpenBump {
  readonly claimId: Hash32;
  readonly kind: BumpRequest["kind"];
  readonly outpoints: readonly Outpoint[];
  readonly targetFeerate: FeeratePerKw;
  readonly maxFeeSat: Sat;
  readonly nextBumpAt: BlockHeight | undefined;
}

/** A consistent look at one channel. Pending ids are those un-acked now. */
export interface ChannelView {
  readonly state: MonitorState;
  readonly halted: boolean;
  readonly archivedAt: BlockHeight | undefined;
  /** Of one that is not archived. */
  readonly archival: Archival;
  readonly pendingEventIds: readonly EventId[];
  readonly openClaims: readonly OpenClaim[];
  readonly openBumps: readonly OpenBump[];
  readonly ownOutputs: readonly (Pick<OwnOutput, "matureAt" | "spend"> & {
    readonly outpoint: Outpoint;
    readonly kind: string;
    readonly valueSat: bigint;
    /** Newest version of the monitor's own sweep. */
    readonly sweptBy: Txid | undefined;
  })[];
}

/** The same of a penalty-only channel. */
export interface PenaltyView extends Pick<
  ChannelView,
  "halted" | "archivedAt" | "archival" | "pendingEventIds"
> {
  readonly penalty: PenaltyState;
}

export type AnyView = ChannelView | PenaltyView;

/** Which commitment of the counterparty. */
export type CommitmentName =
  | { readonly by: "number"; readonly number: CommitmentNumber }
  | { readonly by: "txid"; readonly txid: Txid }
  /** Those that this update carried. */
  | { readonly by: "update"; readonly updateId: UpdateId };

export interface JusticeCall {
  readonly channelId: ChannelId;
  readonly commitment: CommitmentName;
  readonly feeratePerKw: FeeratePerKw;
  /** undefined: the channel's own. */
  readonly destinationScript: Uint8Array | undefined;
}
/** A justice transaction, signed. */
export interface SignedJustice extends Omit<Justice, "task" | "finish"> {
  readonly rawTx: Uint8Array;
}

export interface ChannelQuery {
  readonly filter: "live" | "archived" | "all";
  /** Strictly after this channel id. */
  readonly after: ChannelId | undefined;
  readonly limit: number;
}
export interface ChannelPage {
  /** In channel id order. */
  readonly views: readonly AnyView[];
  /** Set when there may be more. */
  readonly nextAfter: ChannelId | undefined;
}

export interface HostInfo {
  readonly monitorKey: MonitorKey;
  readonly storeId: StoreId;
  readonly storeGen: bigint;
  readonly curveBackend: string;
  readonly chainHash: string;
  readonly tip: BlockPoint;
  readonly chainState: "synced" | "catchingUp" | "unavailable";
  /** Not archived. */
  readonly channels: number;
  /** Of type zero_fee_commitments. */
  readonly zeroFeeChannels: number;
  readonly archivedChannels: number;
  readonly pendingEvents: number;
  /** undefined: none is pending. */
  readonly oldestPendingEventAtMs: number | undefined;
  /** Over all channels (monitor/bumps/fee-reserve.ts). */
  readonly feeReserveSat: Sat;
  /** Names of optional behaviour a manager may rely on. */
  readonly features: readonly Feature[];
}

/** What a wallet of the manager made of a bump request. */
export interface BumpAnswer {
  readonly channelId: ChannelId;
  readonly claimId: Hash32;
  readonly funded:
    | { readonly kind: "transaction"; readonly bytes: Uint8Array }
    | { readonly kind: "psbt"; readonly bytes: Uint8Array };
  /** Of the caller's session. */
  readonly epoch: bigint;
}

/** sweep: own outputs are swept by the monitor itself; GetChannel says by which transaction. */
export type Feature = "sweep";

/** Receives events of one manager, one at a time: the feed waits for each promise (back-pressure). */
export interface EventSubscriber {
  event(event: SealedMonitorEvent): Promise<void>;
  endOfReplay(replayed: number): Promise<void>;
  /** Not acked; the newest of a claim replaces the older ones. */
  bump(item: BumpItem): Promise<void>;
  /** The stream is over: replaced by a newer one, fenced, or the service stops. */
  end(refusal: Refusal | undefined): void;
}
export interface Subscription {
  close(): void;
}

export interface MonitorHost {
  openSession(who: Principal, request: SignedHeader): Promise<Result<SessionOpened, Refusal>>;
  watchChannel(who: Principal, request: WatchRequest): Promise<Result<SignedReceipts, Refusal>>;
  submitUpdates(who: Principal, batch: UpdateBatch): Promise<SubmitOutcome>;
  putPreimages(who: Principal, batch: PreimageBatch): Promise<Result<StoredPreimages, Refusal>>;
  ackEvents(who: Principal, batch: AckBatch): Promise<Result<readonly AckResult[], Refusal>>;
  broadcastHolder(
    who: Principal,
    request: {
      readonly channelId: ChannelId;
      readonly reason: string;
      readonly overrideStale: boolean;
      readonly epoch: bigint;
    },
  ): Promise<Result<Txid, Refusal>>;
  /** Of a channel in memory; `channelArchived` for others. */
  signBump(who: Principal, answer: BumpAnswer): Promise<Result<Txid, Refusal>>;
  /** A channel with keys; `wrongChannelKind` for others. */
  channel(who: Principal, id: ChannelId): Result<ChannelView, Refusal>;
  /** Of every kind, also from the archive, which is on disk. */
  anyChannel(who: Principal, id: ChannelId): Promise<Result<AnyView, Refusal>>;
  channels(who: Principal, query: ChannelQuery): Promise<ChannelPage>;
  /** One per funding that may still be the channel's. */
  counterpartyCommitment(
    who: Principal,
    id: ChannelId,
    name: CommitmentName,
  ): Promise<Result<readonly CounterpartyTx[], Refusal>>;
  buildJustice(who: Principal, call: JusticeCall): Promise<Result<SignedJustice, Refusal>>;
  /** In (channel, event id) order. */
  pendingEvents(who: Principal, channel: ChannelId | undefined): readonly SealedMonitorEvent[];
  subscribe(
    who: Principal,
    epoch: bigint,
    subscriber: EventSubscriber,
  ): Result<Subscription, Refusal>;
  info(): HostInfo;
}
