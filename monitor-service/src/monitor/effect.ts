/**
 * What a step asks for. Durable parts (state, events, relayed preimages) go into one transaction;
 * publishing is volatile: it is derived from state by `outstanding` and safe to repeat.
 */
import type { FeeratePerKw } from "@farwatch/protocol/amount";
import type { NewMonitorEvent } from "@farwatch/protocol/event";
import type { ChannelId, Outpoint, Preimage, SourceKey, Txid } from "@farwatch/protocol/ids";
import type { Result } from "@farwatch/protocol/result";
import type { FundedTx, FundingFault } from "../tx/funded-htlc.js";
import type { MonitorState } from "./state.js";

/** Which of the channel's keys signs; the core never sees the key itself. */
export type SigningKey =
  /** Tweaked by the txid of the funding that this one splices (onchain-engine 2.2). */
  | { readonly kind: "funding"; readonly spliceParent: Txid | undefined }
  | { readonly kind: "payment" }
  | { readonly kind: "delayed"; readonly perCommitmentPoint: Uint8Array }
  | { readonly kind: "htlc"; readonly perCommitmentPoint: Uint8Array }
  | { readonly kind: "revocation"; readonly perCommitmentSecret: Uint8Array };

export interface SigningTask {
  readonly key: SigningKey;
  /** 32-byte sighash. */
  readonly digest: Uint8Array;
}

export type PublishRole =
  | "holderCommitment"
  | "holderHtlcTimeout"
  | "holderHtlcSuccess"
  | "justice"
  | "counterpartyHtlcClaim";

/** A transaction to sign and broadcast. `finish` takes one compact signature per task, in order. */
export interface Publish {
  readonly role: PublishRole;
  readonly txid: Txid;
  readonly spends: readonly Outpoint[];
  readonly tasks: readonly SigningTask[];
  readonly finish: (signatures: readonly Uint8Array[]) => Uint8Array;
}

/**
 * A second-stage transaction that pays no fee: a wallet adds inputs and change behind input 0 and
 * output 0, `complete` decides whether the result may be signed, and gives what is to be published.
 */
export interface FeelessClaim {
  readonly role: Extract<PublishRole, "holderHtlcTimeout" | "holderHtlcSuccess">;
  /** The HTLC's output, spent by input 0. */
  readonly outpoint: Outpoint;
  /** Serialized, without a witness. */
  readonly draft: Uint8Array;
  /** Of input 0 with its witness, in weight units. */
  readonly inputWeight: number;
  readonly targetFeerate: FeeratePerKw;
  /** At this one the fee is the largest share of the HTLC that may be paid. */
  readonly highestFeerate: FeeratePerKw;
  readonly complete: (funded: FundedTx) => Result<Publish, FundingFault>;
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
