/**
 * PORT: what the monitor needs from a Bitcoin node, in the domain's words (architecture 3.3).
 * Refusals are values (BroadcastResult); outages are thrown as ChainUnavailable and mean "ask again".
 * Nothing a source answers is believed before verify-header.ts and verify-block.ts have seen it.
 */
import type { FeeratePerKw, Sat } from "@farwatch/protocol/amount";
import type { BlockHash, BlockHeight, BlockPoint } from "@farwatch/protocol/block";
import type { Outpoint, Txid } from "@farwatch/protocol/ids";

/** The source could not answer, or answered nonsense. Nothing was decided; try again later. */
export class ChainUnavailable extends Error {
  override readonly name: string = "ChainUnavailable";
}

/** The source has deleted a block that we need: it has to download it again before we can go on. */
export class BlockPruned extends ChainUnavailable {
  override readonly name = "BlockPruned";
}

export interface BlockHeader {
  readonly hash: BlockHash;
  readonly previousHash: BlockHash;
  /** 32 bytes in internal order, as they stand in the header. */
  readonly merkleRoot: Uint8Array;
  readonly height: BlockHeight;
  /** Compact target. */
  readonly bits: number;
  /** Unix seconds. */
  readonly time: number;
  /** The 80 bytes that were hashed. */
  readonly raw: Uint8Array;
}

export type BroadcastRefusal =
  /** Feerate too low for the mempool or for a replacement: bump. */
  | "insufficientFee"
  /** An input is spent or unknown: another transaction won, or a parent is missing. */
  | "missingInputs"
  /** nLockTime or nSequence is not satisfied yet: wait. */
  | "nonFinal"
  /** Anything else the node will not relay: alarm. */
  | "policy";

export type BroadcastResult =
  | { readonly kind: "accepted" }
  /** In the mempool or in a block already. */
  | { readonly kind: "alreadyKnown" }
  | { readonly kind: "refused"; readonly reason: BroadcastRefusal; readonly message: string };

export interface ChainFeerates {
  /** Confirmation within 2 to 3 blocks. */
  readonly urgent: FeeratePerKw;
  /** Confirmation within about 12 blocks. */
  readonly normal: FeeratePerKw;
}

export interface ConfirmedOutput {
  readonly valueSat: Sat;
  readonly scriptPubkey: Uint8Array;
}

/** "Something may have changed": carries no facts, so a false or a lost hint costs only time. */
export type HintListener = () => void;

export interface ChainSource {
  /** The best block the source knows. */
  tip(): Promise<BlockPoint>;
  /** Undefined when the source does not know the block. */
  header(hash: BlockHash): Promise<BlockHeader | undefined>;
  /** The block at this height of the source's best chain; undefined above its tip. */
  hashAtHeight(height: BlockHeight): Promise<BlockHash | undefined>;
  /** The serialized block, witnesses included. Throws BlockPruned when it was deleted. */
  block(hash: BlockHash): Promise<Uint8Array>;
  /** Safe to repeat with the same transaction. */
  broadcast(rawTx: Uint8Array): Promise<BroadcastResult>;
  /**
   * Safe to repeat. One child behind its parents, accepted as one package (BIP 431 zero-fee parents).
   * Says what became of the child; parents may be in the mempool or in blocks already.
   */
  broadcastPackage(rawTxs: readonly Uint8Array[]): Promise<BroadcastResult>;
  /** Would `broadcast` accept these, in this order? Sends nothing. */
  testAccept(rawTxs: readonly Uint8Array[]): Promise<readonly BroadcastResult[]>;
  feerates(): Promise<ChainFeerates>;
  /** The unconfirmed transaction that spends the output; undefined when the mempool has none. */
  mempoolSpender(outpoint: Outpoint): Promise<Txid | undefined>;
  /** The serialized unconfirmed transaction; undefined when the source does not know it. */
  mempoolTx(txid: Txid): Promise<Uint8Array | undefined>;
  /** An unspent output of a confirmed transaction, whatever the mempool says; undefined when there is none. */
  confirmedOutput(outpoint: Outpoint): Promise<ConfirmedOutput | undefined>;
  /** Calls the listener on every hint until the returned function is called. */
  onHint(listener: HintListener): () => void;
  close(): Promise<void>;
}
