/**
 * What a channel is, in domain words: parameters, public keys and the commitments of both sides.
 * The wire form is monitor/v1/channel.proto; convert/channel.ts is the only file that knows both.
 */
import type { FailedHtlc } from "./htlc-failure.js";
import type { FeeratePerKw, Msat, Sat } from "./amount.js";
import type { BlockDelta, BlockHeight, BlockPoint } from "./block.js";
import type {
  ChannelId,
  CommitmentNumber,
  HtlcId,
  Outpoint,
  PaymentHash,
  PaymentId,
  PerCommitmentSecret,
  Preimage,
  SourceKey,
  Txid,
} from "./ids.js";

/** What can be watched; another one is refused with `unsupportedChannelType`. */
export const CHANNEL_TYPES = [
  "static_remote_key",
  "anchors_zero_fee_htlc",
  "zero_fee_commitments",
] as const;
export type ChannelType = (typeof CHANNEL_TYPES)[number];

/** Bits a channel type may have besides; they change nothing on chain (onchain-engine 2.6). */
export type ChannelTypeModifier = "scid_privacy" | "zero_conf";

/** Which LDK line the node follows; decides the inbound claim deadline (18 or 36 blocks). */
export type ConstantsProfile = "ldk_0_1" | "ldk_0_2";

/** BOLT 3 basepoints of one side, 33 bytes each. */
export interface ChannelPubkeys {
  readonly fundingPubkey: Uint8Array;
  readonly revocationBasepoint: Uint8Array;
  readonly paymentPoint: Uint8Array;
  readonly delayedPaymentBasepoint: Uint8Array;
  readonly htlcBasepoint: Uint8Array;
}

export interface ChannelParameters {
  readonly channelId: ChannelId;
  /** Genesis block hash, internal byte order, 32 bytes as hex. */
  readonly chainHash: string;
  readonly channelType: ChannelType;
  readonly channelTypeModifiers: readonly ChannelTypeModifier[];
  readonly funding: Outpoint;
  readonly channelValueSat: Sat;
  readonly holderIsOpener: boolean;
  readonly holderPubkeys: ChannelPubkeys;
  readonly counterpartyPubkeys: ChannelPubkeys;
  /** to_self_delay on the counterparty's outputs. */
  readonly holderSelectedContestDelay: BlockDelta;
  /** to_self_delay on our outputs. */
  readonly counterpartySelectedContestDelay: BlockDelta;
  /** 32 bytes; selects the keys on the monitor's host. */
  readonly channelKeysId: Uint8Array;
  readonly destinationScript: Uint8Array;
  readonly counterpartyNodeId: Uint8Array | undefined;
  readonly userChannelId: Uint8Array | undefined;
  readonly constantsProfile: ConstantsProfile;
  readonly shutdownScript: Uint8Array | undefined;
  /** Funding that `funding` spends when it is a splice; tweaks the holder's funding key. */
  readonly spliceParentFundingTxid: Txid | undefined;
}

export interface InboundHtlc {
  readonly channelId: ChannelId;
  readonly htlcId: HtlcId;
  readonly amountMsat: Msat;
  readonly cltvExpiry: BlockHeight;
  readonly userChannelId: Uint8Array | undefined;
}

export interface PaymentPartSource {
  readonly paymentId: PaymentId;
  readonly partKey: Uint8Array;
  readonly pathSummary: Uint8Array;
  readonly firstHopMsat: Msat;
}

export type HtlcSourceKind =
  | { readonly kind: "own"; readonly part: PaymentPartSource }
  | { readonly kind: "probe"; readonly part: PaymentPartSource }
  | { readonly kind: "forward"; readonly inbound: InboundHtlc; readonly intercepted: boolean }
  | { readonly kind: "trampoline"; readonly inbound: readonly InboundHtlc[] };

export interface HtlcSource {
  readonly sourceKey: SourceKey;
  readonly origin: HtlcSourceKind;
  /** Kept verbatim, never read. */
  readonly opaque: Uint8Array;
}

export interface CommitmentHtlc {
  readonly htlcId: HtlcId;
  /** By the broadcaster of the commitment that lists it. */
  readonly offered: boolean;
  readonly amountMsat: Msat;
  readonly cltvExpiry: BlockHeight;
  readonly paymentHash: PaymentHash;
  /** undefined: trimmed (dust). */
  readonly outputIndex: number | undefined;
  /** Present exactly when the HTLC is outbound seen by the holder. */
  readonly source: HtlcSource | undefined;
}

export interface HolderCommitment {
  readonly commitmentNumber: CommitmentNumber;
  readonly perCommitmentPoint: Uint8Array;
  readonly feeratePerKw: FeeratePerKw;
  /** Output values after fees; 0 when the output does not exist. */
  readonly toLocalSat: Sat;
  readonly toRemoteSat: Sat;
  readonly htlcs: readonly CommitmentHtlc[];
  /** 64 bytes compact. */
  readonly counterpartySignature: Uint8Array;
  /** One per non-dust HTLC, by output index. */
  readonly counterpartyHtlcSignatures: readonly Uint8Array[];
  readonly txid: Txid;
}

export interface CounterpartyCommitment {
  readonly commitmentNumber: CommitmentNumber;
  readonly perCommitmentPoint: Uint8Array;
  readonly feeratePerKw: FeeratePerKw;
  /** The counterparty's own output, after fees. */
  readonly toBroadcasterSat: Sat;
  /** The holder's output, after fees. */
  readonly toCountersignatorySat: Sat;
  readonly htlcs: readonly CommitmentHtlc[];
  readonly txid: Txid;
}

/** A commitment that spends a pending funding: the same number, point and HTLCs as on the locked one. */
export interface PendingCommitment<C extends HolderCommitment | CounterpartyCommitment> {
  readonly funding: Outpoint;
  readonly commitment: C;
}

/** A funding of a channel with the commitments that spend it: what is watched first, or a splice. */
export interface NegotiatedFunding {
  readonly parameters: ChannelParameters;
  readonly holderCommitment: HolderCommitment;
  readonly counterpartyCommitment: CounterpartyCommitment;
}

/** The secret of a counterparty commitment that is revoked. */
export interface RevokedSecret {
  readonly commitmentNumber: CommitmentNumber;
  readonly secret: PerCommitmentSecret;
}

/** A commitment on every funding that has one; that on the locked funding first. */
export interface CommitmentOnFundings<C extends HolderCommitment | CounterpartyCommitment> {
  readonly commitment: C;
  readonly pending: readonly PendingCommitment<C>[];
}

/** What the monitor of a channel that was in use knew besides its current commitments. */
export interface EarlierState {
  readonly previousHolder: CommitmentOnFundings<HolderCommitment> | undefined;
  /** Not revoked yet. */
  readonly previousCounterparty: CommitmentOnFundings<CounterpartyCommitment> | undefined;
  readonly preimages: readonly Preimage[];
  /** Outbound HTLCs that the counterparty fulfilled; the node knows of them. */
  readonly fulfilled: readonly { readonly sourceKey: SourceKey; readonly preimage: Preimage }[];
  /** Outbound HTLCs that it failed and has not revoked yet: told when it does. */
  readonly failed: readonly FailedHtlc[];
}

/** First state of a channel, as WatchChannel carries it. */
/**
 * A channel of which a monitor knows nothing but transactions signed beforehand. undefined where a node
 * is not named.
 */
export interface PenaltyOnlyChannel {
  readonly channelId: ChannelId;
  /** Genesis block hash, internal byte order, hex. */
  readonly chainHash: string;
  readonly counterpartyNodeId: Uint8Array | undefined;
}

/** What WatchChannel starts: a channel with all that its monitor needs to claim, or one of penalties only. */
export type FirstState =
  | { readonly kind: "full"; readonly initial: InitialState }
  | { readonly kind: "penaltyOnly"; readonly channel: PenaltyOnlyChannel };

export interface InitialState extends NegotiatedFunding {
  /** Splices that are not locked, in the order they were negotiated: current commitments on each. */
  readonly pendingFundings: readonly NegotiatedFunding[];
  /** The funding is broadcast by hand and was not seen yet: our commitment waits for it. */
  readonly manualBroadcast: boolean;
  /** Revoked before it was watched, by rising number: those that BOLT 3 stores, for all of them. */
  readonly revokedSecrets: readonly RevokedSecret[];
  /** Best block at creation; the monitor scans from there. undefined: from its own tip. */
  readonly bestBlock: BlockPoint | undefined;
  /** LDK's `ChannelMonitor.write()` that all this was read from, kept for its node. */
  readonly ldkMonitor: Uint8Array | undefined;
  /** undefined: the channel is new. */
  readonly earlier: EarlierState | undefined;
}
