/**
 * What a monitor asks a wallet of its manager to pay for, with all that the wallet needs to build the
 * transaction (contract 2.19). Level-triggered: the newest request of a claim replaces the older ones.
 */
import type { FeeratePerKw, Sat } from "./amount.js";
import type { ChannelId, Hash32, Outpoint, Txid } from "./ids.js";

export interface BumpTransaction {
  readonly claimId: Hash32;
  readonly targetFeerate: FeeratePerKw;
  readonly of: CommitmentToBump | HtlcsToClaim;
}

/** A child that spends the anchor pays for both. */
export interface CommitmentToBump {
  readonly kind: "commitment";
  /** Signed. */
  readonly commitmentTx: Uint8Array;
  readonly commitmentFeeSat: Sat;
  readonly commitmentWeight: number;
  readonly anchor: ForeignInput;
  readonly childVersion: number;
  readonly childMaxWeight: number;
  /** Of the child alone. */
  readonly maxFeeSat: Sat;
}

/** Several may share a transaction: input i and output i are those of one of them. */
export interface HtlcsToClaim {
  readonly kind: "htlcs";
  readonly commitmentTxid: Txid;
  readonly locktime: number;
  readonly version: number;
  readonly maxWeight: number;
  readonly htlcs: readonly HtlcToClaim[];
}

export interface HtlcToClaim extends ForeignInput {
  /** The second stage without a fee and without a witness. */
  readonly transaction: Uint8Array;
  readonly maxFeeSat: Sat;
}

/** An output that the monitor signs for. */
export interface ForeignInput {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
  readonly scriptPubkey: Uint8Array;
  /** Of the input with its witness, in weight units. */
  readonly inputWeight: number;
}

export type BumpItem =
  | { readonly channelId: ChannelId; readonly request: BumpTransaction }
  /** The claim is over. */
  | { readonly channelId: ChannelId; readonly ended: Hash32 };

export const claimIdOf = (item: BumpItem): Hash32 =>
  "ended" in item ? item.ended : item.request.claimId;
