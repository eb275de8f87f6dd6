/**
 * The state of one channel's monitor. Immutable: a step returns a new state. It holds no private key
 * (architecture 3.3 rule 7); preimages and revocation secrets are in it by necessity and are never
 * logged. Revoked counterparty commitments are not here: they stay in the update log on disk.
 */
import type { FeeratePerKw, Msat, Sat } from "@farwatch/protocol/amount";
import type { BlockHeight, BlockPoint } from "@farwatch/protocol/block";
import type {
  ChannelParameters,
  CommitmentHtlc,
  CounterpartyCommitment,
  HolderCommitment,
  HtlcSource,
  PendingCommitment,
} from "@farwatch/protocol/channel";
import type { CloseReason, FundingSpendKind, SpendableOutput } from "@farwatch/protocol/event";
import type {
  CommitmentNumber,
  EventId,
  Hash32,
  HtlcId,
  Outpoint,
  PaymentHash,
  PerCommitmentSecret,
  Preimage,
  SourceKey,
  Txid,
  UpdateId,
} from "@farwatch/protocol/ids";
import type { HtlcFailReason } from "@farwatch/protocol/update";
import type { ParsedTx } from "../tx/parsed-tx.js";
import type { Feerates } from "./input.js";
import type { SecretStore } from "../bolt/per-commitment-secrets.js";

/** Which outcomes of an outbound HTLC were already told, by origin; each is told once (contract 2.10). */
export interface ReportedOutcomes {
  readonly claimedOffChain: boolean;
  readonly claimedOnChain: boolean;
  readonly failed: boolean;
}

/** An outbound HTLC, as events name it. */
export interface OutboundHtlc {
  readonly source: HtlcSource;
  readonly htlcId: HtlcId;
  readonly paymentHash: PaymentHash;
  readonly amountMsat: Msat;
}

/** The first confirmed spend of the funding output. */
export interface FundingSpend {
  readonly txid: Txid;
  readonly funding: Outpoint;
  readonly block: BlockPoint;
  readonly kind: FundingSpendKind;
  readonly commitmentNumber: CommitmentNumber | undefined;
  /** Of the confirmed commitment; undefined when its kind is mutual or unknown. */
  readonly perCommitmentPoint: Uint8Array | undefined;
  /** An update or the update log says what is in it; otherwise only its shape and number are known. */
  readonly identified: boolean;
  /** 6 confirmations deep: irreversible for us. */
  readonly final: boolean;
}

/** The newest spend of a funding output that was seen in a block, to bring it back if it is lost. */
export interface SeenFundingSpend {
  readonly tx: ParsedTx;
  readonly kind: FundingSpendKind;
  /** Tip after the reorganisation that took it away; undefined: it stands in the chain. */
  readonly lostAt: BlockHeight | undefined;
}

/** An output on chain whose spend matters to the channel; watched until the spend is 6 deep. */
export interface TrackedOutput {
  readonly outpoint: Outpoint;
  readonly createdAt: BlockHeight;
  readonly role:
    | { readonly kind: "htlc"; readonly htlc: CommitmentHtlc }
    | {
        readonly kind: "revoked";
        /** What is at stake: of a second stage the HTLC's amount, before the cheater's fee. */
        readonly worthSat: Sat;
        /** The HTLC output that a second stage spent. */
        readonly parent: Outpoint | undefined;
      }
    | {
        /** Of a commitment that is not revoked: the counterparty's, unless the secret arrives. */
        readonly kind: "secondStage";
        readonly valueSat: Sat;
        readonly worthSat: Sat;
        readonly parent: Outpoint | undefined;
      }
    /** Of a commitment that no update has named yet: its spends are kept until one does. */
    | { readonly kind: "unidentified" };
}

/** A confirmed spend of a tracked output that is not final yet. */
export interface OutputSpend {
  readonly txid: Txid;
  readonly height: BlockHeight;
  /** Its witness reveals the preimage of the HTLC. */
  readonly byPreimage: boolean;
}

/** A fact seen on chain that counts only once it is deep enough (onchain-engine 5.4). */
export interface WaitingFact {
  readonly txid: Txid;
  readonly block: BlockPoint;
  /** First height at which the fact is mature. */
  readonly matureAt: BlockHeight;
  readonly fact:
    | { readonly kind: "fundingSpend" }
    | {
        readonly kind: "htlcFailure";
        readonly htlc: OutboundHtlc;
        readonly outpoint: Outpoint | undefined;
      }
    | { readonly kind: "outputResolved"; readonly outpoint: Outpoint }
    | {
        readonly kind: "spendable";
        readonly output: SpendableOutput;
        /** Every input of the transaction that made it. */
        readonly spends: readonly Outpoint[];
      };
}

/** An output that only this channel's keys can spend, from its confirmation on. */
export interface OwnOutput {
  readonly output: SpendableOutput;
  readonly createdAt: BlockHeight;
  /** Deep enough, and its relative lock is over for the next block. */
  readonly matureAt: BlockHeight;
  /** Confirmed, by anyone; not final before it is 6 deep. */
  readonly spend: { readonly txid: Txid; readonly height: BlockHeight } | undefined;
}

export type ClaimInput = {
  readonly outpoint: Outpoint;
  readonly valueSat: Sat;
  readonly script: Uint8Array;
  /** Height of the block that created the output; a reorg below it drops the claim. */
  readonly createdAt: BlockHeight;
  /** From here on the counterparty can spend the output too. */
  readonly contestedFrom: BlockHeight;
  /** nLockTime the claim needs; 0 for none. */
  readonly notBefore: BlockHeight;
  /** A claim not confirmed below this height may be worth nothing; undefined: time costs nothing. */
  readonly deadline: BlockHeight | undefined;
} & (
  | {
      readonly kind: "revokedToLocal" | "revokedSecondStage";
      readonly secret: PerCommitmentSecret;
    }
  | {
      readonly kind: "revokedHtlc";
      readonly secret: PerCommitmentSecret;
      readonly revocationPubkey: Uint8Array;
      readonly offered: boolean;
    }
  | {
      readonly kind: "counterpartyOffered";
      readonly perCommitmentPoint: Uint8Array;
      readonly preimage: Preimage;
    }
  | { readonly kind: "counterpartyReceived"; readonly perCommitmentPoint: Uint8Array }
);

/** A transaction of ours that spends one or more outputs, replaced at a higher fee when due. */
export interface Claim {
  /** Stable name: outpoint of the first input it was created with. */
  readonly id: string;
  readonly inputs: readonly ClaimInput[];
  /** Fee of the newest version; undefined while there is none: locked, uneconomic, not chosen yet. */
  readonly feeSat: Sat | undefined;
  /** Of the newest version or of those before: never falls while the inputs can pay it. */
  readonly feeratePerKw: FeeratePerKw | undefined;
  /** Outpoint keys of inputs the newest version does not spend: they were spent when it was made. */
  readonly leftOut: readonly string[];
  /** What older transactions of ours pay that its first version has to replace. */
  readonly replacesSat: Sat;
  readonly locktime: number;
  readonly nextBumpAt: BlockHeight;
  /** Versions made because one was refused, at one height; undefined: none. */
  readonly refusals: { readonly height: BlockHeight; readonly count: number } | undefined;
  /** A higher fee was due and is not allowed or not affordable. */
  readonly atLimit: boolean;
}

/**
 * What is deep enough to be over (6 blocks) but can still be undone: a deep reorganisation puts it back
 * where it was. Forgotten when it is 100 deep (BOLT 5: irrevocably resolved).
 */
export interface Settled {
  readonly facts: readonly WaitingFact[];
  /** Outputs whose spend is final. */
  readonly tracked: readonly TrackedOutput[];
  /** Claims all of whose inputs are spent for good. */
  readonly claims: readonly Claim[];
}

/** A second-stage transaction of the holder commitment; fully determined unless a wallet pays its fee. */
export interface HolderHtlcClaim {
  readonly commitmentTxid: Txid;
  readonly htlc: CommitmentHtlc;
  readonly outputIndex: number;
  readonly counterpartySignature: Uint8Array;
  /** Needed for HTLC-success. */
  readonly preimage: Preimage | undefined;
}

/**
 * A claim of our own commitment whose fee a wallet brings (onchain-engine 9.4): its feerate is chosen
 * here, so that a restart goes on where it was.
 */
export interface Bump {
  readonly claimId: Hash32;
  readonly of:
    | { readonly kind: "commitment" }
    /** Outputs of our confirmed commitment, claimed together. */
    | { readonly kind: "htlcs"; readonly outpoints: readonly Outpoint[] };
  readonly feeratePerKw: FeeratePerKw;
  readonly nextBumpAt: BlockHeight;
}

/** Our decision to go on chain; the commitment is kept because later updates replace `holder`. */
export interface HolderBroadcast {
  readonly reason: CloseReason;
  readonly commitment: HolderCommitment;
  /** The funding that `commitment` spends: the one that is confirmed. */
  readonly funding: Outpoint;
  /** The same commitment on the other fundings, should one of those confirm instead. */
  readonly elsewhere: readonly PendingCommitment<HolderCommitment>[];
  readonly since: BlockHeight;
}

/**
 * One funding output with the commitments that spend it. Number, point and HTLCs are the same in every
 * scope; output indices, values, signatures and txids are not.
 */
export interface FundingScope {
  readonly parameters: ChannelParameters;
  readonly holder: HolderCommitment;
  readonly holderPrevious: HolderCommitment | undefined;
  readonly counterparty: CounterpartyCommitment;
  /** Set until its secret arrives. */
  readonly counterpartyPrevious: CounterpartyCommitment | undefined;
}

export interface PendingFunding extends FundingScope {
  /** It was told that this funding will not confirm (DiscardFunding). */
  readonly discarded: boolean;
}

/** Its own FundingScope is the one of the locked funding. */
export interface MonitorState extends FundingScope {
  /** Funding the channel was watched with: names the channel in signed headers, whatever is spliced. */
  readonly firstFunding: Outpoint;
  /** Splices and fee bumps of them that are not locked, in the order they were negotiated. */
  readonly pendingFundings: readonly PendingFunding[];
  /**
   * Fundings that were given up when another one was locked, with their commitments of that time. A
   * reorganisation can bring one back, so they are kept until the locked one is buried.
   */
  readonly retiredFundings: readonly FundingScope[];
  /** A pending or retired funding whose transaction is in the chain instead of the locked one's. */
  readonly alternativeFunding: { readonly txid: Txid; readonly block: BlockPoint } | undefined;
  /**
   * Lowest commitment of ours that may be broadcast: once the node was told that this one is durable it
   * may reveal the secrets of all before it. Above `holder` only in a state restored from a backup.
   */
  readonly holderFloor: CommitmentNumber;
  readonly obscureFactor: bigint;
  readonly latestUpdateId: UpdateId;
  readonly latestUpdateHash: Hash32;
  readonly nextEventId: EventId;

  readonly secrets: SecretStore;

  readonly preimages: ReadonlyMap<PaymentHash, Preimage>;
  /** Fulfilled by the counterparty, not yet out of every commitment. */
  readonly fulfilled: ReadonlyMap<SourceKey, Preimage>;
  readonly failReasons: ReadonlyMap<SourceKey, HtlcFailReason>;
  readonly reported: ReadonlyMap<SourceKey, ReportedOutcomes>;
  /** Revoked while they stood in the commitment on chain: in no other, and not told by their secret. */
  readonly leftToChain: readonly OutboundHtlc[];
  readonly shutdownScript: Uint8Array | undefined;

  /** ChannelForceClosed was received: `isTakenAfterForceClose` from now on. */
  readonly lockdown: boolean;
  /** The node may have newer state than we do: never broadcast on our own initiative. */
  readonly staleSuspected: boolean;
  /** An operator had our commitment broadcast although it may be old. */
  readonly staleOverridden: boolean;
  readonly holderBroadcast: HolderBroadcast | undefined;
  /**
   * The funding is broadcast by hand and none was ever seen in a block: our commitment is held back until
   * one is, or an operator has it broadcast. Never set again, whatever a reorganisation takes.
   */
  readonly awaitsFunding: boolean;

  readonly best: BlockPoint;
  /** Of the newest block; a fee hint only, not written when nothing else changed. */
  readonly feerates: Feerates;
  readonly fundingConfirmedAt: BlockHeight | undefined;
  readonly spend: FundingSpend | undefined;
  /** Until it is 100 deep. */
  readonly seenSpend: SeenFundingSpend | undefined;
  /** R20: told once per monitor, also after a reorg. */
  readonly spendReported: boolean;
  readonly waiting: readonly WaitingFact[];
  readonly tracked: readonly TrackedOutput[];
  /** Confirmed spends of tracked outputs, by outpoint key, until they are 100 deep. */
  readonly outputSpends: ReadonlyMap<string, OutputSpend>;
  readonly claims: readonly Claim[];
  /** Outputs of a mutual close that could be the funding of a splice we were not told of (yet). */
  readonly suspects: readonly { readonly outpoint: Outpoint; readonly createdAt: BlockHeight }[];
  /** Transactions that spend outputs of what no update has named yet, in chain order. */
  readonly unidentifiedSpends: readonly { readonly tx: ParsedTx; readonly block: BlockPoint }[];
  /** Our commitment that confirmed; kept because later updates replace `holder`. */
  readonly confirmedHolder: HolderCommitment | undefined;
  /** Its second-stage transactions. */
  readonly holderHtlcClaims: readonly HolderHtlcClaim[];
  /** What a wallet pays for: our commitment until one confirms, then its second stages. */
  readonly bumps: readonly Bump[];
  readonly settled: Settled;
  /** Claims that are none any more, after a reorganisation or a late secret: mempools may hold them. */
  readonly formerClaims: readonly Claim[];
  /** Outpoint keys of spendable outputs that were told: each is told once, whatever the chain does. */
  readonly toldSpendable: ReadonlySet<string>;

  /** Height at which the node closed the channel as never funded. */
  readonly neverFundedAt: BlockHeight | undefined;
  /** Since this height nothing is left to claim and every event is acked: it is archived later. */
  readonly resolvedSince: BlockHeight | undefined;
  /** Those that only this channel's keys can spend, until their spend is 100 deep. */
  readonly ownOutputs: readonly OwnOutput[];
}
