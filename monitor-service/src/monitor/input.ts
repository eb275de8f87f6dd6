/** Everything that can happen to a monitor. Closed union: a new input is a new line here. */
import type { FeeratePerKw } from "@farwatch/protocol/amount";
import type { BlockPoint } from "@farwatch/protocol/block";
import type { CounterpartyCommitment } from "@farwatch/protocol/channel";
import type {
  CommitmentNumber,
  Hash32,
  Outpoint,
  Preimage,
  SourceKey,
  Txid,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { UpdateStep } from "@farwatch/protocol/update";
import type { ParsedTx } from "../tx/parsed-tx.js";

export interface Feerates {
  /** Confirmation within 2 to 3 blocks. */
  readonly urgent: FeeratePerKw;
  /** Confirmation within about 12 blocks. */
  readonly normal: FeeratePerKw;
}

export interface LearnedPreimage {
  readonly preimage: Preimage;
  readonly sourceKey: SourceKey;
}

/** What justice needs of a counterparty commitment that confirmed. */
export type StoredCommitment = Pick<CounterpartyCommitment, "txid" | "htlcs">;

export type MonitorInput =
  | {
      readonly kind: "updateReceived";
      /** The shell has checked that it is next (proto/src/update-cursor.ts). */
      readonly updateId: UpdateId;
      readonly updateHash: Hash32;
      readonly steps: readonly UpdateStep[];
      /** False only when our own log is replayed at start: signatures were checked before it was stored. */
      readonly verifySignatures: boolean;
    }
  | { readonly kind: "preimagesLearned"; readonly preimages: readonly LearnedPreimage[] }
  | {
      readonly kind: "blockConnected";
      readonly block: BlockPoint;
      /** Matching transactions in block order. */
      readonly transactions: readonly ParsedTx[];
      /** Counterparty commitments found in the update log, or in what was imported, for funding spends among them. */
      readonly storedCommitments: ReadonlyMap<Txid, StoredCommitment>;
      readonly feerates: Feerates;
    }
  /** The chain now ends at forkPoint. Forgets, never emits (R6). */
  | { readonly kind: "blocksDisconnected"; readonly forkPoint: BlockPoint }
  /** After a block: the shell alone knows what was acked. */
  | { readonly kind: "resolutionChecked"; readonly unackedEvents: boolean }
  | {
      readonly kind: "broadcastHolder";
      readonly reason: string;
      readonly overrideStale: boolean;
    }
  /** The mempool did not take a claim's newest version. Never emits. */
  | {
      readonly kind: "claimRefused";
      /** Name of the claim. */
      readonly claim: string;
      /** The version that was refused. */
      readonly txid: Txid;
      readonly reason: "insufficientFee" | "missingInputs";
      /** Its outpoints that unconfirmed transactions of others spend. */
      readonly contested: readonly Outpoint[];
      /** 32-byte witness items of those transactions: preimages, perhaps. */
      readonly revealed: readonly Preimage[];
    }
  /** A commitment of ours was told durable, as remembered apart from this state. Never emits. */
  | { readonly kind: "holderFloorKnown"; readonly number: CommitmentNumber };

export type RefusedClaim = Extract<MonitorInput, { kind: "claimRefused" }>;
export type ReceivedUpdate = Extract<MonitorInput, { kind: "updateReceived" }>;
