/**
 * The state of a penalty-only channel (ADR M-18): transactions signed beforehand are on disk, found by the
 * txid of the commitment that each punishes; here are only those of commitments that were seen in the chain.
 * Immutable; no key and no secret is in it.
 */
import type { Sat } from "@farwatch/protocol/amount";
import type { BlockHeight, BlockPoint } from "@farwatch/protocol/block";
import type { PenaltyOnlyChannel } from "@farwatch/protocol/channel";
import {
  outpointKey,
  type CommitmentNumber,
  type EventId,
  type Hash32,
  type Outpoint,
  type Txid,
  type UpdateId,
} from "@farwatch/protocol/ids";
import type { ParsedTx } from "../../tx/parsed-tx.js";

/** A penalty transaction, signed. */
export interface Penalty {
  readonly tx: ParsedTx;
  readonly rawTx: Uint8Array;
}

/** A confirmed spend of an output that a penalty is to take. */
export interface PenaltySpend {
  readonly outpoint: Outpoint;
  readonly txid: Txid;
  readonly block: BlockPoint;
  /** Of one of the penalties held: what it pays. undefined: a transaction of somebody else. */
  readonly pays:
    readonly { readonly valueSat: Sat; readonly scriptPubkey: Uint8Array }[] | undefined;
  /** Its witness takes the path of ours: signed with the revocation key, whoever sent it. */
  readonly byRevocationKey: boolean;
}

/** A revoked commitment that is or was in the chain. */
export interface SeenCommitment {
  readonly commitmentTxid: Txid;
  readonly commitmentNumber: CommitmentNumber;
  /** undefined: a reorganisation took it away. */
  readonly seenAt: BlockPoint | undefined;
  /** Newest first; at least one. */
  readonly penalties: readonly Penalty[];
  readonly spends: readonly PenaltySpend[];
  /** spendKey of those that were 6 deep once: each is told once, whatever the chain does. */
  readonly told: readonly string[];
}

export const spendKey = ({ outpoint, txid }: Pick<PenaltySpend, "outpoint" | "txid">): string =>
  `${outpointKey(outpoint)} ${txid}`;

export interface PenaltyState {
  readonly channel: PenaltyOnlyChannel;
  /** Names the channel in signed headers. */
  readonly funding: Outpoint;
  readonly latestUpdateId: UpdateId;
  readonly latestUpdateHash: Hash32;
  readonly nextEventId: EventId;
  /** Held on disk, counted once per step. */
  readonly penaltyCount: number;
  /** Updates up to this one were looked up in the chain: see lookups in ADR M-18. */
  readonly lookedUpTo: UpdateId;
  readonly best: BlockPoint;
  readonly seen: readonly SeenCommitment[];
  /** The node said that it is done with the channel. */
  readonly closedAt: BlockHeight | undefined;
  /** Since this height nothing is left to do and every event is acked. */
  readonly resolvedSince: BlockHeight | undefined;
}
