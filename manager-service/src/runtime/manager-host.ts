/**
 * What the RPC layer may ask of the manager's shell. A promise resolves only after the commit that
 * justifies its answer. Domain types, except that items and views are already in wire form where the
 * RPC layer would only copy them.
 */
import type {
  Forward,
  GetChannelResponse,
  ListPaymentsResponse,
  ListPendingEventsResponse,
  ListMonitorsResponse,
  LdkMonitorStart,
  OpenNodeSessionRequest,
  OpenNodeSessionResponse,
  UpdateChannelResponse,
} from "@farwatch/protocol/gen/manager/v1/manager_service";
import type { Item } from "@farwatch/protocol/gen/manager/v1/event";
import type {
  ChannelId,
  Hash32,
  PaymentHash,
  PaymentId,
  Preimage,
  SourceKey,
  Txid,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { Msat } from "@farwatch/protocol/amount";
import type { PayloadType } from "@farwatch/protocol/envelope/update";
import type { HtlcSource } from "@farwatch/protocol/channel";
import type { Refusal } from "@farwatch/protocol/reasons";
import type { Result } from "@farwatch/protocol/result";
import type { ClaimPart } from "../manager/rows.js";
import type { DoneAnswer } from "../manager/input.js";
import type { BumpAnswer } from "../monitors/monitor-link.js";

/** Who calls, from the client certificate, never from a message. */
export interface NodePrincipal {
  readonly name: string;
  readonly nodeKey: string;
  readonly admin: boolean;
}

/** A session that was opened and not replaced since. 16 bytes as hex. */
export type SessionId = string;

export interface UpdateRequest {
  readonly channelId: ChannelId;
  readonly updateId: UpdateId;
  /** Default: typedSteps. */
  readonly payloadType?: PayloadType | undefined;
  /** Serialized farwatch.monitor.v1.ChannelMonitorUpdate, or LDK's own bytes. */
  readonly payload: Uint8Array;
}

/** A serialized InitialState, or LDK's ChannelMonitor. */
export interface FirstState {
  readonly kind: "initialState" | "ldkMonitor";
  readonly bytes: Uint8Array;
}

/** What the node says of an item. */
export interface AnsweredItem {
  readonly itemId: bigint;
  readonly answer: DoneAnswer;
}

export interface ItemSubscriber {
  item(item: Item): Promise<void>;
  /**
   * `bumpsKnownOf`: monitors whose open bump requests were all told before. Items up to `lastItemId` were told or
   * need not be; what is live has higher ids.
   */
  replayDone(replayed: number, bumpsKnownOf: readonly string[], lastItemId: bigint): Promise<void>;
  end(refusal: Refusal | undefined): void;
}
export interface UpdateSubscriber {
  /** accepted, completed and refused, in the order they became true. Must not throw. */
  tell(response: UpdateChannelResponse): void;
  end(refusal: Refusal | undefined): void;
}
export interface Closable {
  close(): void;
}

export interface LdkMonitorSource {
  readonly start: LdkMonitorStart;
  /** LDK's update bytes after it, in order, read as they are asked for. */
  readonly updates: AsyncIterable<Uint8Array>;
}

export interface ManagerHost {
  openSession(
    who: NodePrincipal,
    request: OpenNodeSessionRequest,
  ): Promise<Result<OpenNodeSessionResponse, Refusal>>;
  /** Refuses unknown and replaced sessions (`sessionNotOpen`, `fenced`). */
  checkSession(who: NodePrincipal, session: SessionId): Refusal | undefined;
  watchChannel(
    who: NodePrincipal,
    first: FirstState,
    /** Of LDK's monitor also 0: the one after its latest. */
    firstUpdateId: UpdateId,
  ): Promise<
    Result<
      { readonly acceptedId: UpdateId; readonly headHash: Hash32; readonly completed: boolean },
      Refusal
    >
  >;
  /** What an LDK node rebuilds its ChannelMonitor from, as it was at update `told`. */
  ldkMonitor(
    who: NodePrincipal,
    channelId: ChannelId,
    told: UpdateId,
  ): Promise<Result<LdkMonitorSource, Refusal>>;
  putLdkCheckpoint(
    who: NodePrincipal,
    checkpoint: {
      readonly channelId: ChannelId;
      readonly updateId: UpdateId;
      readonly monitor: Uint8Array;
    },
  ): Promise<Result<void, Refusal>>;
  /** One stream per session. The newest `completed` of every channel is told again at once. */
  updateStream(who: NodePrincipal, subscriber: UpdateSubscriber): Closable;
  /** Resolves once the update is accepted or refused (which the stream was told). */
  update(who: NodePrincipal, request: UpdateRequest): Promise<void>;
  registerPayment(
    who: NodePrincipal,
    payment: {
      readonly paymentId: PaymentId;
      readonly paymentHash: PaymentHash;
      readonly totalMsat: Msat;
      readonly isProbe: boolean;
    },
  ): Promise<Result<void, Refusal>>;
  closePayment(
    who: NodePrincipal,
    paymentId: PaymentId,
    outcome:
      { readonly kind: "noMoreParts" } | { readonly kind: "abandon"; readonly reason: string },
  ): Promise<Result<void, Refusal>>;
  /** Payee side: claims every part. The same request again is answered again. */
  claimPayment(
    who: NodePrincipal,
    request: {
      readonly paymentHash: PaymentHash;
      readonly preimage: Preimage;
      readonly parts: readonly ClaimPart[];
    },
  ): Promise<Result<void, Refusal>>;
  /** The peer's update_fulfill_htlc arrived. */
  htlcFulfilled(
    who: NodePrincipal,
    request: {
      readonly channelId: ChannelId;
      readonly sourceKey: SourceKey;
      readonly preimage: Preimage;
      readonly skimmedFeeMsat: Msat | undefined;
      readonly attributionData: Uint8Array | undefined;
    },
  ): Promise<Result<void, Refusal>>;
  /** The HTLC never entered a commitment. Refused `htlcCommitted` when an accepted update has it. */
  htlcNotSent(
    who: NodePrincipal,
    request: {
      readonly channelId: ChannelId;
      readonly source: HtlcSource;
      readonly paymentHash: PaymentHash;
    },
  ): Promise<Result<void, Refusal>>;
  /** A wallet's answer to a bump request, passed to the monitor of that name. */
  signBump(who: NodePrincipal, monitor: string, answer: BumpAnswer): Promise<Result<Txid, Refusal>>;
  subscribe(who: NodePrincipal, subscriber: ItemSubscriber): Closable;
  /** Ids of items that are not known. */
  done(
    who: NodePrincipal,
    items: readonly AnsweredItem[],
  ): Promise<Result<readonly bigint[], Refusal>>;
  channel(who: NodePrincipal, id: ChannelId): Promise<Result<GetChannelResponse, Refusal>>;
  /** In channel id order, strictly after `after`. */
  channels(
    who: NodePrincipal,
    after: ChannelId | undefined,
    limit: number,
  ): Promise<readonly GetChannelResponse[]>;
  payments(
    who: NodePrincipal,
    after: PaymentId | undefined,
    limit: number,
  ): Promise<ListPaymentsResponse["payments"]>;
  /** In the order of their keys, strictly after `after`. */
  forwards(
    who: NodePrincipal,
    after: string | undefined,
    limit: number,
  ): Promise<readonly { readonly key: string; readonly forward: Forward }[]>;
  pendingEvents(who: NodePrincipal): Promise<ListPendingEventsResponse["events"]>;
  monitors(): Promise<ListMonitorsResponse["monitors"]>;
  forceClose(
    who: NodePrincipal,
    request: {
      readonly channelId: ChannelId;
      readonly reason: string;
      readonly overrideStale: boolean;
    },
  ): Promise<Result<readonly Txid[], Refusal>>;
  info(): Promise<{
    readonly managerKey: string;
    readonly epoch: bigint;
    readonly curveBackend: string;
    readonly channels: number;
    readonly unhandledItems: number;
    readonly pendingAcks: number;
    /** Monitor events whose ack is not confirmed. */
    readonly pendingEvents: number;
    /** By the clock of the monitor that has it; undefined: none is pending. */
    readonly oldestPendingEventAtMs: number | undefined;
    /** Every monitor has replayed its un-acked events since this process started. */
    readonly replayDone: boolean;
  }>;
}
