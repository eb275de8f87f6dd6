/**
 * What a step asks for. Durable parts (state, events, relayed preimages) go into one transaction;
 * publishing is volatile: it is derived from state by `outstanding` and safe to repeat.
 */
import type { FeeratePerKw, Sat } from "@farwatch/protocol/amount";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import type {
  ChannelId,
  CommitmentNumber,
  Hash32,
  Outpoint,
  Preimage,
  SourceKey,
  Txid,
} from "@farwatch/protocol/ids";
import type { PlannedInput, PlannedOutput } from "../tx/funding-plan.js";
import type { MonitorState } from "./state.js";

/** Which of the channel's keys signs; the core never sees the key itself. */
export type SigningKey =
  /** Our commitment of this number. One whose secret may be out is refused, whatever the digest says. */
  | {
      readonly kind: "funding";
      readonly channelId: ChannelId;
      readonly commitmentNumber: CommitmentNumber;
      /** The key is tweaked by the txid of the funding that this one splices (onchain-engine 2.2). */
      readonly spliceParent: Txid | undefined;
    }
  /** Our anchor of a commitment: the funding key, but nothing that could be punished. */
  | { readonly kind: "anchor"; readonly spliceParent: Txid | undefined }
  /** Untweaked; the point tells which of the keys it may stand for (LDK 0.2 has two). */
  | { readonly kind: "payment"; readonly paymentPoint: Uint8Array }
  | { readonly kind: "delayed"; readonly perCommitmentPoint: Uint8Array }
  | { readonly kind: "htlc"; readonly perCommitmentPoint: Uint8Array }
  | { readonly kind: "revocation"; readonly perCommitmentSecret: Uint8Array };

export interface SigningTask {
  readonly key: SigningKey;
  /** 32-byte sighash. */
  readonly digest: Uint8Array;
}

export type PublishRole =
  /** Of others, or signed by both, and lost in a reorganisation. */
  | "lostFundingSpend"
  | "holderCommitment"
  | "anchorChild"
  | "holderHtlcTimeout"
  | "holderHtlcSuccess"
  | "justice"
  /** Signed by the node beforehand. */
  | "penalty"
  | "counterpartyHtlcClaim";

/** A transaction to sign and broadcast. `finish` takes one compact signature per task, in order. */
export interface Publish {
  readonly role: PublishRole;
  readonly txid: Txid;
  readonly spends: readonly Outpoint[];
  readonly tasks: readonly SigningTask[];
  readonly finish: (signatures: readonly Uint8Array[]) => Uint8Array;
  /** Set when the fee is ours to choose: what to do about a refusal is the core's decision. */
  readonly claim?: ClaimOffer;
}

export interface ClaimOffer {
  /** Name of the claim. */
  readonly id: string;
  /** A higher fee was due, but the operator's limit or the value does not allow it. */
  readonly atLimit: boolean;
}

/** What a wallet should pay for now, at which feerate; from state by `bumpRequests`. */
export type BumpRequest = CommitmentBump | HtlcBump;

/** Our commitment, not confirmed yet: a child that spends its anchor brings the fee of both. */
export interface CommitmentBump {
  readonly kind: "commitment";
  readonly claimId: Hash32;
  /** nVersion of the commitment, and so of its child. */
  readonly version: number;
  /** Of commitment and child together. */
  readonly targetFeerate: FeeratePerKw;
  readonly commitment: Publish;
  readonly commitmentFeeSat: Sat;
  /** Of the signed commitment, in weight units. */
  readonly commitmentWeight: number;
  /** undefined: this commitment has no anchor of ours, so it goes out alone. */
  readonly anchor: OwnInput | undefined;
  /** What the child may cost us at most. */
  readonly maxFeeSat: Sat;
}

/** Second stages of our confirmed commitment with one locktime, to be claimed together. */
export interface HtlcBump {
  readonly kind: "htlcs";
  readonly claimId: Hash32;
  readonly version: number;
  readonly targetFeerate: FeeratePerKw;
  readonly commitmentTxid: Txid;
  readonly locktime: number;
  /** In output order. */
  readonly htlcs: readonly HtlcToBump[];
}

/** The counterparty signed its only input with its only output: both stand at one index. */
export interface HtlcToBump {
  readonly role: Extract<PublishRole, "holderHtlcTimeout" | "holderHtlcSuccess">;
  readonly input: OwnInput;
  readonly output: PlannedOutput;
  /** What claiming it may cost at most. */
  readonly maxFeeSat: Sat;
}

/** An input that only we sign, in a transaction that a wallet completes. */
export interface OwnInput extends PlannedInput {
  /** undefined: anyone may spend it, without a witness. */
  readonly signing: OwnSigning | undefined;
}

export interface OwnSigning {
  readonly key: SigningKey;
  readonly witnessScript: Uint8Array;
  /** From our signature over all of the transaction, 64 bytes compact. */
  readonly witness: (signature: Uint8Array) => Uint8Array[];
}

/** Contract 2.7a: the same monitor-service stores it for the inbound channel, in the same transaction. */
export interface PreimageRelay {
  readonly inboundChannelId: ChannelId;
  readonly preimage: Preimage;
  readonly sourceKey: SourceKey;
}

export interface Transition {
  readonly state: MonitorState;
  readonly events: readonly NewMonitorEvent[];
  readonly relays: readonly PreimageRelay[];
  /** False when only the best block moved: nothing about this channel needs to be written. */
  readonly persist: boolean;
  /** For updates: applied, but the channel was already closing. */
  readonly afterClose: boolean;
}
